"""A Slack channel: its pinned messages, and the documents that were shared in it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import RateLimitErrorRetryHandler
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    ServerErrorRetryHandler,
)

from ingestion.errors import DocumentError, printable
from ingestion.sources import Failure, Fetching, Found, Item, Seen, SourceError, Unchanged
from ingestion.sources.choice import Choice, Tally, check_options
from ingestion.sources.slack_files import DELETED_MODE, Downloader, SlackFile
from ingestion.sources.slack_text import markdown_of, title_of

OPTIONS = ("glob", "only")
ONLY = ("files", "pins")
PAGE = 200  # files of one call
PAGES = 10  # calls for one look
CALL_TIMEOUT = 15  # seconds
RETRIES = 3  # further tries of a call; a 429 is waited out as long as it says

OUTSIDE = (
    "The bot is not in this channel; invite it there with /invite, and check the id (C0123…)."
)
TOO_MANY = (
    "More than {most:,} files were shared in this channel; watch its pinned messages alone"
    " (--option only=pins) or add files one by one."
)
LACKS = "The Slack app lacks {needed}: update it from manifest.json and reinstall it."
REFUSED = "Slack refused the bot token ({code}); footnote doctor says what to do."
TROUBLE = "Slack answers {code}; the channel is read again at the next look."
AWAY = "Slack cannot be reached; check the network and SLACK_API_URL."
NOT_A_CHANNEL = "{uri} is no Slack channel; write its id, as in slack://C0123ABCD."
DIRECT = "This is a direct message; name a channel."

TOKEN_CODES = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
)
_CHANNEL = re.compile(r"[CG][A-Z0-9]{2,30}")


class SlackScanner:
    """Reads a channel that the bot is in.

    Of files with the same name the newest counts: sharing one again is a new version. Pictures
    and other files that are no documents are left out, unless the option `glob` names them.
    """

    def __init__(self, uri: str, options: Mapping[str, str], *, token: str, base_url: str) -> None:
        check_options("slack", options, OPTIONS)
        self._channel = uri.removeprefix("slack://")
        if not _CHANNEL.fullmatch(self._channel):
            raise SourceError(NOT_A_CHANNEL.format(uri=printable(uri)[:80]))
        self._only = options.get("only", "")
        if self._only and self._only not in ONLY:
            raise SourceError("The option only is files or pins; leave it out for both.")
        self._choice = Choice(options.get("glob", ""))
        self._downloader = Downloader(token, base_url)
        self._client = WebClient(
            token=token,
            base_url=base_url,
            timeout=CALL_TIMEOUT,
            retry_handlers=[
                RateLimitErrorRetryHandler(max_retry_count=RETRIES),
                ConnectionErrorRetryHandler(max_retry_count=RETRIES),
                ServerErrorRetryHandler(max_retry_count=RETRIES),
            ],
        )

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return the pinned messages and the shared documents there are, oldest first."""
        bot = self._enter()
        if self._only != "files":
            yield from self._pinned(bot, known)
        if self._only != "pins":
            yield from self._files(known)

    def _enter(self) -> str:
        """Return the bot's own user id, once it is sure that the bot sees the channel.

        Of a channel that it is not in, Slack would tell as of an empty one.
        """
        own = _asked(self._client.auth_test)
        info = _asked(lambda: self._client.conversations_info(channel=self._channel))["channel"]
        if info.get("is_im") or info.get("is_mpim"):
            raise SourceError(DIRECT)
        if not info.get("is_member"):
            raise SourceError(OUTSIDE)
        return str(own["user_id"])

    # --- pinned messages --------------------------------------------------------------------

    def _pinned(self, bot: str, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return each pinned message with words of its own; the bot's answers are no source."""
        pins = _asked(lambda: self._client.pins_list(channel=self._channel))["items"]
        said = [pin["message"] for pin in pins if pin.get("message")]
        for message in sorted(said, key=lambda message: str(message["ts"])):
            text = str(message.get("text") or "")
            title = title_of(text)
            if message.get("user") == bot or not title:
                continue
            yield self._message(message, text, title, known)

    def _message(
        self, message: Mapping[str, Any], text: str, title: str, known: Mapping[str, Seen]
    ) -> Found:
        ts = str(message["ts"])
        key = f"pin:{ts}"
        fingerprint = f"{ts}:{(message.get('edited') or {}).get('ts', '')}"
        if key in known and known[key].fingerprint == fingerprint:
            return Unchanged(key, fingerprint)
        # A head of our own names the document by its message, so that the words may change, and
        # keeps what the message begins with from being read as one.
        head = {"document": f"slack/{self._channel}/{ts}", "title": title}
        lines = ["---", *(f"{name}: {json.dumps(value, ensure_ascii=False)}"
                          for name, value in head.items()), "---", ""]  # fmt: skip
        data = "\n".join(lines) + markdown_of(text) + "\n"
        name = f"{printable(title.replace('/', '_'))}.md"
        return Item(key, name, data.encode(), fingerprint, link=message.get("permalink"))

    # --- files ------------------------------------------------------------------------------

    def _files(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        tally = Tally(Fetching())
        for name, file in self._newest().items():
            if not self._choice.takes(name):
                continue
            tally.count()
            key = f"file:{name}"
            if key in known and known[key].fingerprint == file.fingerprint:
                yield Unchanged(key, file.fingerprint)
            elif refusal := tally.refusal(key, file.size or 0):
                yield refusal
            else:
                yield self._file(key, name, file, tally)

    def _newest(self) -> dict[str, SlackFile]:
        """Return the newest file of each name, oldest first."""
        found: dict[str, SlackFile] = {}
        listed = reversed(list(self._listed()))  # as Slack has them, the newest comes first
        for told in sorted(listed, key=lambda told: int(told.get("created") or 0)):
            file = SlackFile.of(told)
            if file.mode == DELETED_MODE:
                continue
            name = file.name.replace("/", "_")
            found.pop(name, None)
            found[name] = file
        return found

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        for number in range(1, PAGES + 1):
            page = self._page(number)
            yield from page["files"]
            if number >= int((page.get("paging") or {}).get("pages") or 1):
                return
        raise SourceError(TOO_MANY.format(most=PAGE * PAGES))

    def _page(self, number: int) -> Mapping[str, Any]:
        """Return a page of the files shared in the channel, counted from 1."""
        page: Mapping[str, Any] = _asked(
            lambda: self._client.files_list(channel=self._channel, count=PAGE, page=number)
        )
        return page

    def _file(self, key: str, name: str, file: SlackFile, tally: Tally) -> Found:
        try:
            if not file.told_whole:
                told = _asked(lambda: self._client.files_info(file=file.id))["file"]
                file = SlackFile.of(told)
            data = self._downloader.fetch(file)
        except (DocumentError, SourceError) as error:
            return Failure(key, str(error))
        tally.add(len(data))
        return Item(key, name, data, file.fingerprint, link=file.link)


def _asked(call: Callable[[], Any]) -> Any:
    """Return what Slack answers. Raises SourceError with what to do where it refuses."""
    try:
        return call()
    except SlackApiError as error:
        raise SourceError(_sentence(error)) from error
    except (SlackClientError, OSError, HTTPException) as error:
        raise SourceError(AWAY) from error


def _sentence(error: SlackApiError) -> str:
    code = str(error.response.get("error") or f"status {error.response.status_code}")
    if code in ("not_in_channel", "channel_not_found"):
        return OUTSIDE
    if code == "missing_scope":
        return LACKS.format(needed=error.response.get("needed") or "a scope")
    return (REFUSED if code in TOKEN_CODES else TROUBLE).format(code=code)
