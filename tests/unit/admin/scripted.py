"""A page's surroundings without a database: scripted answers, and documents in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count

from core.errors import FootnoteError
from graph.state import Question
from store.answers import Answer, Citation, Claim
from store.documents import Block, Version

RETURNS_TEXT = """Returns policy

Items can be returned within 30 days of delivery.

Sale items

Items bought in a sale can be returned within 14 days of delivery. An item counts as a sale item \
when it was reduced by 20% or more.

Faulty goods

After the return period we exchange faulty items only."""

SALE_QUOTE = "Items bought in a sale can be returned within 14 days of delivery."
FAULTY_QUOTE = "After the return period we exchange faulty items only."


def version(
    text: str = RETURNS_TEXT, version_id: int = 1, title: str = "Returns policy", number: int = 3
) -> Version:
    """Return a version in force since 1 March 2025."""
    return Version(
        id=version_id,
        document_id=version_id,
        document_key=title.lower().replace(" ", "-"),
        title=title,
        number=number,
        sha256=sha256(text.encode()).hexdigest(),
        text=text,
        effective_from=datetime(2025, 3, 1, tzinfo=UTC),
        effective_to=None,
        owner="Customer Care",
        link=None,
    )


RETURNS = version()


def citation(quote: str, number: int, *section: str, of: Version = RETURNS) -> Citation:
    """Return a citation of the first place where `quote` stands in a version."""
    start = of.text.index(quote)
    return Citation(
        number=number,
        version_id=of.id,
        document=of.document_key,
        title=of.title,
        version=of.number,
        section=section,
        page=None,
        start=start,
        end=start + len(quote),
        quote=quote,
        effective_from=of.effective_from,
        effective_to=of.effective_to,
        link=of.link,
    )


NO = "No. Sale items can be returned within 14 days of delivery."
FAULT = "After that they can only be exchanged for a fault."
SALE_ANSWER = Answer(
    id="7f3a",
    question="",
    route="policy",
    outcome="answered",
    text=f"{NO} {FAULT}",
    claims=(
        Claim(NO, (citation(SALE_QUOTE, 1, "Sale items"),)),
        Claim(FAULT, (citation(FAULTY_QUOTE, 2, "Faulty goods"),)),
    ),
    seconds=0.031,
)
REFUSAL = Answer(
    id="0b12",
    question="",
    route="policy",
    outcome="refused",
    text="I don't have a policy that answers this.",
    closest=citation(FAULTY_QUOTE, 1, "Faulty goods"),
    seconds=0.027,
)
CLARIFYING = Answer(
    id="c1a0",
    question="",
    route="clarify",
    outcome="clarifying",
    text="Do you mean annual leave or parental leave?",
    choices=("Annual leave", "Parental leave"),
    seconds=0.004,
)


@dataclass
class ScriptedAnswerer:
    """Answers by what the question contains, with the first script that fits; keeps what it got.

    A script that is an exception is raised. A known `event_key` gives the first answer again, as
    the agent does.
    """

    scripts: Sequence[tuple[str, Answer | Exception]] = ()
    otherwise: Answer = REFUSAL
    questions: list[Question] = field(default_factory=list)
    _given: dict[str | None, Answer] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def answer(self, question: Question) -> Answer:
        """Return the scripted answer to a question, under an id of its own."""
        self.questions.append(question)
        if question.event_key in self._given:
            return self._given[question.event_key]
        fitting = (script for part, script in self.scripts if part in question.text)
        script = next(fitting, self.otherwise)
        if isinstance(script, Exception):
            raise script
        answer = replace(script, id=f"{script.id}{next(self._ids)}", question=question.text)
        if question.event_key:
            self._given[question.event_key] = answer
        return answer


@dataclass(frozen=True)
class InMemoryDocuments:
    """Documents that are all in force."""

    versions: tuple[Version, ...] = (RETURNS,)

    def version(self, version_id: int) -> Version | None:
        """Return the version with this id."""
        return next((one for one in self.versions if one.id == version_id), None)

    def in_force(self) -> Sequence[Version]:
        """Return all versions."""
        return self.versions


@dataclass(frozen=True)
class DocumentsWithBlocks(InMemoryDocuments):
    """Documents that know their blocks."""

    laid_out: tuple[Block, ...] = ()

    def blocks(self, version_id: int) -> Sequence[Block]:
        """Return the blocks given, whatever the version."""
        return self.laid_out


class OutOfOrderError(FootnoteError):
    """A failure with a sentence for the person."""
