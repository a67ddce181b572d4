"""Answers with their claims and citations: one shape for the trace, `--json`, Slack and pages."""

import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, text

from store import tables
from store.access import Access

Route = Literal["policy", "small_talk", "human", "out_of_scope", "clarify"]
Outcome = Literal["answered", "refused", "clarifying", "escalated", "error"]
StyleOutcome = Literal["styled", "facts_changed", "failed"]


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
    style_outcome: StyleOutcome | None = None  # where a style model was asked

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


def new_answer_id() -> str:
    """Return a random id (12 hex digits): short enough to type, too long to guess."""
    return secrets.token_hex(6)


def save_answer(
    connection: Connection,
    workspace_id: int,
    answer: Answer,
    *,
    turn_id: int | None,
    as_of: datetime | None,
    user_id: str | None = None,
    access: Access | None = None,
) -> None:
    """Insert an answer with its claims and citations."""
    connection.execute(
        insert(tables.answers).values(
            id=answer.id,
            workspace_id=workspace_id,
            turn_id=turn_id,
            question=answer.question,
            route=answer.route,
            outcome=answer.outcome,
            text=answer.text,
            note=answer.note,
            reference=answer.reference,
            choices=list(answer.choices),
            as_of=as_of,
            seconds=answer.seconds,
            trace=answer.trace,
            style_outcome=answer.style_outcome,
            user_id=user_id,
            asker=sorted(access.asker) if access else [],
            place=sorted(access.place) if access else [],
            scope=access.scope.to_json() if access and access.scope else None,
        )
    )
    for ordinal, claim in enumerate(answer.claims):
        claim_id = connection.execute(
            insert(tables.claims)
            .values(answer_id=answer.id, ordinal=ordinal, text=claim.text)
            .returning(tables.claims.c.id)
        ).scalar_one()
        for citation in claim.citations:
            _insert_citation(connection, answer.id, claim_id, citation)
    if answer.closest is not None:
        _insert_citation(connection, answer.id, None, answer.closest)


def _insert_citation(
    connection: Connection, answer_id: str, claim_id: int | None, citation: Citation
) -> None:
    connection.execute(
        insert(tables.citations).values(
            answer_id=answer_id,
            claim_id=claim_id,
            number=citation.number,
            version_id=citation.version_id,
            start_offset=citation.start,
            end_offset=citation.end,
            quote=citation.quote,
            section=list(citation.section),
            page=citation.page,
            link=citation.link,
        )
    )


def find_answer(connection: Connection, workspace_id: int, answer_id: str) -> Answer | None:
    """Return a kept answer with everything it quoted, or None."""
    row = connection.execute(
        text("SELECT * FROM answers WHERE workspace_id = :workspace_id AND id = :id"),
        {"workspace_id": workspace_id, "id": answer_id},
    ).one_or_none()
    if row is None:
        return None
    cited: dict[int | None, list[Citation]] = defaultdict(list)
    for citation in connection.execute(text(CITATIONS), {"id": answer_id}):
        cited[citation.claim_id].append(_citation(citation))
    claims = connection.execute(
        text("SELECT id, text FROM claims WHERE answer_id = :id ORDER BY ordinal"),
        {"id": answer_id},
    )
    return Answer(
        id=row.id,
        question=row.question,
        route=row.route,
        outcome=row.outcome,
        text=row.text,
        claims=tuple(Claim(claim.text, tuple(cited[claim.id])) for claim in claims),
        closest=next(iter(cited[None]), None),
        choices=tuple(row.choices),
        note=row.note,
        reference=row.reference,
        seconds=row.seconds,
        trace=row.trace,
        style_outcome=row.style_outcome,
    )


CITATIONS = """
    SELECT c.*, v.title, v.number AS version, v.effective_from, v.effective_to,
           d.key AS document
    FROM citations c
    JOIN document_versions v ON v.id = c.version_id
    JOIN documents d ON d.id = v.document_id
    WHERE c.answer_id = :id ORDER BY c.id
"""


def _citation(row: Any) -> Citation:
    return Citation(
        number=row.number,
        version_id=row.version_id,
        document=row.document,
        title=row.title,
        version=row.version,
        section=tuple(row.section),
        page=row.page,
        start=row.start_offset,
        end=row.end_offset,
        quote=row.quote,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        link=row.link,
    )
