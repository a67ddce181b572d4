"""What comes in with a question, from the page's form or a program, read and checked."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field

from admin.problems import UnusableRequestError
from graph.state import Turn

QUESTION_LIMIT = 4_000  # characters
HISTORY_LIMIT = 100  # turns a program may send along
FORM_FIELDS = 10


def clean_question(text: str) -> str:
    """Return a question as it can be kept: trimmed, without NULs and lone surrogates.

    Raises UnusableRequestError if nothing is left or it is longer than QUESTION_LIMIT.
    """
    question = _storable(text).strip()
    if not question:
        raise UnusableRequestError("Write a question first.")
    if len(question) > QUESTION_LIMIT:
        raise UnusableRequestError(
            f"This question has {len(question):,} characters; shorten it to {QUESTION_LIMIT:,}."
        )
    return question


def _storable(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\x00", "")
    return lines.encode("utf-8", "replace").decode("utf-8")


def day_asked(text: str) -> date | None:
    """Return the day of an "as of" field (YYYY-MM-DD), None if it is empty.

    Raises UnusableRequestError if it is no date.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UnusableRequestError("Write the date as YYYY-MM-DD.") from error


def end_of_day(day: date | None) -> datetime | None:
    """Return the last moment of a day in UTC, so that what takes effect on it counts.

    Today means now (None): a wording that takes effect tonight is not in force yet.
    """
    if day is None or day == datetime.now(UTC).date():
        return None
    return datetime.combine(day, time.max, UTC)


@dataclass(frozen=True)
class AskedForm:
    """The fields of the page's form, not yet checked."""

    question: str
    as_of: str
    nonce: str


def read_form(body: bytes) -> AskedForm:
    """Read a form's body; a field given twice counts once, the last time; a missing one is empty.

    Raises UnusableRequestError if it has more fields than any form of ours.
    """
    try:
        fields = parse_qs(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FORM_FIELDS
        )
    except ValueError as error:
        raise UnusableRequestError("This form has too many fields; use the page's own.") from error
    question, as_of, nonce = (
        fields.get(name, [""])[-1] for name in ("question", "as_of", "nonce")
    )
    return AskedForm(question, as_of, nonce)


class TurnBody(BaseModel):
    """An earlier turn, as a program sends it."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["asker", "footnote"]
    text: str


class AskBody(BaseModel):
    """The body of `POST /api/ask`; `as_of` is a day (YYYY-MM-DD, its end counts) or a moment."""

    model_config = ConfigDict(extra="forbid")

    question: str
    history: list[TurnBody] | None = Field(None, max_length=HISTORY_LIMIT)
    as_of: str | None = None

    def turns(self) -> tuple[Turn, ...] | None:
        """Return the history as the graph takes it."""
        if self.history is None:
            return None
        return tuple(Turn(turn.role, _storable(turn.text)) for turn in self.history)

    def moment(self) -> datetime | None:
        """Return `as_of` as a moment, None for now. Raises UnusableRequestError."""
        return moment_asked(self.as_of or "")


def moment_asked(text: str) -> datetime | None:
    """Return a day's end or a moment, as ISO 8601 writes them; without an offset it is UTC.

    Nothing and today are None: now. Raises UnusableRequestError if it is neither.
    """
    if not text:
        return None
    try:
        return end_of_day(date.fromisoformat(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnusableRequestError(
            "Write as_of as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS+00:00."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
