"""Answers given in the midst of a history of revisions: is each change of their words told, and
nothing else?

Half of the revisions are published, questions are asked of what is in force then, and the rest
follows, with a recheck after each. A judge that knows no rules looks at every answer whose
document changed: an alarm is right if a sentence that it quoted is one nowhere any more, letter
for letter but for case, white space and signs. Silence is right while all of them are; where
some are not, the question is asked again, and the silence counts as missed unless the new quotes
hold the same letters but for a few.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein
from sqlalchemy import Engine

from evaluation.revisions import Revision
from evaluation.statistics import Share, share
from graph.graph import Agent
from graph.recheck import recheck
from graph.state import Question
from ingestion.ingest import Given, Ingester, media_type
from retrieval.sentences import split
from store.access import OPERATOR_ACCESS
from store.answers import Answer
from store.corrections import changes_since
from store.documents import Version
from store.posts import NewPost, add_post, mark_posted, post_with_key
from store.publish import File
from store.rechecks import Asked, due_answers, read_asked
from store.search import versions_in_force

QUESTIONS = 150
LEAST_WORDS, MOST_WORDS = 6, 40  # of a sentence that is asked about
FEW_LETTERS = 3  # that two quotes may differ by and still be taken for one
ASKER = "judge"
SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)|\n+")


@dataclass(frozen=True)
class Judged:
    """What was done about an answer whose document changed, and whether that was right."""

    document: str
    question: str
    told: bool
    right: bool
    broken: tuple[str, ...] = ()  # quotes that stand nowhere any more
    changes: tuple[tuple[str, str | None], ...] = ()  # as they were told

    def to_json(self) -> dict[str, Any]:
        """Return what was judged as JSON types."""
        return {
            "document": self.document,
            "question": self.question,
            "told": self.told,
            "right": self.right,
            "broken": list(self.broken),
            "changes": [{"old": old, "new": new} for old, new in self.changes],
        }


@dataclass
class CorrectionsReport:
    """What came of all rechecks; shares are over answers whose document changed, each time."""

    revisions: int = 0
    asked: int = 0
    answered: int = 0
    asked_again: int = 0
    judged: list[Judged] = field(default_factory=list)

    @property
    def alarms(self) -> list[Judged]:
        """The corrections that were told."""
        return [one for one in self.judged if one.told]

    @property
    def silences(self) -> list[Judged]:
        """The changes that were not."""
        return [one for one in self.judged if not one.told]

    def shares(self) -> dict[str, Share]:
        """Return the shares by name."""
        broken = [one for one in self.judged if one.broken]
        return {
            "corrections that were right": _right(self.alarms),
            "silences that were right": _right(self.silences),
            "changed words that were told": share(
                [one.document for one in broken], [one.told or one.right for one in broken]
            ),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types, with each judgement that went against us."""
        return {
            "revisions": self.revisions,
            "asked": self.asked,
            "answered": self.answered,
            "rechecked": len(self.judged),
            "asked_again": self.asked_again,
            "corrections": len(self.alarms),
            "wrong_corrections": sum(not one.right for one in self.alarms),
            "missed": sum(not one.right for one in self.silences),
            "judged": [one.to_json() for one in self.judged],
            **{name: value.to_json() for name, value in self.shares().items()},
        }


def _right(judged: list[Judged]) -> Share:
    return share([one.document for one in judged], [one.right for one in judged])


def evaluate_corrections(
    revisions: list[Revision],
    ingester: Ingester,
    agent: Agent,
    *,
    questions: int = QUESTIONS,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CorrectionsReport:
    """Publish half of the revisions, ask, publish the rest; recheck and judge after each."""
    report = CorrectionsReport(revisions=len(revisions))
    middle = len(revisions) // 2
    for number, revision in enumerate(revisions, start=1):
        _publish(ingester, revision)
        if number == middle:
            _ask(report, ingester, agent, questions)
        elif number > middle:
            for answer_id in due_answers(ingester.engine, ingester.workspace_id, limit=10_000):
                _recheck(report, ingester, agent, answer_id)
        progress(number, len(revisions))
    return report


def _publish(ingester: Ingester, revision: Revision) -> None:
    name = revision.path.name
    file = File(name, media_type(name), revision.path.read_bytes())
    given = Given(document=revision.document, effective_from=revision.at)
    ingester.ingest(file, given=given)


def _ask(report: CorrectionsReport, ingester: Ingester, agent: Agent, questions: int) -> None:
    """Ask about sentences from all over what is in force, as if in a channel."""
    sentences = [
        sentence for version in _in_force(ingester) for sentence in _sentences(version.text)
    ]
    step = max(len(sentences) / max(questions, 1), 1.0)
    for number in range(min(questions, len(sentences))):
        question = f"What is the rule: {sentences[int(number * step)]}?"
        answer = agent.answer(Question(question, conversation=f"judge:{number}", user_id=ASKER))
        report.asked += 1
        if answer.outcome == "answered":
            report.answered += 1
            _show(ingester.engine, ingester.workspace_id, answer)


def _in_force(ingester: Ingester) -> list[Version]:
    with ingester.engine.connect() as connection:
        now = connection.exec_driver_sql("SELECT now()").scalar_one()
    return versions_in_force(ingester.engine, ingester.workspace_id, OPERATOR_ACCESS, now)


def _sentences(text: str) -> Iterator[str]:
    for start, end in split(text):
        if LEAST_WORDS <= len(text[start:end].split()) <= MOST_WORDS:
            yield text[start:end].rstrip(".:;")


def _show(engine: Engine, workspace_id: int, answer: Answer) -> None:
    """Have an answer stand in Slack, as far as the database knows."""
    key = f"judge:{answer.id}"
    with engine.begin() as connection:
        add_post(connection, workspace_id, NewPost(key, "reply", "C0", {}, answer_id=answer.id))
        post = post_with_key(connection, workspace_id, key)
        if post is not None:
            mark_posted(connection, post.id, answer.id)


# --- judging -------------------------------------------------------------------------------


def _recheck(report: CorrectionsReport, ingester: Ingester, agent: Agent, answer_id: str) -> None:
    engine, workspace_id = ingester.engine, ingester.workspace_id
    asked = read_asked(engine, workspace_id, answer_id)
    if asked is None:
        return

    def ask_again(question: Question) -> Answer:
        report.asked_again += 1
        return agent.ask_again(question)

    verdict = recheck(engine, workspace_id, answer_id, ask_again)
    texts = [_said(version.text) for version in _in_force(ingester)]
    broken = tuple(
        dict.fromkeys(
            quoted.quote
            for quoted in asked.quoted
            if not any(_said(quoted.quote) in text for text in texts)
        )
    )
    told = verdict == "corrected"
    report.judged.append(
        Judged(
            document=asked.due[0].then.document_key if asked.due else "",
            question=asked.answer.question,
            told=told,
            right=bool(broken) if told else not _is_missed(agent, asked, broken),
            broken=broken,
            changes=_told(engine, answer_id) if told else (),
        )
    )


def _told(engine: Engine, answer_id: str) -> tuple[tuple[str, str | None], ...]:
    with engine.connect() as connection:
        return tuple((change.old, change.new) for change in changes_since(connection, answer_id))


def _is_missed(agent: Agent, asked: Asked, broken: tuple[str, ...]) -> bool:
    """Whether silence hides that some words changed: by asking again and comparing letters."""
    if not broken:
        return False
    question = Question(asked.answer.question, access=asked.access)
    now = " ".join(_letters(c.quote) for c in agent.ask_again(question).citations)
    return any(not _is_nearly_in(_letters(quote), now) for quote in broken)


def _is_nearly_in(quote: str, text: str) -> bool:
    """Whether a text holds a quote but for a few letters more, fewer, or others."""
    return quote in text or any(
        Levenshtein.distance(quote, text[start:end], score_cutoff=FEW_LETTERS) <= FEW_LETTERS
        for start in range(len(text))
        for end in range(start + len(quote) - FEW_LETTERS, start + len(quote) + FEW_LETTERS + 1)
        if end <= len(text)
    )


def _said(text: str) -> str:
    """Return a text's sentences and lines by their letters, each between bars."""
    return "|".join(["", *filter(None, map(_letters, SENTENCE_END.split(text))), ""])


def _letters(text: str) -> str:
    """Return a text's letters and digits alone, in small letters."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
