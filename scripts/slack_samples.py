"""What Footnote sends to Slack, on an invented case: one function a surface, one line to list it.

Each is JSON as `admin.slack.surfaces.draw` takes it, made by the bot's own builders.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from bot.incoming import Shared
from bot.living import STEPS
from bot.receipts import receipt
from bot.render import Message, render, render_failure
from ingestion.uploads import FileState
from store.answers import Answer, Citation, Claim

Surface = Mapping[str, Any]

ASKER, LEAD, BOT = "U0MARA", "U0JONAS", "U0FOOTNOTE"
NAMES = {
    ASKER: "Mara Lindqvist",
    LEAD: "Jonas Okafor",
    BOT: "Footnote",
    "C0HELP": "ask-policies",
    "C0LEADS": "support-leads",
}
ASKED_AT = datetime(2026, 11, 2, 10, 42, tzinfo=UTC)
SINCE = datetime(2026, 9, 1, tzinfo=UTC)

SALE = Citation(
    number=1,
    version_id=3,
    document="returns-policy",
    title="Returns policy",
    version=3,
    section=("Sale items",),
    page=None,
    start=0,
    end=66,
    quote="Items bought in a sale can be returned within 14 days of delivery.",
    effective_from=SINCE,
    link="https://handbook.example.com/returns",
)
FAULT = replace(
    SALE,
    number=2,
    section=("Faulty goods",),
    quote="After the return period we exchange faulty items only.",
)
BATTERY = replace(
    SALE,
    document="warranty-policy",
    title="Warranty",
    version=2,
    section=("Batteries",),
    quote="A battery that has lost more than 30% of its capacity within a year is replaced.",
    effective_from=datetime(2025, 2, 3, tzinfo=UTC),
    link=None,
)
QUESTION = "Can I return a sale item after three weeks?"
NO = "No. Sale items can be returned within 14 days of delivery."
THEN = "After that they can only be exchanged for a fault."
ANSWER = Answer(
    id="7f3a09c41b2e",
    question=QUESTION,
    route="policy",
    outcome="answered",
    text=f"{NO} {THEN}",
    claims=(Claim(NO, (SALE,)), Claim(THEN, (FAULT,))),
    seconds=0.031,
)
REFUSAL = Answer(
    id="0b12c3d4e5f6",
    question="Do you lend out tools?",
    route="policy",
    outcome="refused",
    text="",
    closest=BATTERY,
    seconds=0.027,
)
CLARIFYING = Answer(
    id="c1a0b2c3d4e5",
    question="How much leave do I get?",
    route="clarify",
    outcome="clarifying",
    text="Do you mean annual leave or parental leave?",
    choices=("Annual leave", "Parental leave"),
    seconds=0.004,
)


READ = (
    FileState(
        "returns-2026.pdf",
        "succeeded",
        report={
            "file": "returns-2026.pdf",
            "title": "Returns policy",
            "version": 4,
            "version_id": 7,
            "new_version": True,
            "chunks": 41,
            "embedded": 3,
            "effective_from": "2026-12-01T00:00:00+00:00",
            "hidden_characters": 0,
            "changes": [
                {"summary": "Sale items: 14 days → 30 days"},
                {"summary": "Faulty goods: reworded"},
            ],
            "sections_changed": 2,
            "warnings": ["1 of 13 pages is a picture without text and was left out: page 7"],
        },
    ),
    FileState("logo.exe.pdf", "failed", error="logo.exe.pdf is a Windows program, not a PDF."),
)
POLICIES = "214 policies"
STATES = ("complete", "complete", "in_progress")  # of the steps of an answer that takes longer


def answer() -> Surface:
    """An answer with its footnotes, in a thread."""
    return thread(QUESTION, render(ANSWER))


def refusal() -> Surface:
    """A refusal with the closest passage."""
    return thread(REFUSAL.question, render(REFUSAL))


def clarifying() -> Surface:
    """A question back, with what may be meant."""
    return thread(CLARIFYING.question, render(CLARIFYING))


def working() -> Surface:
    """What is seen while an answer is made."""
    return thread(QUESTION, ()) | {"status": "is searching 214 policies…"}


def streaming() -> Surface:
    """Steps and the first words of an answer that takes longer."""
    tasks = [
        {"type": "task_card", "task_id": name, "title": title, "status": status}
        for (name, title), status in zip(STEPS.items(), STATES, strict=True)
    ]
    titled = [task | {"title": task["title"].format(policies=POLICIES)} for task in tasks]
    post = {"text": "", "blocks": [*titled, {"type": "markdown", "text": NO}], "ts": _ts(1)}
    asked = thread(QUESTION, ())
    return asked | {"messages": [*asked["messages"], post]}


def failure() -> Surface:
    """What is told when an answer could not be finished."""
    return thread(QUESTION, render_failure("7f3a"))


def upload() -> Surface:
    """Files that somebody shared, and what became of them."""
    files = [
        {"name": "returns-2026.pdf", "pretty_type": "PDF", "size": 214_300},
        {"name": "logo.exe.pdf", "pretty_type": "PDF", "size": 88_100},
    ]
    shared = {"user": LEAD, "text": "The new wording", "files": files, "ts": _ts(0)}
    told = receipt(READ, (), "https://policies.example.com")
    return {"place": "Footnote", "messages": [shared, _post(told, 1)]}


def uploading() -> Surface:
    """The same while it is read."""
    reading = FileState("returns-2026.pdf", "running", done=12, total=41)
    told = receipt([reading], [Shared("F2", "logo.exe.pdf")], None)
    return {"place": "Footnote", "messages": [_post(told, 1)]}


def private() -> Surface:
    """An answer to a command, which only the asker sees."""
    posts = [_post(m, 0) | {"is_ephemeral": True} for m in render(ANSWER)]
    return {"place": "# ask-policies", "messages": posts}


SURFACES: dict[str, Callable[[], Surface]] = {
    "answer": answer,
    "refusal": refusal,
    "clarifying": clarifying,
    "working": working,
    "private": private,
    "streaming": streaming,
    "failure": failure,
    "upload": upload,
    "uploading": uploading,
}


def thread(question: str, messages: Sequence[Message]) -> dict[str, Any]:
    """Return a thread in which Mara asks and Footnote replies."""
    asked = {"user": ASKER, "text": f"<@{BOT}> {question}", "ts": _ts(0)}
    posts = [_post(message, 1) for message in messages]
    return {"thread": True, "place": "# ask-policies", "messages": [asked, *posts]}


def _post(message: Message, minutes: int) -> dict[str, Any]:
    return asdict(message) | {"ts": _ts(minutes)}


def _ts(minutes: int) -> str:
    return f"{ASKED_AT.timestamp() + 60 * minutes:.6f}"
