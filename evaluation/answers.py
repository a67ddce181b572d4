"""Answers on a set: do quotes verify, do they overlap the gold words, are refusals right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from evaluation.cases import Dataset
from evaluation.corpus import find_gold
from evaluation.statistics import Share, percentile, share
from graph.graph import Agent
from graph.state import Question
from store.answers import Answer, Citation
from store.documents import Version, read_versions

COVERS = 0.5  # of the gold span, that quotes must cover to count as covering it


@dataclass(frozen=True)
class AnswerReport:
    """Shares over the cases they are about; `quotes_verified` is over citations."""

    quotes_verified: Share
    answered_answerable: Share
    overlaps_gold: Share
    covers_gold: Share
    refused_answerable: Share
    refused_unanswerable: Share
    outcomes: dict[str, int]
    seconds_p50: float
    seconds_p99: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        shares = {
            name: value.to_json() for name, value in vars(self).items() if isinstance(value, Share)
        }
        return shares | {
            "outcomes": self.outcomes,
            "seconds_p50": round(self.seconds_p50, 4),
            "seconds_p99": round(self.seconds_p99, 4),
        }


@dataclass
class _Row:
    group: str
    answerable: bool
    answer: Answer
    overlap: float | None  # share of the gold span covered; None where there is no gold


def evaluate_answers(
    dataset: Dataset,
    agent: Agent,
    engine: Engine,
    workspace_id: int,
    versions: dict[str, Version],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> AnswerReport:
    """Ask every case through the agent and return what came of it."""
    rows = []
    for number, case in enumerate(dataset.cases, start=1):
        answer = agent.answer(Question(text=case.question, history=case.history))
        gold = find_gold(case, versions) if case.answerable else None
        overlap = None
        if gold is not None:
            covered = _covered(answer, gold.document, gold.span.start, gold.span.end)
            overlap = covered / (gold.span.end - gold.span.start)
        rows.append(_Row(case.group, case.answerable, answer, overlap))
        progress(number, len(dataset.cases))
    return _report(rows, engine, workspace_id)


def _covered(answer: Answer, document: str, start: int, end: int) -> int:
    """Return how many code points of the gold span the answer's quotes cover."""
    covered: set[int] = set()
    for citation in answer.citations:
        if citation.document == document:
            covered.update(range(max(start, citation.start), min(end, citation.end)))
    return len(covered)


def _report(rows: list[_Row], engine: Engine, workspace_id: int) -> AnswerReport:
    answerable = [row for row in rows if row.answerable]
    with_gold = [row for row in rows if row.overlap is not None]
    unanswerable = [row for row in rows if not row.answerable]
    cited = [(row.group, citation) for row in rows for citation in row.answer.citations]
    texts = {
        version.id: version.text
        for version in read_versions(engine, workspace_id, {c.version_id for _, c in cited})
    }
    outcomes: dict[str, int] = {}
    for row in rows:
        name = f"{row.answer.route}/{row.answer.outcome}"
        outcomes[name] = outcomes.get(name, 0) + 1
    seconds = [row.answer.seconds for row in rows]
    return AnswerReport(
        quotes_verified=share([g for g, _ in cited], [_verifies(c, texts) for _, c in cited]),
        answered_answerable=_share(answerable, lambda row: row.answer.outcome == "answered"),
        overlaps_gold=_share(with_gold, lambda row: (row.overlap or 0) > 0),
        covers_gold=_share(with_gold, lambda row: (row.overlap or 0) >= COVERS),
        refused_answerable=_share(answerable, lambda row: row.answer.outcome == "refused"),
        refused_unanswerable=_share(
            unanswerable, lambda row: row.answer.outcome not in {"answered", "error"}
        ),
        outcomes=outcomes,
        seconds_p50=percentile(seconds, 50),
        seconds_p99=percentile(seconds, 99),
    )


def _verifies(citation: Citation, texts: dict[int, str]) -> bool:
    return texts[citation.version_id][citation.start : citation.end] == citation.quote


def _share(rows: list[_Row], test: Callable[[_Row], bool]) -> Share:
    return share([row.group for row in rows], [test(row) for row in rows])
