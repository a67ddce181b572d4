"""What the team said to whom, as approved examples: shown to a model for its tone."""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from store.access import Access


@dataclass(frozen=True)
class ToneExample:
    """A message and the team's reply to it, redacted and approved.

    `audience` are the principals that may see it. It is the same example while `id` and
    `revision` are.
    """

    id: int
    revision: int
    asked: str
    replied: str
    audience: frozenset[str]

    def may_be_shown(self, access: Access) -> bool:
        """Whether the asker and everybody in the place may see it."""
        return bool(self.audience & access.asker) and bool(self.audience & access.place)


def tone_examples(engine: Engine, workspace_id: int, limit: int) -> list[ToneExample]:
    """Return the first exchange of the latest approved transcripts, the latest first.

    Those that only curators may see are left out: nobody else could be shown what came of them.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, revision, coalesce(edited, redacted) AS words, audience"
                " FROM transcripts WHERE workspace_id = :workspace_id AND state = 'approved'"
                " AND audience <> '{}' ORDER BY id DESC LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "limit": limit},
        ).all()
    examples = []
    for row in rows:
        exchange = _first_exchange(row.words or [])
        if exchange is not None:
            asked, replied = exchange
            audience = frozenset(row.audience)
            examples.append(ToneExample(row.id, row.revision, asked, replied, audience))
    return examples


def _first_exchange(words: list[dict[str, str]]) -> tuple[str, str] | None:
    """Return the first message of an asker that the team replied to, and the reply."""
    asked = None
    for said in words:
        if said["role"] == "asker":
            asked = said["text"]
        elif asked is not None:
            return asked, said["text"]
    return None
