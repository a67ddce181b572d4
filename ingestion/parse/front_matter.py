"""What a document says about itself in its head: title, key, dates, owner, link."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rapidfuzz import fuzz, process

from ingestion.errors import FrontMatterError, display_name
from ingestion.parse.visible import visible
from ingestion.parse.writer import Head, shorten

MAX_LINES = 200  # of front matter; a longer head is not one
MAX_VALUE = 500  # characters
MAX_LINE = 2_000  # characters of an entry; a longer line is none
MAX_SHOWN_KEY = 40  # characters of a key in a warning
NEARLY = 80.0  # percent alike, from which on a key was meant for another: "titel" is 80

_KEYS = ("title", "document", "effective_from", "effective_to", "owner", "link")
# What people write for the dates, and letters alone would mistake for the other one.
_OTHER_WORDS = {
    "effective": "effective_from",
    "effective_date": "effective_from",
    "effective_on": "effective_from",
    "effective_at": "effective_from",
    "effective_since": "effective_from",
    "effective_until": "effective_to",
    "effective_till": "effective_to",
}

_FENCE = re.compile(r"---[ \t]*")
_CLOSE = re.compile(r"(?:---|\.\.\.)[ \t]*")
_ENTRY = re.compile(r"([A-Za-z][\w -]*?)[ \t]*:(?:[ \t]+(.*?))?[ \t]*")
_COMMENT = re.compile(r"\s+#.*")


def split_front_matter(source: str) -> tuple[dict[str, str], int]:
    """Return the `key: value` pairs at the start of `source`, and where the body begins.

    Without front matter: no pairs and 0. Lines that are not plain pairs (lists, nested
    values) are passed over.
    """
    first, _, _ = source.partition("\n")
    if not _FENCE.fullmatch(first.rstrip("\r").lstrip("\ufeff")):
        return {}, 0
    values: dict[str, str] = {}
    position = len(first) + 1
    for number in range(MAX_LINES):
        end = source.find("\n", position)
        line = source[position : end if end >= 0 else len(source)].rstrip("\r")
        following = end + 1 if end >= 0 else len(source)
        if _CLOSE.fullmatch(line):
            return values, following
        entry = _ENTRY.fullmatch(line) if len(line) <= MAX_LINE else None
        if number == 0 and entry is None and line.strip() and not line.lstrip().startswith("#"):
            return {}, 0  # a ruler above ordinary text
        if entry is not None and (value := _plain(entry[2] or "")):
            values.setdefault(entry[1].lower().replace("-", "_").replace(" ", "_"), value)
        if end < 0:
            break
        position = following
    return {}, 0


def head_of(name: str, values: Mapping[str, str]) -> Head:
    """Return the head made of `values`; a key that is nearly a known one gives a warning.

    Other keys mean nothing here: site generators have many.

    Raises `FrontMatterError` when a date is none, or the document would end before it begins.
    """
    effective_from = _date(name, values, "effective_from")
    effective_to = _date(name, values, "effective_to")
    if effective_from and effective_to and effective_to <= effective_from:
        raise FrontMatterError(
            f"{display_name(name)}: effective_to is not after effective_from; correct the dates "
            "at the top of the file."
        )
    title = visible(values.get("title", ""))
    return Head(
        title=shorten(title) or None,
        document_key=visible(values.get("document", "")) or None,
        effective_from=effective_from,
        effective_to=effective_to,
        owner=visible(values.get("owner", "")) or None,
        link=visible(values.get("link", "")) or None,
        warnings=tuple(_misspelt(values)),
    )


def _misspelt(values: Mapping[str, str]) -> Iterator[str]:
    for key in values:
        if key not in _KEYS and (meant := _meant(key)) is not None:
            shown = visible(key)[:MAX_SHOWN_KEY]
            yield f"“{shown}” was ignored; write {meant} if that is meant."


def _meant(key: str) -> str | None:
    """Return the known key that an unknown one was probably meant to be."""
    if key in _OTHER_WORDS:
        return _OTHER_WORDS[key]
    best = process.extractOne(key, _KEYS, scorer=fuzz.ratio, score_cutoff=NEARLY)
    return None if best is None else best[0]


def _plain(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] in "'\"":
        quoted = value.rpartition(value[0])[0][1:]
        return quoted.replace("''", "'") if value[0] == "'" else quoted.replace('\\"', '"')
    value = _COMMENT.sub("", value)
    if value in ("|", ">", "|-", ">-", "null", "~") or value.startswith("#"):
        return ""
    return value[:MAX_VALUE]


def _date(name: str, values: Mapping[str, str], key: str) -> datetime | None:
    """Read an ISO date or time; without a zone it is UTC, without a time it is midnight."""
    if not (value := values.get(key, "").strip()):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no date, or one before the first or after the last
        raise FrontMatterError(
            f"{display_name(name)}: {key} is “{visible(value)[:40]}”, which is not a date; "
            "write it as 2026-09-01."
        ) from None
