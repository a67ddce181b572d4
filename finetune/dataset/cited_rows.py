"""Rows that teach to answer from passages (raft) and to find them (pairs)."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from finetune.dataset.grounding import Grounded, grounded
from finetune.dataset.proposals import Proposal, Proposed
from finetune.dataset.voice_rows import register_of
from finetune.dataset.wanted import Wanted
from retrieval.raft import NO_ANSWER, fence_for, raft_messages
from retrieval.retriever import Retriever
from retrieval.voice import Message, with_marks
from store.answers import Answer
from store.transcripts import Transcript

NEGATIVES = 8  # of a pair, the nearest passages that do not say it
HISTORY = 6  # earlier turns that are shown with a question


def raft_rows(
    examples: Iterable[Transcript],
    wanted: Wanted,
    answers: dict[str, Answer],
    retriever: Retriever,
    as_of: datetime,
) -> Proposed:
    """Return a row for each reply that stands on passages: question, passages, cited reply.

    The passages beside the cited ones are those that the retriever ranked best of the rest. Their
    order, and in which rows the cited ones are left out, follow from the seed and the words.
    """
    made = Proposed()
    for example in examples:
        answer = answers.get(example.answer_id or "")
        for one in grounded(example, retriever, as_of, answer):
            if isinstance(one, str):
                made.left_out[f"raft: {one}"] += 1
            elif not one.others:
                made.left_out["raft: no other passage was found near"] += 1
            else:
                made.rows.append(_raft_row(example, one, wanted))
    return made


def _raft_row(example: Transcript, one: Grounded, wanted: Wanted) -> Proposal:
    asked, seed = one.exchange.asked, wanted.seed
    without = _share(seed, "without", asked, one.exchange.replied) < wanted.refusals
    count = wanted.distractors + (len(one.cited) if without else 0)
    shown = [*(() if without else one.cited), *one.others[:count]]
    order = sorted(range(len(shown)), key=lambda place: _share(seed, asked, shown[place]))
    numbers = {place: number for number, place in enumerate(order, start=1)}
    if without:
        reply = NO_ANSWER
    else:
        # The cited passages stand first in `shown`, so a sentence's place there is its own.
        reply = " ".join(
            sentence if cited is None else with_marks(sentence, [numbers[cited]])
            for sentence, cited in one.sentences
        )
    passages = [shown[place] for place in order]
    messages: list[Message] = raft_messages(
        asked,
        one.exchange.earlier[-HISTORY:],
        passages,
        fence=fence_for(passages, seed),
        register=register_of(example),
    )
    messages.append({"role": "assistant", "content": reply})
    content = {"messages": messages, "task": "raft"}
    said = (asked,) if without else (asked, one.exchange.replied)
    label = "cited passage left out" if without else f"cited passages: {len(one.cited)}"
    return Proposal(content, said, example, "raft", (label,))


def pair_rows(
    examples: Iterable[Transcript],
    wanted: Wanted,
    answers: dict[str, Answer],
    retriever: Retriever,
    as_of: datetime,
) -> Proposed:
    """Return a row for each question whose reply stands on passages, and near ones that do not."""
    del wanted
    made = Proposed()
    for example in examples:
        answer = answers.get(example.answer_id or "")
        for one in grounded(example, retriever, as_of, answer):
            if isinstance(one, str):
                made.left_out[f"pairs: {one}"] += 1
                continue
            content = {
                "question": one.exchange.asked,
                "history": [text for _, text in one.exchange.earlier[-HISTORY:]],
                "positives": list(one.cited),
                "negatives": list(one.others[:NEGATIVES]),
            }
            said = (one.exchange.asked, one.exchange.replied)
            made.rows.append(Proposal(content, said, example, "pair"))
    return made


def _share(*parts: int | str) -> float:
    """Return a number from 0 to 1 that depends on the parts alone: chance that can be repeated."""
    return int.from_bytes(_digest(parts)[:8], "big") / 2**64


def _digest(parts: Sequence[int | str]) -> bytes:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
