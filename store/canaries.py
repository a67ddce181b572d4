"""What a model on trial did, beside what answered the other conversations in the same time."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from store.model_registry import ModelKind


@dataclass(frozen=True)
class Trial:
    """Counts of answers: all, by what became of their styling, refusals, hand-overs, thumbs.

    `conversations` are those that the answers belong to.
    """

    answers: int = 0
    conversations: int = 0
    facts_changed: int = 0
    failed: int = 0
    refused: int = 0
    handed_over: int = 0
    rated: int = 0
    disliked: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON types."""
        return asdict(self)


FIGURES = """
SELECT (a.trace -> 'models' ->> :kind) = CAST(:model_id AS text) AS its, count(*) AS answers,
       count(DISTINCT t.conversation_id) AS conversations,
       count(*) FILTER (WHERE a.style_outcome = 'facts_changed') AS facts_changed,
       count(*) FILTER (WHERE a.style_outcome = 'failed') AS failed,
       count(*) FILTER (WHERE a.outcome = 'refused') AS refused,
       count(*) FILTER (WHERE a.outcome = 'escalated') AS handed_over,
       count(f.up) AS rated, count(*) FILTER (WHERE NOT f.up) AS disliked
FROM answers a
LEFT JOIN turns t ON t.id = a.turn_id
LEFT JOIN LATERAL (
    SELECT min(rating) > 0 AS up FROM feedback WHERE answer_id = a.id HAVING count(*) > 0
) f ON true
WHERE a.workspace_id = :workspace_id AND a.created_at >= :since
  AND (a.route IN ('policy', 'small_talk') OR :kind <> 'style')
  AND ((a.trace -> 'models' ->> :kind) = CAST(:model_id AS text)
       OR (a.trace -> 'models' ->> :kind) IS NOT DISTINCT FROM CAST(:other_id AS text))
GROUP BY 1
"""


def trial_figures(
    engine: Engine,
    workspace_id: int,
    kind: ModelKind,
    model_id: int,
    other_id: int | None,
    since: datetime,
) -> tuple[Trial, Trial]:
    """Return what a model did since then, and what the other one did (None: no model at all)."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(FIGURES),
            {
                "workspace_id": workspace_id,
                "kind": kind,
                "model_id": model_id,
                "other_id": other_id,
                "since": since,
            },
        ).all()
    found = {bool(row.its): Trial(*row[1:]) for row in rows}
    return found.get(True, Trial()), found.get(False, Trial())
