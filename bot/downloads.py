"""A file that was shared with the bot: what Slack tells of it now, then its bytes."""

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.client import SLACK_FAILURES
from bot.incoming import Shared
from ingestion.errors import display_name, printable
from ingestion.ingest import media_type
from ingestion.sources.slack_files import (
    DELETED,
    GONE_MODES,
    SIGN_IN,
    UNREACHABLE,
    Downloader,
    SlackFile,
    SlackFileError,
)
from store.publish import File

DELETED_CODES = frozenset({"file_not_found", "file_deleted"})
CLOSED_CODES = frozenset(
    {"missing_scope", "invalid_auth", "not_authed", "token_revoked", "token_expired",
     "account_inactive", "access_denied", "not_visible"}
)  # fmt: skip
"""Codes with which Slack refuses to tell this bot of a file."""


class Downloads:
    """Fetches what was shared; each file is asked about first, since messages tell too little."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._downloader = Downloader(client.token or "", client.base_url)

    def fetch(self, shared: Shared) -> File:
        """Return the file. Raises a DocumentError that says why it cannot be had."""
        if shared.mode in GONE_MODES:
            SlackFile.of({"id": shared.id, "name": shared.name, "mode": shared.mode}).refuse()
        told = self._told(shared)
        data = self._downloader.fetch(told)
        name = printable(told.name) or shared.name
        return File(name, media_type(name), data)

    def _told(self, shared: Shared) -> SlackFile:
        name = display_name(shared.name)
        try:
            return SlackFile.of(self._client.files_info(file=shared.id).get("file") or {})
        except SlackApiError as error:
            code = error.response.get("error")
            if code in DELETED_CODES:
                raise SlackFileError(DELETED.format(name=name)) from error
            if code in CLOSED_CODES:
                raise SlackFileError(SIGN_IN.format(name=name)) from error
            raise SlackFileError(UNREACHABLE.format(name=name)) from error
        except SLACK_FAILURES as error:
            raise SlackFileError(UNREACHABLE.format(name=name)) from error
