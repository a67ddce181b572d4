"""E-mails to blocks: subject, date and what was written, without the history quoted below it.

Attachments are named, not read; addresses of senders and receivers are not text.
"""

import email
import re
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.policy import default

from selectolax.lexbor import LexborHTMLParser

from ingestion.errors import (
    EmptyFileError,
    ProtectedFileError,
    TooComplexError,
    UnreadableFileError,
    display_name,
)
from ingestion.parse.html import write_page
from ingestion.parse.plain import write_plain
from ingestion.parse.visible import visible
from ingestion.parse.writer import CanonicalWriter, Head, shorten

MAX_PARTS = 500
MAX_NESTED = 100  # e-mails and groups of parts in one another, or beside each other
MAX_HEADER = 2_000  # characters; the standard library's time grows with their square
MAX_HEADERS = 100_000  # characters of all headers that say what a part is
MAX_SHOWN = 10  # attachments named in a warning
MAX_INTRODUCTION = 3  # lines of "On 3 May 2026, Ann wrote:"

_CONTENT_HEADER = re.compile(
    r"^Content-[A-Za-z-]+:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
_GROUP = re.compile(r"\s*(?:multipart|message)/", re.IGNORECASE)
_QUOTED = re.compile(r"[ \t]*>")
_OPENS_INTRODUCTION = re.compile(r"(?:On|Am|Le|El|Il|Op|Em|Den)\b.*\d")
_INTRODUCED = re.compile(r"(?:.*(?:\d{4}|@|wrote).*):\s*", re.DOTALL)
_ORIGINAL = re.compile(
    r"^[ \t]*-{2,}[ \t]*(?:original message|ursprüngliche nachricht|message d'origine)\b.*"
    r"|^From:[^\n]*\r?\n(?:Sent|Date):[^\n]*\r?\n(?:To|Cc|Subject):.*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_FORWARDED = re.compile(r"\s*(?:fwd?|wg|tr|rv)\s*:", re.IGNORECASE)
_REPLIED = re.compile(r"\s*(?:re|aw|sv|antw)\s*:\s*", re.IGNORECASE)
_HISTORY = (
    "blockquote[type=cite], .gmail_quote, .yahoo_quoted, .moz-cite-prefix, #divRplyFwdMsg, "
    "#divRplyFwdMsg ~ *, #appendonsend ~ *"
)
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


def parse_email(name: str, source: str) -> tuple[CanonicalWriter, Head]:
    """Read an e-mail, whose bytes are the characters of `source` (Latin-1).

    Returns the written blocks, and the subject as title. What it answers is left out; what it
    forwards is kept.

    Raises a `DocumentError` for what is encrypted, damaged, empty or too deep.
    """
    shown = display_name(name)
    try:
        _refuse_headers(shown, source)
        message = email.message_from_bytes(source.encode("latin-1"), policy=default)
        parts = list(message.walk())
        _refuse(shown, parts)
        return _Letter(shown, message, parts).read()
    except RecursionError as error:
        raise TooComplexError(f"{shown} nests e-mails too deep; send the innermost.") from error
    # The standard library's parser of headers fails in these ways on headers that are none.
    except (MessageError, LookupError, ValueError, AttributeError, TypeError) as error:
        raise UnreadableFileError(
            f"{shown} is damaged and cannot be read; open it and save it again."
        ) from error


def _refuse_headers(shown: str, source: str) -> None:
    """Refuse, before any is parsed, headers on which the standard library would hang."""
    headers = [match[1] for match in _CONTENT_HEADER.finditer(source)]
    if sum(_GROUP.match(header) is not None for header in headers) > MAX_NESTED:
        raise TooComplexError(f"{shown} nests e-mails too deep; send the innermost.")
    longest = max(map(len, headers), default=0)
    if longest > MAX_HEADER or sum(map(len, headers)) > MAX_HEADERS:
        raise _long_header(shown)


def _refuse(shown: str, parts: Sequence[Message]) -> None:
    if len(parts) > MAX_PARTS:
        raise TooComplexError(f"{shown} has more than {MAX_PARTS} parts; send its text alone.")
    if any(len(content) > MAX_HEADER for key, content in parts[0].raw_items()
           if key.lower() in ("subject", "date")):  # fmt: skip
        raise _long_header(shown)
    if parts[0].get_content_type() in _ENCRYPTED:
        raise ProtectedFileError(f"{shown} is encrypted; save it decrypted and send it again.")


def _long_header(shown: str) -> TooComplexError:
    return TooComplexError(
        f"{shown} has headers that are far too long; send its text as a file of its own."
    )


class _Letter:
    def __init__(self, shown: str, message: EmailMessage, parts: Sequence[Message]) -> None:
        self._shown = shown
        self._message = message
        self._subject = shorten(visible(str(message["subject"] or "")))
        self._forwards = _FORWARDED.match(self._subject) is not None
        self._attached = [part for part in parts if part.get_content_disposition() == "attachment"]
        self._cut = False

    def read(self) -> tuple[CanonicalWriter, Head]:
        body = self._message.get_body(preferencelist=("plain", "html"))
        writer = CanonicalWriter("")
        writer.add("heading", [(self._subject, None)], level=1)
        for line in self._date():
            writer.add("paragraph", [(line, None)])
        before = len(writer.text)
        text = _text(body) if body is not None else ""
        if body is not None and body.get_content_type() == "text/html":
            write_page(self._shown, self._without_quotes(text), writer)
        else:
            write_plain(self._without_history(text.replace("\r\n", "\n")), writer)
        self._refuse_empty(writer.text[before:])
        title = _REPLIED.sub("", self._subject, count=1)
        return writer, Head(title=title or None, warnings=tuple(self._warnings()))

    def _refuse_empty(self, text: str) -> None:
        if text:
            return
        if self._attached:
            raise EmptyFileError(
                f"{self._shown} holds attachments but no words; send the attached files."
            )
        raise EmptyFileError(
            f"{self._shown} holds no words of its own; send an e-mail with text in it."
        )

    def _date(self) -> Iterator[str]:
        moment = getattr(self._message["date"], "datetime", None)
        if moment is not None:
            yield f"Date: {moment.day} {moment:%B %Y}"

    def _without_history(self, text: str) -> str:
        if not self._forwards:
            kept = _ORIGINAL.sub("", text)
            self._cut = kept != text
            text = kept
        lines: list[str] = []
        quoting = False
        for line in text.split("\n"):
            if not _QUOTED.match(line):
                lines.append(line)
                quoting = quoting and not line.strip()
            elif not quoting:
                self._cut = quoting = True
                _drop_introduction(lines)
                lines.append("")
        return "\n".join(lines)

    def _without_quotes(self, html: str) -> str:
        if self._forwards:
            return html
        tree = LexborHTMLParser(html)
        for node in tree.css(_HISTORY):
            self._cut = True
            node.decompose()
        return tree.html or ""

    def _warnings(self) -> Iterator[str]:
        if self._cut:
            yield "The earlier messages quoted in it were left out."
        if self._attached:
            names = [_attachment_name(part) for part in self._attached]
            shown = ", ".join(names[:MAX_SHOWN])
            more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
            yield f"Attachments are not read: {shown}{more}."


def _text(part: Message) -> str:
    """Return a part's text; one in an encoding that is not known is read as what it may be."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"))
    except (LookupError, UnicodeDecodeError):
        pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _drop_introduction(lines: list[str]) -> None:
    """Take away "On 3 May 2026, Ann wrote:" right above quoted lines, at most three lines."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    start = end
    while start and end - start < MAX_INTRODUCTION and lines[start - 1].strip():
        start -= 1
        if _INTRODUCED.fullmatch("\n".join(lines[start:end])):
            above = lines[start - 1] if start else ""
            broken = _OPENS_INTRODUCTION.match(above) and not _OPENS_INTRODUCTION.match(
                lines[start]
            )
            del lines[start - 1 if broken else start :]
            return


def _attachment_name(part: Message) -> str:
    name = part.get_filename()
    return display_name(name) if name else "one without a name"
