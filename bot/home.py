"""The home tab, and what is suggested to ask: builders, nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.blocks import (
    Block,
    Element,
    bullets,
    button,
    cut,
    divider,
    lines,
    notes,
    paragraphs,
    plain_text,
    rich_text,
    text,
)
from bot.people import Role
from bot.render import ago, one_line
from store.answers import Outcome
from store.home import OwnQuestion, RecentUpload, SourceHealth, Unanswered
from store.shutdowns import HostedModel

LOOK_AGAIN = "look_again"  # action ids
SOURCES = "sources"
SETTINGS = "channel_settings"

NAME_LIMIT = 120  # characters of a title, a source's name or a question in a line
REASON_LIMIT = 400  # characters of why a look failed
LISTED = 10  # sources that are listed
FAILING = 5  # sources that are told with their reason and a button
NAMED = 3  # documents of an upload
PROMPTS = 4  # that Slack takes
PROMPT_TITLE = 60  # characters
PERSON = re.compile(r"[UW][A-Z0-9]{5,}")
LATE = 3  # times its interval after which a source's last look is long ago

HELLO = "I answer questions from your company's policies, and show the exact words that I rely on."
HOW_TO_ASK = (
    "In a direct message to me: just write your question.",
    "In a channel that I'm in: mention me with the question. Ask on in the thread.",
    "With /cite and a question, anywhere: only you see the answer. With as of 1 June 2025 at its"
    " end I answer from what was in force on that day.",
    "Sources, under an answer, shows each quote in its place. Talk to a human hands your"
    " question to a person.",
)
OUTCOMES: dict[Outcome, str] = {
    "answered": "answered",
    "refused": "no policy answers it",
    "clarifying": "I asked which of several things was meant",
    "escalated": "handed over to a person",
    "error": "something went wrong",
}
FALLBACK_PROMPTS = (
    ("What can I ask?", "What can you help me with?"),
    ("Talk to a person", "I would like to talk to a person."),
)


@dataclass(frozen=True)
class ForAdmins:
    """What knowledge admins see beside the rest; `unanswered` counts a week.

    `ending` are models whose provider ends them soon.
    """

    uploads: Sequence[RecentUpload] = ()
    unanswered: int = 0
    examples: Sequence[Unanswered] = ()
    ending: Sequence[HostedModel] = ()


@dataclass(frozen=True)
class Home:
    """What the home tab shows to one person, at a moment. `documents` are those they may read.

    `transcripts` is None for who has nothing to do with them, `admin` for all but knowledge
    admins. `said` is what was just done.
    """

    role: Role
    documents: int
    sources: Sequence[SourceHealth]
    questions: Sequence[OwnQuestion]
    now: datetime
    transcripts: int | None = None
    admin: ForAdmins | None = None
    said: str | None = None


def home_view(home: Home) -> dict[str, Any]:
    """Return the home tab, within Slack's limits whatever it shows."""
    return {
        "type": "home",
        "blocks": [
            *(notes(home.said) if home.said else ()),
            *_knowledge(home),
            _head("How to ask"),
            *bullets(HOW_TO_ASK),
            *_questions(home),
            *_for_curators(home),
            *_for_admins(home),
        ],
    }


def prompts(sections: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return what is suggested to ask, of titles and sections; where there are none, how to.

    A prompt is sent in the person's name: nothing of a document may become markup in it.
    """
    made = []
    for title, section in sections[:PROMPTS]:
        name, part = _unmarked(title), _unmarked(section)
        if name and part:
            question = f"What does “{name}” say about “{part}”?"
            made.append({"title": cut(f"{name}: {part}", PROMPT_TITLE), "message": question})
    return made or [{"title": title, "message": words} for title, words in FALLBACK_PROMPTS]


def _unmarked(words: str) -> str:
    plain = one_line(words).translate(dict.fromkeys(map(ord, "<>&@#*_~`")))
    return cut(plain, NAME_LIMIT) if plain.strip() else ""


# --- what it knows --------------------------------------------------------------------------


def _knowledge(home: Home) -> list[Block]:
    listed = _listed(home)
    shown = [[text(_source_line(one, home))] for one in listed[:LISTED]]
    if len(listed) > LISTED:
        shown.append([text(f"… and {len(listed) - LISTED} more")])
    return [
        _head("What I know"),
        *paragraphs(text(HELLO)),
        *paragraphs(text(_counted(home.documents), bold=True), *_health(home)),
        *lines(shown),
    ]


def _listed(home: Home) -> list[SourceHealth]:
    """Return the sources that hold something the viewer may read; for admins all but empty ones.

    A source's name may say what it holds: who may read nothing of it is not told of it.
    """
    if home.role == "admin":
        return [one for one in home.sources if one.documents or one.watched]
    return [one for one in home.sources if one.documents]


def _counted(documents: int) -> str:
    if not documents:
        return "There is no policy yet that you may read."
    return "1 policy that you may read." if documents == 1 else (
        f"{documents} policies that you may read."
    )  # fmt: skip


def _health(home: Home) -> list[Element]:
    """Return how the listed sources fare, in a sentence; nothing where none is watched."""
    watched = [one for one in _listed(home) if one.watched]
    failing = [one for one in watched if one.failure]
    late = [one for one in watched if _is_late(one, home.now)]
    if not watched:
        return []
    if failing:
        said = "could not be read at the last look. I answer from what I had before."
        return [text(f" {_of(len(failing), len(watched))} {said}")]
    if late:
        return [text(f" {_of(len(late), len(watched))} had no look for longer than usual.")]
    checked = [one.checked_at for one in watched if one.checked_at]
    if len(checked) < len(watched):
        return [text(" Some sources are still to be looked at for the first time.")]
    return [
        text(f" All sources could be read; the oldest look was {ago(min(checked), home.now)}.")
    ]


def _of(some: int, all_: int) -> str:
    return "The source" if some == all_ == 1 else f"{some} of {all_} sources"


def _is_late(one: SourceHealth, now: datetime) -> bool:
    if one.every is None or one.paused or one.checked_at is None:
        return False
    return now - one.checked_at > timedelta(seconds=LATE * one.every + 60)


def _source_line(one: SourceHealth, home: Home) -> str:
    count = "1 policy" if one.documents == 1 else f"{one.documents} policies"
    told = [cut(one_line(one.name) or "Untitled", NAME_LIMIT), count]
    if one.watched:
        told.append(_look(one, home.now))
    if one.paused:
        told.append("paused")
    return " · ".join(told)


def _look(one: SourceHealth, now: datetime) -> str:
    """Return when a source was read last, and whether it could be read since."""
    if one.checked_at is None:
        return "could not be read yet" if one.failure else "not read yet"
    checked = ago(one.checked_at, now)
    return f"the last look failed; last read {checked}" if one.failure else f"checked {checked}"


# --- one's own questions --------------------------------------------------------------------


def _questions(home: Home) -> list[Block]:
    if not home.questions:
        return []
    return [_head("Your last questions"), *(_question(one, home.now) for one in home.questions)]


def _question(one: OwnQuestion, now: datetime) -> Block:
    outcome = "answered; the policy has changed since" if one.superseded else OUTCOMES[one.outcome]
    words = cut(one_line(one.question) or "…", NAME_LIMIT)
    block: Block = {
        "type": "section",
        "text": plain_text(f"{words}\n{outcome}, {ago(one.asked_at, now)}"),
    }
    return block | ({"accessory": button("Sources", SOURCES, one.answer_id)} if one.cited else {})


# --- for those who look after it ------------------------------------------------------------


def _for_curators(home: Home) -> list[Block]:
    if home.transcripts is None:
        return []
    if not home.transcripts:
        waiting = "No transcript waits for a curator."
    elif home.transcripts == 1:
        waiting = "1 transcript waits for a curator."
    else:
        waiting = f"{home.transcripts} transcripts wait for a curator."
    return [divider(), _head("For curators"), *paragraphs(text(waiting))]


def _for_admins(home: Home) -> list[Block]:
    if home.admin is None:
        return []
    return [
        divider(),
        _head("For knowledge admins"),
        _settings(home.now),
        *_failing(home),
        *_ending(home.admin),
        *_uploads(home.admin, home.now),
        *_unanswered(home.admin),
    ]


def _settings(now: datetime) -> Block:
    """Return the menu of channels; under an id of its own each time, so that nothing is chosen."""
    return {
        "type": "section",
        "block_id": f"settings {now.timestamp()}",
        "text": plain_text("How I behave in a channel"),
        "accessory": {
            "type": "conversations_select",
            "action_id": SETTINGS,
            "placeholder": plain_text("Choose a channel"),
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
        },
    }


def _failing(home: Home) -> list[Block]:
    troubled = [one for one in home.sources if one.failure or one.failures]
    blocks: list[Block] = []
    for one in troubled[:FAILING]:
        name = cut(one_line(one.name) or "Untitled", NAME_LIMIT)
        blocks.append(
            {
                "type": "section",
                "text": plain_text(f"{name}: {_trouble(one)}"),
                "accessory": button("Look again", LOOK_AGAIN, str(one.id)),
            }
        )
    if len(troubled) > FAILING:
        blocks += notes(f"{len(troubled) - FAILING} more sources have trouble.")
    return blocks


def _trouble(one: SourceHealth) -> str:
    if one.failure:
        return cut(one_line(one.failure) or "the last look failed", REASON_LIMIT)
    many = "1 item" if one.failures == 1 else f"{one.failures} items"
    return f"{many} could not be read (footnote sources show tells which, and why)."


def _ending(admin: ForAdmins) -> list[Block]:
    """Return the models that their provider ends soon, with what to do about it."""
    return [
        block
        for one in admin.ending[:FAILING]
        for block in notes(
            f"{cut(one_line(one.name), NAME_LIMIT)} ends at its provider on"
            f" {one.shutdown_at:%d %b %Y}; train another in time (footnote finetune start)."
        )
    ]


def _uploads(admin: ForAdmins, now: datetime) -> list[Block]:
    if not admin.uploads:
        return []
    return [
        *paragraphs(text("Sent last", bold=True)),
        *(rich_text(_author(one.author), text(_upload_line(one, now))) for one in admin.uploads),
    ]


def _author(author: str) -> Element:
    """Return who sent something: a person as Slack shows them, or the name of a program."""
    if PERSON.fullmatch(author):
        return {"type": "user", "user_id": author}
    return text(cut(one_line(author) or "somebody", NAME_LIMIT))


def _upload_line(one: RecentUpload, now: datetime) -> str:
    """Return what became of an upload, behind the name of who sent it."""
    names = [cut(one_line(name) or "Untitled", NAME_LIMIT) for name in one.documents]
    if len(names) > NAMED:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    told = [ago(one.sent_at, now), "1 file" if one.files == 1 else f"{one.files} files"]
    told += [", ".join(names)] if names else []
    told += [f"{one.refused} refused"] if one.refused else []
    told += [f"{one.waiting} still being read"] if one.waiting else []
    return " · ".join(["", *told])


def _unanswered(admin: ForAdmins) -> list[Block]:
    if not admin.unanswered:
        return []
    many = "1 question" if admin.unanswered == 1 else f"{admin.unanswered} questions"
    items: list[list[Element]] = [
        [text(cut(one_line(one.question) or "…", NAME_LIMIT))] for one in admin.examples
    ]
    return [
        *paragraphs(text(f"No policy answered {many} in the last 7 days", bold=True)),
        *lines(items),
    ]


def _head(words: str) -> Block:
    return {"type": "header", "text": plain_text(words)}
