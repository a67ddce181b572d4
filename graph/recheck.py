"""Asks an answer again when words that it quoted may have changed, and judges whether it differs.

Most of it needs no answer: words that still stand, that stand in another document, or whose
spelling was put right are as good as before. Otherwise the question is asked again as it was
asked then. A number, date, negation or binding word that changed always counts; of other words
only those count that the answer said or says now.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import FootnoteError
from core.logs import logger
from graph.state import Question
from retrieval.lexical import stem
from retrieval.quotes import stands
from retrieval.wording import (
    broken_pieces,
    changed_words,
    counterpart,
    is_telling,
    same_wording,
    states_otherwise,
    words,
)
from store.answers import Answer, Claim
from store.channels import channel_settings
from store.conversations import read_turns
from store.corrections import Change
from store.jobs import Job
from store.leases import LEASE, run_leased
from store.rechecks import (
    Asked,
    Held,
    Quoted,
    due_answers,
    mark_held,
    read_asked,
    supersede,
    versions_saying,
)

TURN = 100.0  # seconds of one turn at a workspace's answers; then others have theirs
MOST_FAILURES = 3  # in a row: then the model or the database is away, and all wait
ATTEMPTS = 3  # at an answer whose documents change while it is asked again
PLAIN = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")

Verdict = Literal["not due", "holds", "corrected", "later"]
AskAgain = Callable[[Question], Answer]
"""Answers a question without keeping anything; raises where it cannot be answered as it should."""

log = logger(__name__)


@dataclass(frozen=True)
class Broken:
    """Words of a quote that are no longer said, and what is said in their place, if anything."""

    quoted: Quoted
    old: str
    new: str | None


def recheck(engine: Engine, workspace_id: int, answer_id: str, ask_again: AskAgain) -> Verdict:
    """Hold an answer against what is in force now; put another in its stead if it differs.

    Raises a FootnoteError or SQLAlchemyError where the question could not be asked again: it is
    due still. "later" where its documents kept changing meanwhile.
    """
    for _ in range(ATTEMPTS):
        asked = read_asked(engine, workspace_id, answer_id)
        if asked is None or not asked.due:
            return "not due"
        held, broken = sort_out(engine, workspace_id, asked)
        if not broken:
            with engine.begin() as connection:
                mark_held(connection, held)
            return "holds"
        new = ask_again(question_of(engine, workspace_id, asked))
        changes = differences(broken, new)
        if not changes:
            still = [Held(one.quoted.citation_id, one.quoted.now_id) for one in broken]
            with engine.begin() as connection:
                mark_held(connection, [*held, *still])
            return "holds"
        told = {"correction": [change.to_json() for change in changes]}
        if supersede(engine, workspace_id, asked, replace(new, trace=new.trace | told)):
            return "corrected"
    return "later"


def question_of(engine: Engine, workspace_id: int, asked: Asked) -> Question:
    """Return the question as it was asked: with the turns before it and the same access."""
    history = (
        read_turns(engine, asked.conversation_id, before=asked.turn_id)
        if asked.conversation_id is not None
        else ()
    )
    place = channel_settings(engine, workspace_id, asked.channel) if asked.channel else None
    return Question(
        asked.answer.question,
        access=asked.access,
        history=history,
        language=place.language if place else None,
        tone=place.tone if place else None,
    )


# --- what stands ---------------------------------------------------------------------------


def sort_out(engine: Engine, workspace_id: int, asked: Asked) -> tuple[list[Held], list[Broken]]:
    """Return which of an answer's due quotes hold as they are, and the words that do not."""
    held: list[Held] = []
    broken: list[Broken] = []
    for quoted in asked.due:
        text = quoted.now.text if quoted.now is not None else ""
        pieces = broken_pieces(quoted.then.text, quoted.start, quoted.end, text)
        changed = [one for one in _successors(quoted, pieces) if not _is_respelt(one)]
        moved_to = None
        if changed:
            olds = [one.old for one in changed]
            moved_to = _moved_to(engine, workspace_id, asked, quoted, olds)
        if changed and moved_to is None:
            broken += changed
        else:
            held.append(Held(quoted.citation_id, quoted.now_id, moved_to))
    return held, broken


def _successors(quoted: Quoted, pieces: Sequence[str]) -> list[Broken]:
    """Return the pieces with what the version in force says in their place.

    Nothing is told of a document that may no longer be read.
    """
    if quoted.now is None or not quoted.readable:
        return [Broken(quoted, piece, None) for piece in pieces]
    then, now = quoted.then.text, quoted.now.text
    return [Broken(quoted, piece, counterpart(piece, then, now)) for piece in pieces]


def _is_respelt(one: Broken) -> bool:
    return one.new is not None and same_wording(one.old, one.new)


def _moved_to(
    engine: Engine, workspace_id: int, asked: Asked, quoted: Quoted, pieces: Sequence[str]
) -> int | None:
    """Return a version of another document that says all the pieces, for the same readers."""
    if not all(map(is_telling, pieces)):
        return None
    longest = max(PLAIN.findall(" \n ".join(pieces)), key=len, default="")
    if not longest:
        return None
    for version in versions_saying(engine, workspace_id, asked.access, longest):
        elsewhere = version.document_id != quoted.then.document_id
        if elsewhere and all(stands(piece, version.text) for piece in pieces):
            return version.id
    return None


# --- what differs --------------------------------------------------------------------------


def differences(broken: Sequence[Broken], new: Answer) -> list[Change]:
    """Return the changed words that make a difference between an answer and the new one."""
    changes = [_change(one) for one in broken if _matters(one, new)]
    return list(dict.fromkeys(changes))


def _change(one: Broken) -> Change:
    """Return the change as it is told; of a document that may not be read, nothing new."""
    quoted, now = one.quoted, one.quoted.now if one.quoted.readable else None
    since = now.effective_from if now is not None else quoted.ended_at
    return Change(
        document=quoted.then.document_key,
        title=now.title if now is not None else quoted.then.title,
        old=one.old,
        new=one.new,
        version_then=quoted.then.number,
        version_now=now.number if now is not None else None,
        since=since if now is not None or quoted.now is None else None,
    )


def _matters(one: Broken, new: Answer) -> bool:
    """Whether people would be told something else: see the head of this module.

    An answer that quotes says each changed word, so any counts. A claim in a model's own words
    may say none of them.
    """
    if new.outcome != "answered" or not new.claims:
        return True
    same = [claim for claim in new.claims if same_wording(one.quoted.claim, claim.text)]
    if one.new is None:
        quotes = [citation.quote for claim in same for citation in claim.citations]
        return all(states_otherwise(one.old, quote) for quote in quotes)
    if states_otherwise(one.old, one.new):
        return True
    now = [*same, *(claim for claim in new.claims if _cites(claim, one))]
    if not now:
        return True
    removed, added = changed_words(one.old, one.new)
    return _says(one.quoted.claim, removed) or any(_says(claim.text, added) for claim in now)


def _cites(claim: Claim, one: Broken) -> bool:
    """Whether a claim quotes the words that took the others' place."""
    now = one.quoted.now
    if now is None or one.new is None:
        return False
    start = now.text.find(one.new)
    end = start + len(one.new)
    return any(
        citation.version_id == now.id and citation.start < end and citation.end > start
        for citation in claim.citations
    )


def _says(claim: str, changed: Sequence[str]) -> bool:
    said = {stem(word) for word in words(claim)}
    return any(stem(word) in said for word in changed)


# --- as a job ------------------------------------------------------------------------------


def run_recheck_job(
    engine: Engine, job_id: int, ask_again: Callable[[int], AskAgain], *, lease: float = LEASE
) -> dict[str, int] | None:
    """Claim a job and recheck a workspace's answers; None where it goes on another time.

    `ask_again` gives what answers in a workspace, when the first question needs it. An answer that
    could not be asked again stays due for the next job.
    """
    return run_leased(
        engine,
        job_id,
        lambda job, _: _turn(engine, job, ask_again),
        "Rechecking answers",
        lease=lease,
    )


def _turn(engine: Engine, job: Job, ask_again: Callable[[int], AskAgain]) -> dict[str, int] | None:
    """Recheck what is due until nothing is, time is up, or too much fails."""
    started = time.monotonic()
    ended: Counter[str] = Counter()
    seen: set[str] = set()
    failures = 0

    def ask(question: Question) -> Answer:
        return ask_again(job.workspace_id)(question)

    while due := [x for x in _due(engine, job) if x not in seen]:
        for answer_id in due:
            if time.monotonic() - started > TURN and ended.total() > ended["failed"]:
                return None
            seen.add(answer_id)
            try:
                ended[recheck(engine, job.workspace_id, answer_id, ask)] += 1
                failures = 0
            except (FootnoteError, SQLAlchemyError) as error:
                failures += 1
                ended["failed"] += 1
                log.warning("answer not rechecked", id=answer_id, error=type(error).__name__)
                if failures == MOST_FAILURES:
                    return dict(ended)
    if ended:
        log.info("answers rechecked", workspace=job.workspace_id, **ended)
    return dict(ended)


def _due(engine: Engine, job: Job) -> list[str]:
    return due_answers(engine, job.workspace_id, salt=str(job.id))
