"""Answers that are kept, with quotes from documents on a shelf."""

from collections.abc import Sequence

from store.access import OPERATOR_ACCESS, Access
from store.answers import Answer, Citation, Claim, new_answer_id, save_answer
from tests.integration.store.shelf import Shelf, day

QUESTION = "Can I return a sale item after three weeks?"
WORDS = "Items bought in a sale can be returned within 14 days."


def kept_answer(
    shelf: Shelf,
    *,
    user_id: str | None = None,
    access: Access = OPERATOR_ACCESS,
    document: str = "returns",
    audience: Sequence[str] | None = None,
    turn_id: int | None = None,
    words: str = WORDS,
) -> Answer:
    """Keep an answer with one claim that quotes a document, which is published for it."""
    published = shelf.publish(document, [words], audience=audience)
    citation = Citation(
        number=1,
        version_id=published.version_id,
        document=document,
        title=document.title(),
        version=published.number,
        section=("Sale",),
        page=None,
        start=0,
        end=len(words),
        quote=words,
        effective_from=day("2026-01-01"),
    )
    claim = Claim(f"Yes: {words}", (citation,))
    answer = Answer(new_answer_id(), QUESTION, "policy", "answered", claim.text, (claim,))
    with shelf.engine.begin() as connection:
        save_answer(
            connection,
            shelf.workspace_id,
            answer,
            turn_id=turn_id,
            as_of=None,
            user_id=user_id,
            access=access,
        )
    return answer
