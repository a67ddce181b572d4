"""`/cite`: a question answered so that only the asker sees it, or an answer by its sources.

Alone it cites the last answer in the channel, with a link or an id that answer, each also as of
a day. `help`, `settings` and `forget me` are what they say only where nothing else is written
but a day or a link; everything else is a question.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from slack_bolt import BoltContext

from bot.incoming import Body, Incoming, spoken
from bot.listeners import channel_settings, privacy
from bot.listeners.sources import permitted
from bot.outgoing import write_posts
from bot.render import HELP, Message, plain
from bot.sources import NOT_FOUND, cite_messages
from bot.workspaces import Workspace
from retrieval.facts import MONTH_NAMES, MONTHS
from store.cited import answer_of_message, last_cited_in
from store.posts import NewPost

DAY_WORDS = 4  # at most, behind "as of"; more of them are part of the question
DAY_SHOWN = 40  # characters of what could not be read
NOT_A_DAY = (
    "I can't read “{}” as a day. End the question with as of 2025-06-01, or as of 1 June 2025."
)
NOTHING_HERE = (
    "I have no answer with sources here that you can see. Ask me something with /cite and your"
    " question, or name an answer by its link."
)

_ANSWER_ID = re.compile(r"[0-9a-f]{12}")
_PERMALINK = re.compile(r"https?://[^\s/]+/archives/([A-Z0-9]+)/p(\d{10})(\d{6})(?:\?\S*)?")
_SUBCOMMAND = re.compile(
    rf"(help|settings|forget\s+me)(?:\s+{_PERMALINK.pattern})?", re.IGNORECASE
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


@dataclass(frozen=True)
class Ask:
    """A question; `problem` is said instead of an answer."""

    question: str
    as_of: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Last:
    """The last answer in the channel."""

    as_of: datetime | None = None


@dataclass(frozen=True)
class Lookup:
    """An answer by its id, or by the message that shows it or that it was given to."""

    answer_id: str | None = None
    channel: str = ""
    ts: str = ""
    as_of: datetime | None = None


@dataclass(frozen=True)
class Help:
    """What the bot can do."""


@dataclass(frozen=True)
class Settings:
    """This channel's settings."""


@dataclass(frozen=True)
class Forget:
    """What is kept about the person."""


Command = Ask | Last | Lookup | Help | Settings | Forget

_NAMED: dict[str, Command] = {"help": Help(), "settings": Settings(), "forget me": Forget()}


def parse(words: str, today: date) -> Command:
    """Return what a person wants with the words behind `/cite`, markup already undone."""
    dated = split_day(words.strip(), today)
    if dated.unread is not None:
        return Ask(dated.question, problem=NOT_A_DAY.format(dated.unread[:DAY_SHOWN]))
    if not dated.question:
        return Last(dated.as_of)
    if subcommand := _SUBCOMMAND.fullmatch(dated.question):
        return _NAMED[" ".join(subcommand[1].lower().split())]
    if link := _PERMALINK.fullmatch(dated.question):
        return Lookup(channel=link[1], ts=f"{link[2]}.{link[3]}", as_of=dated.as_of)
    if _ANSWER_ID.fullmatch(dated.question):
        return Lookup(answer_id=dated.question, as_of=dated.as_of)
    return Ask(dated.question, dated.as_of)


def command_of(body: Body, bot_user_id: str | None) -> Command:
    """Return what a `/cite` command is."""
    return parse(spoken(body.get("text") or "", bot_user_id), datetime.now(UTC).date())


def read(body: Body, context: BoltContext) -> Incoming | None:
    """Return the question of a `/cite` command, None where it is something else."""
    command = command_of(body, context.bot_user_id)
    if not isinstance(command, Ask):
        return None
    return Incoming(
        team=body["team_id"],
        channel=body["channel_id"],
        ts=f"cite-{body['trigger_id']}",
        user=body["user_id"],
        text=command.question,
        event_id="",
        private=True,
        command=True,
        as_of=command.as_of,
        problem=command.problem,
        reply_url=body["response_url"],
    )


def handle(workspace: Workspace, body: Body, command: Command) -> None:
    """Do what a command other than a question asks for."""
    if isinstance(command, Settings):
        channel_settings.open_settings(workspace, body)
    elif isinstance(command, Forget):
        privacy.show(workspace, body)
    elif isinstance(command, Last | Lookup):
        _reply(workspace, body, _cited(workspace, body, command))
    else:
        _reply(workspace, body, plain(HELP))


def _cited(workspace: Workspace, body: Body, command: Last | Lookup) -> tuple[Message, ...]:
    """Return the message that cites an answer, or says that there is none to cite."""
    user_id, channel = body["user_id"], body["channel_id"]
    engine = workspace.engine
    if isinstance(command, Last):
        answer_id, missing = last_cited_in(engine, workspace.id, channel, user_id), NOTHING_HERE
    elif command.answer_id is not None:
        answer_id, missing = command.answer_id, NOT_FOUND
    else:
        missing = NOT_FOUND
        answer_id = answer_of_message(
            engine, workspace.id, workspace.team, command.channel, command.ts, user_id
        )
    cited = permitted(workspace, user_id, channel, answer_id, command.as_of)
    if cited is None:
        return plain(missing)
    return cite_messages(cited, own=cited.asker == user_id, as_of=command.as_of)


def _reply(workspace: Workspace, body: Body, messages: tuple[Message, ...]) -> None:
    """Answer a command so that only who gave it sees it."""
    post = NewPost(
        f"cite:{body['trigger_id']}",
        "notice",
        body["channel_id"],
        {},
        user_id=body["user_id"],
        reply_url=body["response_url"],
    )
    with workspace.engine.begin() as connection:
        write_posts(connection, workspace.id, messages, post)
    workspace.wake()


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
