"""Corrections: that an answer changed is told where it was given, once, with old and new words.

The message is a pure function of what changed. A correction is told in the thread of the answer,
and to the asker alone where only they saw it; not where a channel does not want any. More than a
few in a short time wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import SequenceMatcher

from sqlalchemy import Connection

from bot.blocks import Block, Element, cut, end_of_quote, notes, paragraphs, text
from bot.incoming import Incoming
from bot.outgoing import write_posts
from bot.render import Message, clean, day, one_line, plain, render, superseded
from bot.workspaces import Workspace
from core.logs import logger
from store.access import Access
from store.answers import Answer, find_answer
from store.channels import channel_settings
from store.corrections import (
    Change,
    Superseded,
    all_readable,
    changes_since,
    correction_key,
    corrections_within,
    lock_corrections,
    newest_of,
    pending_corrections,
)
from store.posts import (
    ONLY_CHANGED,
    NewPost,
    Post,
    add_post,
    post_with_key,
    posts_of_answer,
    say_instead,
    withdraw_posts,
)
from store.rechecks import is_due

MOST, WITHIN = 5, 600.0  # corrections in a channel, in so many seconds
CHANGES_SHOWN = 5
WORDS_AROUND = 12  # words kept around what changed, where wordings are long
LONG = 240  # characters of a wording from which only what changed is shown
LONGEST = 700  # characters shown of a wording
QUESTION_LIMIT = 300

CHANGED = "This answer has changed."
GONE = "What this answer quoted does not hold any more."
NEW_ANSWER = "New answer:"
WITHOUT_WORDS = (
    f"{CHANGED} I can't show the new words here, because not everybody who sees this may read"
    " them. Ask me again in a direct message."
)

log = logger(__name__)


# --- the message ---------------------------------------------------------------------------


def correction(
    changes: Sequence[Change], answer: Answer, *, question: str | None = None
) -> tuple[Message, ...]:
    """Return the messages that tell what changed and what the answer is now.

    `question` is told where the message does not stand in the question's thread.
    """
    headline = CHANGED if answer.outcome == "answered" else GONE
    above: list[Block] = paragraphs(text(f"⚠ {headline}", bold=True))  # alerts are for modals only
    if question is not None:
        above += notes(f"You asked: {cut(clean(question), QUESTION_LIMIT)}")
    for change in changes[:CHANGES_SHOWN]:
        above += paragraphs(*told(change))
    if len(changes) > CHANGES_SHOWN:
        above += notes(f"… and {len(changes) - CHANGES_SHOWN} more changes behind Sources.")
    if answer.outcome == "answered":
        above += paragraphs(text(NEW_ANSWER, bold=True))
    first, *rest = render(answer, above=above)
    words = plain(f"⚠ {headline} {answer.text}")[0].text
    return (replace(first, text=words), *rest)


def without_words() -> tuple[Message, ...]:
    """Return what is said where the new words may not be."""
    return plain(WITHOUT_WORDS)


def told(change: Change) -> list[Element]:
    """Return a change as a sentence: what is gone struck through, what is new in bold."""
    title = text(one_line(change.title) or "Untitled", bold=True)
    begin = [text(f"On {day(change.since)} "), title] if change.since else [title]
    if change.version_now is None:
        if change.since is None:
            return [title, text(" no longer says “"), *_shown(change.old)]
        since = f" is not in force any more since {day(change.since)}. It said “"
        return [title, text(since), *_shown(change.old)]
    if change.new is None:
        return [*begin, text(f" v{change.version_now} dropped “"), *_shown(change.old)]
    old, new = _focused(clean(change.old), clean(change.new))
    return [
        *begin,
        text(f" v{change.version_now} replaced “"),
        *_compared(old, new, strike=True),
        text("” by “"),
        *_compared(new, old, bold=True),
        end_of_quote(cut(new, LONGEST)),
    ]


def _shown(words: str) -> list[Element]:
    """Return quoted words with what closes the quote and the sentence."""
    shown = cut(clean(words), LONGEST) if words.strip() else ""
    return [*([text(shown)] if shown else []), end_of_quote(shown)]


def _compared(words: str, other: str, **style: bool) -> list[Element]:
    """Return words with those that the other wording lacks in another style."""
    mine, theirs = cut(words, LONGEST).split(), cut(other, LONGEST).split()
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    runs: list[Element] = []
    for tag, start, end, _, _ in matcher.get_opcodes():
        if start < end:
            run = " ".join(mine[start:end])
            runs.append(text(run) if tag == "equal" else text(run, **style))
            if end < len(mine):
                runs.append(text(" "))
    return runs


def _focused(old: str, new: str) -> tuple[str, str]:
    """Leave out of long wordings what both begin and end with, but for some words."""
    if max(len(old), len(new)) <= LONG:
        return old, new
    before, after = old.split(), new.split()
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    tail = next(
        (n for n in range(shorter - head) if before[-1 - n] != after[-1 - n]), shorter - head
    )
    left, right = max(0, head - WORDS_AROUND), max(0, tail - WORDS_AROUND)

    def inner(parts: list[str]) -> str:
        kept = parts[left : len(parts) - right]
        return " ".join([*(["…"] if left else []), *kept, *(["…"] if right else [])])

    return inner(before), inner(after)


# --- telling -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Where a correction goes: a thread, or the asker's direct messages."""

    channel: str
    thread_ts: str | None
    standing: tuple[Post, ...]  # the messages of the old answer that can be marked


def post_corrections(workspace: Workspace) -> int:
    """Write the corrections that are due as posts; return how many.

    Each is one transaction with the mark on the old answer, and one for ever: by its key.
    """
    written = 0
    for one in pending_corrections(workspace.engine, workspace.id):
        target = _target(workspace, one)
        if target is None:
            _settle(workspace, one)
            continue
        access = _access(workspace, one)
        if access is None:
            continue
        with workspace.engine.begin() as connection:
            written += _write(connection, workspace, one, target, access)
    if written:
        log.info("corrections written", workspace=workspace.id, count=written)
        workspace.wake()
    return written


def _target(workspace: Workspace, one: Superseded) -> Target | None:
    """Return where an answer is corrected; None where nobody is to be told."""
    if one.private:
        return Target(one.asker_id, None, ()) if one.asker_id else None
    settings = channel_settings(workspace.engine, workspace.id, one.channel)
    if not settings.corrections or settings.mode == "off":
        return None
    thread = one.thread_ts or one.ts
    standing = tuple(
        post
        for post in posts_of_answer(workspace.engine, workspace.id, one.answer_id)
        if post.channel == one.channel
        and post.thread_ts == one.thread_ts
        and post.user_id is None
        and post.ts is not None
        and post.message.get("blocks")
    )
    return Target(one.channel, thread, standing)


def _access(workspace: Workspace, one: Superseded) -> Access | None:
    """Return what may be read today by the asker, where the answer stands.

    None where Slack does not say who they are: it is asked again at the next round.
    """
    people, client, asker = workspace.people, workspace.client, one.asker_id or ""
    if people.member(client, workspace.team, asker) is None:
        return None
    alone = one.private or one.channel.startswith("D")
    seen = Incoming(workspace.team, one.channel, one.ts or "", asker, "", "", private=alone)
    return people.access(client, seen)


def _write(
    connection: Connection,
    workspace: Workspace,
    one: Superseded,
    target: Target,
    access: Access,
) -> bool:
    """Write a correction, unless another process did, it has to wait, or nothing is left of it."""
    lock_corrections(connection, workspace.id)
    newest = newest_of(connection, one.answer_id)
    if is_due(connection, workspace.id, newest):
        return False  # its documents changed again: what is told is what holds then
    if corrections_within(connection, workspace.id, target.channel, WITHIN) >= MOST:
        return False
    answer = find_answer(connection, workspace.id, newest)
    changes = changes_since(connection, one.answer_id)
    if answer is None or not changes:
        _keep_silent(connection, workspace.id, one)
        return False
    if all_readable(connection, [one.answer_id, newest], access):
        elsewhere = one.question if target.thread_ts is None else None
        messages = correction(changes, answer, question=elsewhere)
    else:
        messages = without_words()
    post = NewPost(
        correction_key(one.answer_id),
        "correction",
        target.channel,
        {},
        target.thread_ts,
        answer_id=newest,
    )
    if not write_posts(connection, workspace.id, messages, post):
        return False
    for standing in target.standing:
        marked = superseded(standing.message, datetime.now(UTC)) | ONLY_CHANGED
        say_instead(connection, standing.id, marked)
    return True


def _settle(workspace: Workspace, one: Superseded) -> None:
    with workspace.engine.begin() as connection:
        _keep_silent(connection, workspace.id, one)


def _keep_silent(connection: Connection, workspace_id: int, one: Superseded) -> None:
    """Note that nobody is told of this correction, now or later."""
    key = correction_key(one.answer_id)
    if add_post(connection, workspace_id, NewPost(key, "correction", one.channel, {})):
        kept = post_with_key(connection, workspace_id, key)
        withdraw_posts(connection, [kept.id] if kept else [])
