"""From what people say of answers to questions that `footnote eval` reads."""

from collections.abc import Iterable, Sequence
from typing import Any

from retrieval.quotes import locate, unsupported_reason
from retrieval.sentences import split
from store.conversations import Turn
from store.documents import Version
from store.feedback import Feedback

LEAST_WORDS = 4  # of a sentence that can be found again: "Yes." stands everywhere


def question_of(
    feedback: Feedback, history: Sequence[Turn], versions: Iterable[Version]
) -> dict[str, Any]:
    """Return feedback as a row of a questions file, with what the answer should have said.

    The gold words are those of a document in force that stand in what it should have said; else,
    where something was only missing, the answer's first quote; else none: such a question counts
    for answers, not for retrieval. Every one is held to be answerable, since somebody says so.
    """
    better = feedback.opinion.better
    document, quote = _gold(better, versions) if better else (None, None)
    if quote is None and feedback.opinion.reason == "incomplete" and feedback.quoted:
        first = feedback.quoted[0]
        document, quote = first.document, first.quote
    return {
        "id": f"feedback-{feedback.answer_id}<::>{feedback.user_id}",
        "question": feedback.question,
        "history": [
            {"role": "customer" if turn.role == "asker" else "agent", "text": turn.text}
            for turn in history
        ],
        "answerable": True,
        "doc": document,
        "quote": quote,
        "answer": better,
        "reason": feedback.opinion.reason,
        "comment": feedback.opinion.comment,
        "said": feedback.answer,
    }


def _gold(better: str, versions: Iterable[Version]) -> tuple[str | None, str | None]:
    """Return document and words in force that say the same as a sentence of a better answer."""
    kept = list(versions)
    sentences = [better[start:end] for start, end in split(better)]
    for words in sentences:
        for version in kept if len(words.split()) >= LEAST_WORDS else ():
            span = locate(words, version.text)
            found = version.text[span.start : span.end] if span else None
            if found is not None and unsupported_reason(words, [found]) is None:
                return version.document_key, found
    return None, None
