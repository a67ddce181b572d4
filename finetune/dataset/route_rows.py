"""Rows for a router: the first message of each conversation with what curators said of it."""

from collections.abc import Iterable

from finetune.dataset.proposals import Problem, Proposal, Proposed, exchanges
from finetune.dataset.wanted import Wanted
from finetune.labels import CHOICES
from store.answers import Answer
from store.transcripts import Transcript

KNOWN: dict[str, tuple[str, ...] | None] = {
    "route": CHOICES["route"],
    "sentiment": CHOICES["sentiment"],
    "intent": None,  # a team's own
}
"""The heads of a router, and the labels that each knows."""


def route_rows(
    examples: Iterable[Transcript], wanted: Wanted, answers: dict[str, Answer]
) -> Proposed:
    """Return rows of the format routes, one for each label that a head learns.

    Where the bot took another route than the label says, the row counts as corrected.
    """
    del wanted
    made = Proposed()
    for example in examples:
        asked = exchanges(example.words)[0].asked
        before = len(made.rows)
        for head, known in KNOWN.items():
            label = example.labels.get(head)
            if label is None or label == "":
                continue
            if known is not None and label not in known:
                made.problems.append(
                    Problem(
                        example.id,
                        f"has the {head} {label}",
                        f"label it with one of {', '.join(known)}",
                    )
                )
                continue
            answer = answers.get(example.answer_id or "")
            corrected = head == "route" and answer is not None and answer.route != label
            content = {"text": asked, "history": [], "label": str(label), "head": head}
            made.rows.append(
                Proposal(
                    content,
                    (asked,),
                    example,
                    "corrected" if corrected else "labelled",
                    (f"{head}: {label}",),
                )
            )
        if len(made.rows) == before:
            made.left_out["routes: it has no label"] += 1
    return made
