"""`/cite <question> [as of <day>]`: an answer that only the asker sees. Alone, it explains."""

import re
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from slack_bolt import BoltContext

from bot.incoming import Body, Incoming, spoken
from retrieval.facts import MONTH_NAMES, MONTHS

HELP_WORD = "help"
DAY_WORDS = 4  # at most, behind "as of"; more of them are part of the question
DAY_SHOWN = 40  # characters of what could not be read
NOT_A_DAY = (
    "I can't read “{}” as a day. End the question with as of 2025-06-01, or as of 1 June 2025."
)

_AS_OF = re.compile(r"\bas (?:of\b|at\b(?=\D*\d|\s+(?:now|today)\b))", re.IGNORECASE)
_BEFORE = " \t\n,;:(–—-"  # may stand between a question and "as of"
_BEHIND = " \t\n?!.)"
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]{3,9})\.?,? (\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")


class Dated(NamedTuple):
    """A question, and the moment it asks about; `unread` is what stands where a day should."""

    question: str
    as_of: datetime | None = None
    unread: str | None = None


def read(body: Body, context: BoltContext) -> Incoming | None:
    """Return the question of a `/cite` command."""
    words = spoken(body.get("text") or "", context.bot_user_id)
    dated = Dated("") if words.lower() == HELP_WORD else split_day(words, datetime.now(UTC).date())
    return Incoming(
        team=body["team_id"],
        channel=body["channel_id"],
        ts=f"cite-{body['trigger_id']}",
        user=body["user_id"],
        text=dated.question,
        event_id="",
        private=True,
        command=True,
        as_of=dated.as_of,
        problem=None if dated.unread is None else NOT_A_DAY.format(dated.unread[:DAY_SHOWN]),
        reply_url=body["response_url"],
    )


def split_day(words: str, today: date) -> Dated:
    """Part a question from the "as of 1 June 2025" at its end; the end of that day counts, in UTC.

    Today means now: a wording that takes effect tonight is not in force yet. Words that are too
    many for a day are part of the question.
    """
    found = list(_AS_OF.finditer(words))
    if not found:
        return Dated(words)
    written = words[found[-1].end() :].strip(_BEHIND + ":")
    if not 0 < len(written.split()) <= DAY_WORDS:
        return Dated(words)
    question = words[: found[-1].start()].rstrip(_BEFORE)
    if words.rstrip().endswith("?") and question and question[-1] not in "?!.":
        question += "?"
    if written.casefold() in ("today", "now"):
        return Dated(question)
    day = read_day(written)
    if day is None:
        return Dated(question, unread=written)
    return Dated(question, None if day == today else datetime.combine(day, time.max, UTC))


def read_day(written: str) -> date | None:
    """Return the day that is written as 2025-06-01, 1 June 2025 or June 1, 2025, else None."""
    plain = " ".join(written.casefold().split())
    try:
        if match := _DAY_FIRST.fullmatch(plain):
            return date(int(match[3]), _month(match[2]), int(match[1]))
        if match := _MONTH_FIRST.fullmatch(plain):
            return date(int(match[3]), _month(match[1]), int(match[2]))
        return date.fromisoformat(plain)
    except ValueError:
        return None


def _month(name: str) -> int:
    """Return a month's number by its name or how it is shortened. Raises ValueError."""
    return MONTH_NAMES.index(MONTHS.get(name, name)) + 1  # "may" is no key: mostly a verb
