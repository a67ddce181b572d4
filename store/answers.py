"""Answers with their claims and citations: one shape for the trace, `--json`, Slack and pages."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Route = Literal["policy", "small_talk", "human", "out_of_scope", "clarify"]
Outcome = Literal["answered", "refused", "clarifying", "escalated", "error"]


@dataclass(frozen=True)
class Citation:
    """Words of one version: accepted only where `version.text[start:end] == quote`.

    `number` is the footnote's, from 1, in order of first use; `start`/`end` are code points.
    """

    number: int
    version_id: int
    document: str  # the document's stable key
    title: str
    version: int
    section: tuple[str, ...]
    page: int | None
    start: int
    end: int
    quote: str
    effective_from: datetime
    effective_to: datetime | None = None
    link: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the citation as JSON types; `section` is the path joined by ` › `."""
        return {
            "number": self.number,
            "document": self.document,
            "title": self.title,
            "version": self.version,
            "section": " › ".join(self.section),
            "page": self.page,
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
            "effective_from": self.effective_from.isoformat(),
            "effective_to": self.effective_to.isoformat() if self.effective_to else None,
            "link": self.link,
        }


@dataclass(frozen=True)
class Claim:
    """A sentence of an answer with the citations that support it."""

    text: str
    citations: tuple[Citation, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the claim as JSON types."""
        return {"text": self.text, "citations": [c.to_json() for c in self.citations]}


@dataclass(frozen=True)
class Answer:
    """What a person gets for one message, and the trace of how it came about.

    `text` has no footnote marks; they follow from the claims' citations. `closest` is what a
    refusal points to. `choices` are the options of a clarifying question.
    """

    id: str
    question: str
    route: Route
    outcome: Outcome
    text: str
    claims: tuple[Claim, ...] = ()
    closest: Citation | None = None
    choices: tuple[str, ...] = ()
    note: str | None = None  # e.g. why an extractive answer stands where a model's was expected
    reference: str | None = None  # of an error, to find it in the log
    seconds: float = 0.0
    trace: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every distinct citation in order of its number."""
        by_number = {c.number: c for claim in self.claims for c in claim.citations}
        return tuple(by_number[n] for n in sorted(by_number))

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON types: the schema of `ask --json`."""
        return {
            "id": self.id,
            "question": self.question,
            "route": self.route,
            "outcome": self.outcome,
            "answer": self.text,
            "claims": [claim.to_json() for claim in self.claims],
            "closest": self.closest.to_json() if self.closest else None,
            "choices": list(self.choices),
            "note": self.note,
            "reference": self.reference,
            "seconds": round(self.seconds, 4),
        }
