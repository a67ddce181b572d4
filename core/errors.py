"""The one base of all errors a person may see, and the ids that tie them to the log."""

import secrets


class FootnoteError(Exception):
    """Base of every expected failure: its message is one plain sentence that says what to do."""


class ConfigurationError(FootnoteError):
    """A setting is missing or cannot be used."""


class ServiceUnavailableError(FootnoteError):
    """A server this process depends on cannot be reached or is not fit for use."""


class NotFoundError(FootnoteError):
    """Something was asked for by name or id and is not there, or not for this person."""


def reference_id() -> str:
    """Return a short random id (8 hex digits) to print for a person and to log with a failure."""
    return secrets.token_hex(4)
