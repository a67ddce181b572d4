"""What reads a source's place, with what this installation allows and knows."""

import re

from core.errors import ConfigurationError
from core.settings import Settings
from ingestion.sources import Fetching, Scanner, open_scanner
from store.sources import Source

KINDS = ("folder", "web", "git", "address", "slack")


def fetching(settings: Settings) -> Fetching:
    """Return the limits of fetching, and the private hosts that the operator allows."""
    return Fetching(
        allowed_hosts=settings.private_hosts, cache=settings.home / "cache" / "sources"
    )


def scanner_of(source: Source, settings: Settings) -> Scanner:
    """Return what reads a source's place. Raises SourceError for a place that cannot be one."""
    return scanner_at(source.kind, source.uri, source.options, settings)


def scanner_at(kind: str, uri: str, options: dict[str, str], settings: Settings) -> Scanner:
    """Return what reads a place of some kind, nothing read yet. Raises SourceError."""
    if kind == "slack":
        return _slack(uri, options, settings)
    return open_scanner(kind, uri, options, fetching(settings))


def _slack(uri: str, options: dict[str, str], settings: Settings) -> Scanner:
    if settings.slack_bot_token is None:
        raise ConfigurationError("Watching a Slack channel needs SLACK_BOT_TOKEN.")
    from ingestion.sources.slack import SlackScanner  # noqa: PLC0415 - half a second

    return SlackScanner(
        uri,
        options,
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
    )


def kind_of(uri: str) -> str:
    """Return what kind of source an address looks like; a path is a folder."""
    scheme, found, _ = uri.partition("://")
    if not found:
        return "git" if re.match(r"[\w.-]+@[\w.-]+:", uri) else "folder"
    if (
        scheme == "git"
        or scheme.startswith("git+")
        or (scheme in ("http", "https", "ssh") and uri.endswith(".git"))
    ):
        return "git"
    if scheme in ("http", "https"):
        return "web"
    return "slack" if scheme == "slack" else "address"
