"""One row of an export as an exchange: chat messages, pairs, tickets and conversations.

A form is told by the keys that a row has. What is internal (private comments, notes) and what a
bot or the system said is left out; messages of one side in a row stay apart.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from core.errors import FootnoteError
from finetune.labels import checked_labels
from store.transcripts import Imported, Said, said_json

MOST_MESSAGES = 500
MOST_CHARACTERS = 50_000  # of one message
ID = re.compile(r"[\w][\w.:-]{0,63}")
MARKUP = re.compile(r"<(?:[a-z][a-z0-9]*|/[a-z]+)(?:\s[^>]*)?/?>", re.IGNORECASE)

ASKER = frozenset(
    "customer user asker client end-user end_user enduser requester human lead contact visitor"
    " guest caller patient question prompt q".split()
)
TEAM = frozenset(
    "agent team assistant support admin operator representative rep staff employee advisor"
    " teammate wizard answer completion a".split()
)
LEFT_OUT = frozenset("system developer bot tool function note internal automation trigger".split())
TIMES = ("happened_at", "created_at", "timestamp", "date", "time", "updated_at")
ASKER_IDS = ("user_id", "requester_id", "customer_id")
IDS = ("id", "conversation_id", "ticket_id", "dialogue_id", "thread_id", "uuid")
PAIRS = (
    ("question", "answer"), ("prompt", "completion"), ("customer", "agent"), ("user", "assistant"),
    ("asker", "team"), ("input", "output"),
)  # fmt: skip


class RowError(FootnoteError):
    """A row cannot be read as an exchange; the message says what is wrong and what mends it."""


def exchange(row: Any, prefix: str) -> Imported:
    """Return the exchange of a row. Raises RowError.

    `prefix` comes before its key: the name of the file, so that two files may use the same ids.
    """
    if not isinstance(row, Mapping):
        raise RowError("It is no object; write one in braces in each row.")
    held = row.get("ticket")
    inner: Mapping[str, Any] = held if isinstance(held, Mapping) else row
    # Half of a character, which JSON can hold, cannot be kept.
    messages = tuple(
        replace(said, text=said.text.encode("utf-8", "replace").decode())
        for said in _limited(_messages(inner))
    )
    if not messages:
        raise RowError("Nobody says anything in it; leave it out.")
    if {said.role for said in messages} != {"asker", "team"}:
        missing = "team" if messages[0].role == "asker" else "asker"
        raise RowError(
            f"Only one side speaks; name the other with a role such as"
            f" {'agent' if missing == 'team' else 'customer'}."
        )
    labels = row.get("labels")
    if labels is not None and not isinstance(labels, Mapping):
        raise RowError('Its labels are no object; write them as {"route": "policy"}.')
    checked = checked_labels(labels or {})
    return Imported(
        f"{prefix}:{_key(inner, messages)}",
        messages,
        {name: value for name, value in checked.items() if value is not None},
        _moment(inner),
        *_people(inner),
    )


def _people(row: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Return the ids of the asker, and of others who wrote: by them a person can be forgotten.

    Addresses and names are no ids.
    """
    askers = [row.get(name) for name in ASKER_IDS] + [_part(row, "requester", "id")]
    others: list[Any] = []
    held = row.get("conversation_parts") or []
    parts = held.get("conversation_parts") if isinstance(held, Mapping) else held
    for some in (row.get("messages"), row.get("comments"), [row.get("source")], parts):
        for one in some if isinstance(some, Sequence) and not isinstance(some, str) else ():
            if not isinstance(one, Mapping):
                continue
            author = one.get("author")
            role = str(
                one.get("role")
                or one.get("author_role")
                or _part(one, "author", "role")
                or _part(one, "author", "type")
                or (author if isinstance(author, str) else "")
            ).casefold()
            written = one.get("author_id", _part(one, "author", "id")) or one.get("user_id")
            (askers if role in ASKER else others).append(written)
    known = [str(one) for one in askers if _is_id(one)]
    more = [*known[1:], *(str(one) for one in others if _is_id(one))]
    asker = known[0] if known else None
    return asker, tuple(one for one in dict.fromkeys(more) if one != asker)


def _is_id(value: Any) -> bool:
    return (
        isinstance(value, (str, int))
        and not isinstance(value, bool)
        and ID.fullmatch(str(value)) is not None
    )


def _messages(row: Mapping[str, Any]) -> Iterator[Said]:
    if isinstance(row.get("messages"), Sequence) and not isinstance(row["messages"], str):
        yield from _chat(row["messages"])
    elif "comments" in row:
        yield from _ticket(row)
    elif "conversation_parts" in row or isinstance(row.get("source"), Mapping):
        yield from _conversation(row)
    else:
        for asked, answered in PAIRS:
            if asked in row and answered in row:
                yield from _said("asker", row[asked])
                yield from _said("team", row[answered])
                return
        raise RowError(
            "Its form is not known; give it messages (role and text), a ticket's comments, a"
            " conversation's parts, or question and answer."
        )


def _chat(messages: Sequence[Any]) -> Iterator[Said]:
    for number, one in enumerate(messages, 1):
        if not isinstance(one, Mapping):
            raise RowError(f"Its message {number} is no object with role and text.")
        role = (
            str(one.get("role") or one.get("author") or one.get("from") or "").casefold().strip()
        )
        if role in LEFT_OUT:
            continue
        if role not in ASKER | TEAM:
            raise RowError(
                f"Its message {number} has the role {role[:40]!r}; write customer or agent."
            )
        words = one.get("text", one.get("content"))
        if isinstance(words, Sequence) and not isinstance(words, str):  # parts, as OpenAI has them
            words = "\n".join(
                str(part.get("text", "")) for part in words if isinstance(part, Mapping)
            )
        if words is None and (one.get("tool_calls") or one.get("function_call")):
            continue
        if not isinstance(words, str):
            raise RowError(f"Its message {number} has no text.")
        yield from _said(
            "asker" if role in ASKER else "team", words, canned=one.get("canned") is True
        )


def _ticket(row: Mapping[str, Any]) -> Iterator[Said]:
    """A ticket as help desks export it: comments with an author; those not public are internal."""
    comments = row["comments"]
    if not isinstance(comments, Sequence) or isinstance(comments, str):
        raise RowError("Its comments are no list.")
    requester = row.get("requester_id", _part(row, "requester", "id"))
    first = next((one for one in comments if isinstance(one, Mapping)), {})
    if row.get("description") and row["description"] != first.get("body"):
        yield from _said("asker", row["description"])
    for number, one in enumerate(comments, 1):
        if not isinstance(one, Mapping):
            raise RowError(f"Its comment {number} is no object.")
        if one.get("public") is False:
            continue
        role = str(_part(one, "author", "role") or one.get("author_role") or "").casefold()
        author = one.get("author_id", _part(one, "author", "id"))
        if role in LEFT_OUT:
            continue
        if role not in ASKER | TEAM and (author is None or requester is None):
            raise RowError(
                f"Nothing says who wrote its comment {number}; give author_id and requester_id."
            )
        asked = role in ASKER if role else author == requester
        words = one.get("plain_body", one.get("body", one.get("html_body", "")))
        yield from _said("asker" if asked else "team", words)


def _conversation(row: Mapping[str, Any]) -> Iterator[Said]:
    """A conversation as messengers export it: a source, and parts with a type of author."""
    parts = row.get("conversation_parts") or []
    if isinstance(parts, Mapping):
        parts = parts.get("conversation_parts") or []
    source = row.get("source")
    if not isinstance(parts, Sequence):
        raise RowError("Its conversation_parts are no list.")
    for one in [*([source] if isinstance(source, Mapping) else []), *parts]:
        if not isinstance(one, Mapping):
            raise RowError("One of its parts is no object.")
        kind = str(_part(one, "author", "type") or "").casefold()
        if one.get("part_type", "comment") not in ("comment", "open", "close") or not one.get(
            "body"
        ):
            continue  # a note, an assignment: nothing that the asker saw
        if kind in LEFT_OUT:
            continue
        if kind not in ASKER | TEAM:
            raise RowError(f"The author of a part is of the type {kind[:40]!r}; user or admin is.")
        yield from _said("asker" if kind in ASKER else "team", one["body"])


def _part(row: Mapping[str, Any], name: str, inner: str) -> Any:
    held = row.get(name)
    return held.get(inner) if isinstance(held, Mapping) else None


def _said(role: Literal["asker", "team"], words: Any, *, canned: bool = False) -> Iterator[Said]:
    if not isinstance(words, str):
        raise RowError("A message is no text.")
    plain = _without_markup(words.replace("\x00", "")).strip()
    if plain:
        yield Said(role, plain, canned)


def _without_markup(words: str) -> str:
    if not MARKUP.search(words):
        return words
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - few exports have markup

    broken = re.sub(r"(?i)<(?:br|/p|/div|/li|/tr)\b[^>]*>", "\n", words)
    body = LexborHTMLParser(broken).body
    text = body.text(separator="") if body is not None else ""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.split("\n")))


def _limited(messages: Iterable[Said]) -> Iterator[Said]:
    for number, said in enumerate(messages, 1):
        if number > MOST_MESSAGES:
            raise RowError(f"It has more than {MOST_MESSAGES} messages; split it.")
        if len(said.text) > MOST_CHARACTERS:
            raise RowError(f"A message is longer than {MOST_CHARACTERS} characters; shorten it.")
        yield said


def _key(row: Mapping[str, Any], messages: Sequence[Said]) -> str:
    """Return what tells a row from others: its id if that can be one, else a hash of its words."""
    for name in IDS:
        value = row.get(name)
        if _is_id(value):
            return str(value)
    written = json.dumps([said_json(said) for said in messages], ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()[:24]


def _moment(row: Mapping[str, Any]) -> datetime | None:
    for name in TIMES:
        value = row.get(name)
        try:
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
                return datetime.fromtimestamp(value, UTC)
            if isinstance(value, str) and value.strip():
                moment = datetime.fromisoformat(value.strip())
                # In UTC, so that no zone moves a date out of the years that there are.
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise RowError(f"{name} is no date; write it as 2026-09-01.") from error
    return None
