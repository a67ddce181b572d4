"""The invented case that the pictures of Slack tell of: who asks what, and what is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from bot.render import Message
from store.answers import Answer, Citation, Claim
from store.documents import Version

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

OLD_WORDS = """Returns policy

Items can be returned within 30 days of delivery, unused and in their packaging.

Sale items

Items bought in a sale can be returned within 14 days of delivery. An item counts as a sale item \
when it was reduced by 20% or more. The refund goes to the card that paid.

Faulty goods

After the return period we exchange faulty items only."""
SALE_WORDS = "Items bought in a sale can be returned within 14 days of delivery."
FAULT_WORDS = "After the return period we exchange faulty items only."
NEW_WORDS = OLD_WORDS.replace("within 14 days", "within 30 days")
QUOTED = Version(
    id=3,
    document_id=1,
    document_key="returns-policy",
    title="Returns policy",
    number=3,
    sha256="",
    text=OLD_WORDS,
    effective_from=SINCE,
    effective_to=None,
    owner="Customer Care",
    link="https://handbook.example.com/returns",
)
CHANGED_AT = datetime(2026, 11, 12, tzinfo=UTC)
REPLACED = replace(QUOTED, effective_to=CHANGED_AT)
CURRENT = replace(QUOTED, id=4, number=4, text=NEW_WORDS, effective_from=CHANGED_AT)

SALE = Citation(
    number=1,
    version_id=3,
    document="returns-policy",
    title="Returns policy",
    version=3,
    section=("Sale items",),
    page=None,
    start=OLD_WORDS.index(SALE_WORDS),
    end=OLD_WORDS.index(SALE_WORDS) + len(SALE_WORDS),
    quote=SALE_WORDS,
    effective_from=SINCE,
    link="https://handbook.example.com/returns",
)
FAULT = replace(
    SALE,
    number=2,
    section=("Faulty goods",),
    start=OLD_WORDS.index(FAULT_WORDS),
    end=OLD_WORDS.index(FAULT_WORDS) + len(FAULT_WORDS),
    quote=FAULT_WORDS,
)
NEW_QUOTE = replace(
    SALE,
    version_id=4,
    version=4,
    quote=SALE_WORDS.replace("14", "30"),
    effective_from=CHANGED_AT,
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
    text="I don't have a policy that answers this. Shall I ask #support-leads?",
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


def section_of(citation: Citation) -> tuple[int, int]:
    """Return where the section of a quote begins and ends in the old words."""
    headings = ["Returns policy", "Sale items", "Faulty goods"]
    marks = [OLD_WORDS.index(f"{heading}\n") for heading in headings] + [len(OLD_WORDS)]
    (name,) = citation.section
    n = headings.index(name)
    return marks[n] + len(name), marks[n + 1]


def thread(question: str, messages: Sequence[Message]) -> dict[str, Any]:
    """Return a thread in which Mara asks and Footnote replies."""
    asked = {"user": ASKER, "text": f"<@{BOT}> {question}", "ts": ts(0)}
    posts = [post(message, 1) for message in messages]
    return {"thread": True, "place": "# ask-policies", "messages": [asked, *posts]}


def post(message: Message, minutes: int) -> dict[str, Any]:
    """Return a message of the bot as it stands so many minutes after the question."""
    return asdict(message) | {"ts": ts(minutes)}


def ts(minutes: int) -> str:
    """Return the `ts` of a message so many minutes after the question."""
    return f"{ASKED_AT.timestamp() + 60 * minutes:.6f}"
