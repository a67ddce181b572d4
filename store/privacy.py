"""What is kept of people's words: for how long, of whom, and how it goes.

Words go by age (`forget_old`), with a person (`forget_person`), and with a message that was
edited or deleted (`store.events.forget_message`). What people did stays in the audit log, of
those who asked to be forgotten without their name. What stands in Slack is Slack's to keep.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, text

from store.audit import record
from store.conversations import CONVERSATION_LOCK
from store.datasets import withdraw_datasets
from store.schedules import set_schedule

FORGET_OLD = "forget_old_messages"
"""The kind of the job that forgets by age."""

BATCH = 500  # rows a transaction: nobody waits long for a row
USAGE_KEPT = "2 days"  # limits look a day back
POSTS_KEPT = "7 days"  # beyond their words: which post there was already
A_PERSON = "a person"  # in place of who was forgotten

KindName = Literal[
    "messages",
    "questions",
    "feedback",
    "handovers",
    "taken over",
    "candidates",
    "transcripts",
    "acts",
]


@dataclass(frozen=True)
class Kind:
    """One kind of thing that is kept about a person: how many, from when to when."""

    name: KindName
    count: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Kept:
    """What is kept about a person; `kinds` has those of which there is anything."""

    user_id: str
    kinds: tuple[Kind, ...] = ()
    standing: str | None = None  # None: they are not known as a member
    roles: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nothing at all is kept."""
        return not self.kinds and self.standing is None


@dataclass(frozen=True)
class Forgotten:
    """How much of each kind was deleted; of "taken over" and "acts" only the name was."""

    counts: dict[KindName, int]
    member: bool = False  # whether they were known as one
    roles: tuple[str, ...] = ()  # that they had

    @property
    def nothing(self) -> bool:
        """Whether nothing at all was kept."""
        return not self.member and not any(self.counts.values())


# The answers to a person, also those of turns from before answers knew who asked.
THEIR_ANSWERS = """
SELECT id FROM answers WHERE workspace_id = :workspace_id AND (user_id = :user_id OR turn_id IN (
    SELECT t.id FROM turns t JOIN conversations c ON c.id = t.conversation_id
    WHERE c.workspace_id = :workspace_id AND t.user_id = :user_id))
"""

KEPT = f"""
WITH kept AS (
    SELECT 'messages' AS name, accepted_at AS at FROM events
    WHERE workspace_id = :workspace_id AND user_id = :user_id
    UNION ALL
    SELECT 'questions', created_at FROM answers WHERE id IN ({THEIR_ANSWERS})
    UNION ALL
    SELECT 'feedback', f.created_at FROM feedback f JOIN answers a ON a.id = f.answer_id
    WHERE a.workspace_id = :workspace_id AND f.user_id = :user_id
    UNION ALL
    SELECT 'handovers', created_at FROM escalations
    WHERE workspace_id = :workspace_id AND asker_id = :user_id
    UNION ALL
    SELECT 'taken over', created_at FROM escalations
    WHERE workspace_id = :workspace_id AND :user_id IN (claimed_by, resolved_by)
    UNION ALL
    SELECT CASE state WHEN 'approved' THEN 'transcripts' ELSE 'candidates' END, created_at
    FROM transcripts WHERE workspace_id = :workspace_id AND (user_id = :user_id
        OR :user_id = ANY(people)
        OR (origin = 'feedback' AND added_by = :user_id AND state <> 'approved'))
    UNION ALL
    SELECT 'acts', created_at FROM audit_log
    WHERE workspace_id = :workspace_id AND :user_id IN (actor, subject)
    UNION ALL
    SELECT 'acts', created_at FROM document_versions
    WHERE workspace_id = :workspace_id AND author = :user_id
)
SELECT name, count(*) AS count, min(at) AS since, max(at) AS until FROM kept
GROUP BY name ORDER BY min(array_position(
    ARRAY['messages', 'questions', 'feedback', 'handovers', 'taken over', 'candidates',
          'transcripts', 'acts'], name))
"""


def kept_about(engine: Engine, workspace_id: int, user_id: str) -> Kept:
    """Return what is kept about a person."""
    whose = {"workspace_id": workspace_id, "user_id": user_id}
    with engine.connect() as connection:
        kinds = tuple(Kind(**row._mapping) for row in connection.execute(text(KEPT), whose))
        member = connection.execute(
            text(
                "SELECT standing, roles, principals FROM members"
                " WHERE workspace_id = :workspace_id AND user_id = :user_id"
            ),
            whose,
        ).one_or_none()
    if member is None:
        return Kept(user_id, kinds)
    return Kept(
        user_id,
        kinds,
        member.standing,
        tuple(sorted(member.roles)),
        tuple(sorted(member.principals)),
    )


# --- a person ------------------------------------------------------------------------------

# With what the bot said to each: the turn with the same message, or the next one.
FORGET_TURNS = """
DELETE FROM turns t USING turns said JOIN conversations c ON c.id = said.conversation_id
WHERE c.workspace_id = :workspace_id AND said.user_id = :user_id
  AND t.conversation_id = said.conversation_id
  AND (t.id = said.id OR (t.role = 'footnote' AND (
      t.message_key = said.message_key
      OR (said.message_key IS NULL AND t.id = (
          SELECT min(n.id) FROM turns n WHERE n.conversation_id = said.conversation_id
          AND n.id > said.id AND n.role = 'footnote')))))
"""

# An event stays without its words, so that a late delivery of it is not answered again.
FORGET_EVENTS = """
UPDATE events SET text = '', detail = '{}', user_id = ''
WHERE workspace_id = :workspace_id AND user_id = :user_id AND state = 'ended'
"""

# So does a post that others see, so that it goes from Slack if its question is deleted there. It
# may also name the person as who takes a question over.
FORGET_POSTS = """
UPDATE posts SET message = '{}', answer_id = NULL
WHERE workspace_id = :workspace_id AND state NOT IN ('waiting', 'posting')
  AND (answer_id = ANY(:answers) OR position(:written IN CAST(message AS text)) > 0
       OR event_id IN (
           SELECT id FROM events WHERE workspace_id = :workspace_id AND user_id = :user_id))
"""
FORGET_OWN_POSTS = """
DELETE FROM posts WHERE workspace_id = :workspace_id AND state NOT IN ('waiting', 'posting')
  AND :user_id IN (user_id, channel)
"""

# With those in which they spoke for the team. What somebody said an answer should have been is
# theirs too, until people approved it.
THEIR_TRANSCRIPTS = """
SELECT id FROM transcripts t WHERE workspace_id = :workspace_id
  AND (user_id = :user_id OR :user_id = ANY(people)
       OR answer_id = ANY(:answers) OR split_part(origin_key, ':', 1) = ANY(:answers)
       OR (origin = 'escalation' AND EXISTS (
           SELECT FROM escalations e
           WHERE e.workspace_id = :workspace_id AND e.asker_id = :user_id
             AND t.origin_key IN (e.key, CAST(e.id AS text))))
       OR (origin = 'feedback' AND added_by = :user_id AND state <> 'approved'))
FOR UPDATE
"""
FORGET_TRANSCRIPTS = "DELETE FROM transcripts WHERE id = ANY(:transcripts) RETURNING state"

# What was done stays known; by whom does not. A job or an upload that is under way still has to
# know whose it is.
UNNAME = (
    "UPDATE transcripts SET added_by = CASE added_by WHEN :user_id THEN :nobody ELSE added_by END,"
    " reviewed_by = CASE reviewed_by WHEN :user_id THEN :nobody ELSE reviewed_by END"
    " WHERE workspace_id = :workspace_id AND :user_id IN (added_by, reviewed_by)",
    "UPDATE channels SET updated_by = :nobody"
    " WHERE workspace_id = :workspace_id AND updated_by = :user_id",
    "UPDATE documents SET deleted_by = :nobody"
    " WHERE workspace_id = :workspace_id AND deleted_by = :user_id",
    "UPDATE uploads SET author = :nobody, idempotency_key = NULL"
    " WHERE workspace_id = :workspace_id AND author = :user_id AND told_at IS NOT NULL",
    "UPDATE jobs SET payload = jsonb_set(payload, '{author}', to_jsonb(CAST(:nobody AS text)))"
    " WHERE workspace_id = :workspace_id AND payload ->> 'author' = :user_id"
    " AND state IN ('succeeded', 'failed')",
    # A person's id is also the place of their direct messages, until Slack tells another.
    "DELETE FROM channels WHERE workspace_id = :workspace_id AND channel_id = :user_id",
    "DELETE FROM people_names WHERE workspace_id = :workspace_id AND user_id = :user_id",
    "DELETE FROM usage WHERE workspace_id = :workspace_id AND user_id = :user_id"
    " AND minute < now() - interval '1 day'",
)
UNNAME_ACTS = (
    "UPDATE document_versions SET author = :nobody"
    " WHERE workspace_id = :workspace_id AND author = :user_id",
    "UPDATE audit_log SET actor = CASE actor WHEN :user_id THEN :nobody ELSE actor END,"
    " subject = CASE subject WHEN :user_id THEN :nobody ELSE subject END,"
    " detail = CAST(replace(CAST(detail AS text), :written, :nobody_written) AS jsonb)"
    " WHERE workspace_id = :workspace_id"
    " AND (:user_id IN (actor, subject) OR position(:written IN CAST(detail AS text)) > 0)",
)


def forget_person(
    engine: Engine, workspace_id: int, user_id: str, *, actor: str = A_PERSON
) -> Forgotten:
    """Delete what is kept about a person, in one transaction; `actor` is who has it done.

    Their questions and the answers to them, their feedback, the questions handed over for them,
    transcripts with their words and what is known of them as a member go. Datasets that held such
    a transcript are withdrawn, and models that were trained on one are marked. What they did
    stays without their name. How much they asked within the last day stays for the limits, and
    goes by age. What is being answered or sent at this moment is not part of it. What others
    wrote about them cannot be known.
    """
    whose: dict[str, Any] = {
        "workspace_id": workspace_id,
        "user_id": user_id,
        "nobody": A_PERSON,
        "written": json.dumps(user_id, ensure_ascii=False),  # as Postgres writes JSON
        "nobody_written": json.dumps(A_PERSON),
    }
    counts: dict[KindName, int] = {}
    with engine.begin() as connection:
        whose["answers"] = list(connection.execute(text(THEIR_ANSWERS), whose).scalars())

        def run(statement: str) -> int:
            return connection.execute(text(statement), whose).rowcount

        theirs = list(connection.execute(text(THEIR_TRANSCRIPTS), whose).scalars())
        whose["transcripts"] = theirs
        # First, while their rows still say which datasets hold them.
        withdraw_datasets(connection, workspace_id, theirs)
        states = list(connection.execute(text(FORGET_TRANSCRIPTS), whose).scalars())
        counts["transcripts"] = states.count("approved")
        counts["candidates"] = len(states) - counts["transcripts"]
        counts["feedback"] = run(
            "DELETE FROM feedback f USING answers a WHERE a.id = f.answer_id"
            " AND a.workspace_id = :workspace_id AND f.user_id = :user_id"
        )
        counts["handovers"] = run(
            "DELETE FROM escalations WHERE workspace_id = :workspace_id AND asker_id = :user_id"
        )
        counts["taken over"] = run(
            "UPDATE escalations SET"
            " resolution = CASE resolved_by WHEN :user_id THEN NULL ELSE resolution END,"
            " claimed_by = CASE claimed_by WHEN :user_id THEN :nobody ELSE claimed_by END,"
            " resolved_by = CASE resolved_by WHEN :user_id THEN :nobody ELSE resolved_by END"
            " WHERE workspace_id = :workspace_id AND :user_id IN (claimed_by, resolved_by)"
        )
        run(FORGET_TURNS)
        run("DELETE FROM answers WHERE workspace_id = :workspace_id AND id = ANY(:answers)")
        counts["questions"] = len(whose["answers"])
        run(FORGET_POSTS)
        run(FORGET_OWN_POSTS)
        counts["messages"] = run(FORGET_EVENTS)
        counts["acts"] = sum(run(statement) for statement in UNNAME_ACTS)
        for statement in UNNAME:
            run(statement)
        roles = connection.execute(
            text(
                "DELETE FROM members WHERE workspace_id = :workspace_id AND user_id = :user_id"
                " RETURNING roles"
            ),
            whose,
        ).scalar_one_or_none()
        record(connection, workspace_id, actor, "person forgotten", A_PERSON)
    return Forgotten(counts, roles is not None, tuple(sorted(roles or ())))


# --- by age --------------------------------------------------------------------------------

OLD = "make_interval(days => :days)"
FORGET_OLD_ROWS: dict[str, str] = {
    # With their claims, citations and feedback.
    "answers": f"""
        DELETE FROM answers WHERE id IN (
            SELECT id FROM answers WHERE created_at < now() - {OLD} LIMIT :batch)""",
    "turns": f"""
        DELETE FROM turns WHERE id IN (
            SELECT id FROM turns WHERE created_at < now() - {OLD} LIMIT :batch)""",
    "events": f"""
        DELETE FROM events WHERE id IN (
            SELECT id FROM events WHERE state = 'ended' AND accepted_at < now() - {OLD}
            LIMIT :batch)""",
    "escalations": f"""
        DELETE FROM escalations WHERE id IN (
            SELECT id FROM escalations WHERE state = 'resolved' AND resolved_at < now() - {OLD}
            LIMIT :batch)""",
    # What was approved is an example that people chose to keep.
    "transcripts": f"""
        DELETE FROM transcripts WHERE id IN (
            SELECT id FROM transcripts WHERE state <> 'approved' AND created_at < now() - {OLD}
            LIMIT :batch)""",
    "words of posts": f"""
        UPDATE posts SET message = '{{}}', answer_id = NULL WHERE id IN (
            SELECT id FROM posts WHERE state NOT IN ('waiting', 'posting')
            AND message <> '{{}}' AND coalesce(posted_at, created_at) < now() - {OLD}
            LIMIT :batch)""",
    # The post of a question that still waits for a person will be changed when it is resolved.
    "posts": f"""
        DELETE FROM posts WHERE id IN (
            SELECT p.id FROM posts p WHERE p.state NOT IN ('waiting', 'posting')
            AND coalesce(p.posted_at, p.created_at) < now() - {OLD} - interval '{POSTS_KEPT}'
            AND NOT EXISTS (
                SELECT FROM escalations e WHERE e.workspace_id = p.workspace_id
                AND e.state <> 'resolved' AND p.key = 'escalation:' || e.id)
            LIMIT :batch)""",
}
FORGET_USAGE = f"""
    DELETE FROM usage WHERE (workspace_id, user_id, minute) IN (
        SELECT workspace_id, user_id, minute FROM usage
        WHERE minute < now() - interval '{USAGE_KEPT}' LIMIT :batch)
"""

# Locked first and looked at again then: an event that comes meanwhile waits for the lock, and one
# that came before it is seen. An answer under way holds its conversation by the advisory lock.
EMPTY_CONVERSATIONS = f"""
    SELECT id FROM conversations c WHERE created_at < now() - {OLD} AND id > :after
    AND NOT EXISTS (SELECT FROM turns WHERE conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM events WHERE conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM escalations WHERE conversation_id = c.id)
    ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
"""
FORGET_CONVERSATIONS = """
    DELETE FROM conversations c WHERE id = ANY(:ids)
    AND NOT EXISTS (SELECT FROM turns WHERE conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM events WHERE conversation_id = c.id)
    AND NOT EXISTS (SELECT FROM escalations WHERE conversation_id = c.id)
    AND pg_try_advisory_xact_lock(:lock, CAST(id % 2147483647 AS int))
"""


def forget_old(engine: Engine, days: int, batch: int = BATCH) -> dict[str, int]:
    """Delete what is older than so many days, in all workspaces; return how much of what.

    With 0 days nothing goes but the counts that limits need no more. Each transaction takes at
    most `batch` rows. A question that waits for a person stays until it is resolved; a transcript
    that was approved stays.
    """
    gone = {"usage": _in_batches(engine, FORGET_USAGE, {"batch": batch})}
    if days > 0:
        for what, statement in FORGET_OLD_ROWS.items():
            gone[what] = _in_batches(engine, statement, {"batch": batch, "days": days})
        gone["conversations"] = _forget_conversations(engine, days, batch)
    return {what: count for what, count in gone.items() if count}


def _in_batches(engine: Engine, statement: str, values: dict[str, Any]) -> int:
    gone = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(text(statement), values).rowcount
        gone += count
        if count < values["batch"]:
            return gone


def _forget_conversations(engine: Engine, days: int, batch: int) -> int:
    gone, after = 0, 0
    while True:
        with engine.begin() as connection:
            ids = list(
                connection.execute(
                    text(EMPTY_CONVERSATIONS), {"days": days, "after": after, "batch": batch}
                ).scalars()
            )
            if not ids:
                return gone
            gone += connection.execute(
                text(FORGET_CONVERSATIONS), {"ids": ids, "lock": CONVERSATION_LOCK}
            ).rowcount
        after = ids[-1]


def next_forgetting(engine: Engine) -> datetime | None:
    """Return when old messages are looked for next; None where nobody was told to."""
    with engine.connect() as connection:
        due: datetime | None = connection.execute(
            text("SELECT min(next_at) FROM schedules WHERE kind = :kind AND enabled"),
            {"kind": FORGET_OLD},
        ).scalar_one()
    return due


def schedule_forgetting(engine: Engine, workspace_id: int, every: int) -> None:
    """Have old messages forgotten every so many seconds, in all workspaces.

    `workspace_id` is whose the schedule and its jobs are.
    """
    with engine.begin() as connection:
        set_schedule(connection, workspace_id, FORGET_OLD, "all", every, {})
