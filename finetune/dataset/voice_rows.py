"""Rows for the team's voice: small talk, rewritten drafts, and what was preferred to what.

A model that speaks for the team may not know facts by heart. So a reply that states what only a
cited answer may is not learned from, nor does it stand before one that is; and a draft that was
bettered is learned from only where both say the same.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from finetune.dataset.grounding import rewordings
from finetune.dataset.proposals import Exchange, Proposal, Proposed, Turn, exchanges, has_words
from finetune.dataset.wanted import Canned, Wanted
from retrieval.retriever import Retriever
from retrieval.sentences import split
from retrieval.voice import (
    Message,
    Register,
    changed_facts,
    marks,
    numbered,
    policy_facts,
    style_messages,
    tone_messages,
    with_marks,
)
from store.transcripts import Said, Transcript

MARKS = re.compile(r"[\s.,;:'\"’“”-]+")
EXCHANGES = 4  # of a row at most: a reply is asked for with about two before it


def voice_rows(
    examples: Iterable[Transcript],
    wanted: Wanted,
    retriever: Retriever | None = None,
    as_of: datetime | None = None,
) -> Proposed:
    """Return rows of the format sft.

    With a retriever, also what documents say in the words that the team found for it.
    """
    made = Proposed()
    for example in examples:
        _tone_rows(example, wanted.canned, made)
        _style_row(example, made)
        if retriever is not None and as_of is not None and not is_the_bots(example):
            for said, reworded in rewordings(example, retriever, as_of):
                _rewritten(example, said, reworded, "reworded", made)
    return made


def preference_rows(examples: Iterable[Transcript], wanted: Wanted) -> Proposed:
    """Return rows of the format dpo: what a curator or a person said in place of what."""
    del wanted
    made = Proposed()
    for example in examples:
        _edit_rows(example, made)
        _bettered_row(example, made)
    return made


def register_of(example: Transcript) -> Register:
    """Return how the team spoke, by what curators said of the asker."""
    sentiment = example.labels.get("sentiment")
    if sentiment in ("upset", "worried"):
        return "calm"
    if example.labels.get("urgency") == "high":
        return "brief"
    return "warm" if sentiment == "pleased" else "plain"


def _tone_rows(example: Transcript, canned: Canned, made: Proposed) -> None:
    """Propose a row for each run of exchanges in which the team stated no facts."""
    if is_the_bots(example):
        made.left_out["tone: the words are the bot's own"] += 1
        return
    run: list[Exchange] = []
    for one in exchanges(example.words):
        unfit = _unfit(one, canned)
        if unfit is not None:
            made.left_out[f"tone: {unfit}"] += 1
        if run and (unfit is not None or len(run) == EXCHANGES):
            made.rows.append(_tone_row(example, run))
            run = []
        if unfit is None:
            run.append(one)
    if run:
        made.rows.append(_tone_row(example, run))


def _unfit(one: Exchange, canned: Canned) -> str | None:
    if canned == "drop" and one.canned:
        return "it is a suggestion sent as it stood"
    if canned == "only" and not one.canned:
        return "it is in a person's own words"
    if not has_words(one.asked):
        return "what was asked is a placeholder alone"
    if not has_words(one.replied):
        return "the reply says nothing in words"
    return policy_facts(one.replied)


def _tone_row(example: Transcript, run: Sequence[Exchange]) -> Proposal:
    turns: list[Turn] = []
    for one in run:
        turns += [("asker", one.asked), ("team", one.replied)]
    messages = tone_messages(turns, register_of(example))
    labels = [f"reply: {'canned' if one.canned else 'own words'}" for one in run]
    said = tuple(text for _, text in turns)
    content = {"messages": messages, "task": "tone"}
    return Proposal(content, said, example, "tone", tuple(labels))


def _style_row(example: Transcript, made: Proposed) -> None:
    """Propose the draft with the words that were better, where both state the same."""
    pair = bettered(example)
    if pair is not None:
        _rewritten(example, *pair, "style", made)


def _rewritten(example: Transcript, draft: str, better: str, source: str, made: Proposed) -> None:
    lines = aligned(draft, better)
    if isinstance(lines, str):
        made.left_out[f"{source}: {lines}"] += 1
        return
    before, after = lines
    messages: list[Message] = style_messages(before, register_of(example))
    messages.append({"role": "assistant", "content": numbered(after)})
    content = {"messages": messages, "task": "style"}
    made.rows.append(Proposal(content, (*before, *after), example, source))


def _bettered_row(example: Transcript, made: Proposed) -> None:
    pair = bettered(example)
    if pair is None:
        return
    lines = aligned(*pair)
    if isinstance(lines, str):
        made.left_out[f"bettered: {lines}"] += 1
        return
    draft, better = lines
    content = {
        "prompt": style_messages(draft, register_of(example)),
        "chosen": numbered(better),
        "rejected": numbered(draft),
        "task": "style",
    }
    made.rows.append(Proposal(content, (*draft, *better), example, "bettered"))


def _edit_rows(example: Transcript, made: Proposed) -> None:
    """Propose each reply that a curator reworded, against what it was."""
    if example.edited is None or example.redacted is None or _is_drafted(example):
        return
    before, after = exchanges(example.redacted), exchanges(example.edited)
    if len(before) != len(after):
        made.left_out["edit: messages were added or taken out"] += 1
        return
    for old, new in zip(before, after, strict=True):
        if _same(old.replied, new.replied):
            continue
        unfit = _unfit(new, "keep")
        if unfit is not None:
            made.left_out[f"edit: {unfit}"] += 1
            continue
        turns: list[Turn] = [*new.earlier, ("asker", new.asked)]
        content: dict[str, Any] = {
            "prompt": tone_messages(_without_facts(turns), register_of(example)),
            "chosen": new.replied,
            "rejected": old.replied,
            "task": "tone",
        }
        said = (new.asked, new.replied, old.replied)
        made.rows.append(Proposal(content, said, example, "edit"))


def _without_facts(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns behind the last reply that states facts."""
    for place in range(len(turns) - 1, -1, -1):
        role, text = turns[place]
        if role == "team" and policy_facts(text) is not None:
            return list(turns[place + 1 :])
    return list(turns)


def bettered(example: Transcript) -> tuple[str, str] | None:
    """Return the bot's draft and the words that should have stood in its place, if both exist.

    A draft is what somebody disliked, or a reply of the bot that a curator reworded.
    """
    replies = _replies(example.words)
    if not replies:
        return None
    if example.disliked:
        return example.disliked, replies[-1]
    if _is_drafted(example):
        drafts = _replies(example.redacted or ())
        if drafts and not _same(drafts[-1], replies[-1]):
            return drafts[-1], replies[-1]
    return None


def is_the_bots(example: Transcript) -> bool:
    """Whether the words in the team's place are the bot's, as it answered.

    They may be learned to cite from; the team's voice they are not.
    """
    return _is_about_an_answer(example) and example.edited is None


def _is_drafted(example: Transcript) -> bool:
    """Whether a curator reworded what the bot answered."""
    return _is_about_an_answer(example) and example.edited is not None


def _is_about_an_answer(example: Transcript) -> bool:
    return (
        example.answer_id is not None
        and example.origin in ("shortcut", "feedback")
        and not example.people
        and not example.disliked
    )


def _replies(words: Sequence[Said]) -> list[str]:
    return [said.text for said in words if said.role == "team" and said.text.strip()]


def aligned(draft: str, better: str) -> tuple[list[str], list[str]] | str:
    """Return both as as many sentences, each with its mark; or why they are no pair.

    Where the sentences do not answer to each other one by one, all of each is one line: an
    answer's claim may be several sentences too.
    """
    if _same(draft, better):
        return "both are the same words"
    if marks(draft) or marks(better):
        return "they hold marks like [1] of their own"
    old, new = _sentences(draft), _sentences(better)
    whole = ([" ".join(old)], [" ".join(new)])
    changed = None
    for before, after in ([(old, new)] if len(old) == len(new) else []) + [whole]:
        marked = (_marked(before), _marked(after))
        changed = changed_facts(*marked)
        if changed is None:
            return marked
    return f"the better words differ: {changed}"


def _sentences(text: str) -> list[str]:
    return [" ".join(text[start:end].split()) for start, end in split(text)]


def _marked(sentences: Sequence[str]) -> list[str]:
    return [with_marks(one, [number]) for number, one in enumerate(sentences, start=1)]


def _same(one: str, other: str) -> bool:
    """Whether two texts differ in case, spacing and plain marks at most."""
    return MARKS.sub("", one.casefold()) == MARKS.sub("", other.casefold())
