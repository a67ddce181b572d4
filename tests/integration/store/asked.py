"""A question as it is kept: its event, turns, answer, post, and what followed from it."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, insert, text

from store import tables
from store.answers import Answer, Citation, Claim, new_answer_id, save_answer
from store.conversations import Turn, add_turn, ensure_conversation
from store.escalations import NewEscalation, open_escalation, resolve_escalation
from store.events import Arrival, accept, end_event
from store.posts import NewPost, add_post, mark_posted
from tests.integration.store.shelf import Shelf, day

AGES = {
    "events": "accepted_at",
    "turns": "created_at",
    "answers": "created_at",
    "conversations": "created_at",
    "posts": "created_at",
    "transcripts": "created_at",
    "escalations": "created_at",
}

SINCE = day("2026-01-01")


@dataclass(frozen=True)
class Asked:
    """A question that was asked and answered; `canary` stands in everything that holds words."""

    canary: str
    message_key: str
    answer_id: str
    escalation_id: int
    conversation_id: int


def ask(
    shelf: Shelf,
    canary: str,
    user_id: str = "U1",
    *,
    channel: str = "C1",
    ts: str = "17.2",
    settled: bool = True,
) -> Asked:
    """Keep a question of a person, with all that may follow from one.

    The answer was corrected once, somebody else thought it wrong, it was handed over (and with
    `settled` resolved), and two transcripts were made of it, one of which is approved.
    """
    engine, workspace_id = shelf.engine, shelf.workspace_id
    key = f"T1:{channel}:{ts}"
    event = accept(
        engine,
        Arrival(
            workspace_id,
            "question",
            key,
            key,
            "T1",
            channel,
            ts,
            user_id,
            f"{canary} asks",
            conversation=f"slack:{key}",
            thread_ts=ts,
            delivery_id=f"Ev{ts}{channel}",
            detail={"problem": f"{canary} is no day"},
        ),
    )
    assert event is not None
    conversation = ensure_conversation(engine, workspace_id, f"slack:{key}")
    answer, corrected = _answer(shelf, canary), _answer(shelf, canary)
    with engine.begin() as connection:
        turn = add_turn(
            connection,
            conversation,
            Turn("asker", f"{canary} asks"),
            user_id=user_id,
            event_key=key,
            message_key=key,
        )
        add_turn(connection, conversation, Turn("footnote", f"{canary} is told"), message_key=key)
        for made, of in ((answer, turn), (corrected, None)):
            save_answer(connection, workspace_id, made, turn_id=of, as_of=None, user_id=user_id)
        connection.execute(
            text("UPDATE answers SET superseded_by = :by WHERE id = :id"),
            {"by": corrected.id, "id": answer.id},
        )
        end_event(connection, event, "answered", answer_id=answer.id)
        message = {"text": f"{canary} is told", "blocks": []}
        for new in (
            NewPost(f"reply:{event}", "reply", channel, message, ts, None, None, event, answer.id),
            NewPost(
                f"correction:{answer.id}", "correction", channel, message, answer_id=corrected.id
            ),
            NewPost(f"alone:{event}", "notice", channel, message, user_id=user_id),
        ):
            add_post(connection, workspace_id, new)
        connection.execute(
            insert(tables.feedback).values(
                answer_id=answer.id, user_id="U9", rating=-1, comment=f"{canary} was right"
            )
        )
        opened = open_escalation(
            connection,
            workspace_id,
            NewEscalation(
                key,
                user_id,
                f"{canary} asks",
                "asked",
                channel,
                "CLEADS",
                answer_id=answer.id,
                conversation_id=conversation,
            ),
        )
        assert opened is not None
        escalation, _ = opened
        shown = NewPost(
            f"escalation:{escalation.id}",
            "escalation",
            "CLEADS",
            {"text": f"{canary} asks", "blocks": [{"type": "user", "user_id": user_id}]},
            answer_id=answer.id,
        )
        add_post(connection, workspace_id, shown)
        if settled:
            resolve_escalation(
                connection, workspace_id, escalation.id, "U8", f"{canary} is helped"
            )
        _add_transcripts(connection, workspace_id, canary, user_id, answer.id, escalation.id)
    _post_all(engine, workspace_id)
    return Asked(canary, key, answer.id, escalation.id, conversation)


def _answer(shelf: Shelf, canary: str) -> Answer:
    done = shelf.publish("returns", ["Sale items go back within 14 days."], since="2026-01-01")
    cited = Citation(
        1,
        done.version_id,
        "returns",
        "Returns",
        1,
        (),
        None,
        0,
        10,
        "Sale items",
        day("2026-01-01"),
    )
    return Answer(
        id=new_answer_id(),
        question=f"{canary} asks",
        route="policy",
        outcome="answered",
        text=f"{canary} is told",
        claims=(Claim(f"{canary} is told", (cited,)),),
        trace={"dropped": [{"claim": canary}]},
    )


def _add_transcripts(
    connection: Connection,
    workspace_id: int,
    canary: str,
    user_id: str,
    answer_id: str,
    escalation_id: int,
) -> None:
    messages = [{"role": "asker", "text": f"{canary} asks"}]
    for origin, key, state in (
        ("escalation", str(escalation_id), "candidate"),
        ("feedback", answer_id, "candidate"),
        ("shortcut", answer_id, "approved"),
    ):
        connection.execute(
            insert(tables.transcripts).values(
                workspace_id=workspace_id,
                origin=origin,
                origin_key=key,
                messages=messages,
                audience=["everyone"],
                user_id=user_id,
                added_by="U8",
                state=state,
            )
        )


def _post_all(engine: Engine, workspace_id: int) -> None:
    with engine.begin() as connection:
        waiting = connection.execute(
            text("SELECT id FROM posts WHERE workspace_id = :id AND state = 'waiting'"),
            {"id": workspace_id},
        ).scalars()
        for post_id in list(waiting):
            mark_posted(connection, post_id, f"18.{post_id}")


def age(engine: Engine, workspace_id: int, by: timedelta) -> None:
    """Make all that is kept of questions older."""
    with engine.begin() as connection:
        for table, column in AGES.items():
            ours = "workspace_id = :id"
            if table == "turns":
                ours = "conversation_id IN (SELECT id FROM conversations WHERE workspace_id = :id)"
            connection.execute(
                text(f"UPDATE {table} SET {column} = {column} - :by WHERE {ours}"),
                {"by": by, "id": workspace_id},
            )
        for table, column in (("posts", "posted_at"), ("escalations", "resolved_at")):
            connection.execute(
                text(f"UPDATE {table} SET {column} = {column} - :by WHERE workspace_id = :id"),
                {"by": by, "id": workspace_id},
            )


def found(engine: Engine, words: str) -> dict[str, int]:
    """In how many rows of each table some words stand, in whatever column."""
    with engine.connect() as connection:
        counted = {
            table.name: connection.execute(
                text(
                    f"SELECT count(*) FROM {table.name} AS r"
                    " WHERE position(:words IN CAST(to_jsonb(r) AS text)) > 0"
                ),
                {"words": words},
            ).scalar_one()
            for table in tables.metadata.sorted_tables
        }
    return {name: count for name, count in counted.items() if count}
