"""Choices: a clarifying answer names what may be meant; pressing one asks for it."""

import json
from dataclasses import replace
from typing import Any

from bot.incoming import Body, Incoming
from bot.interactions import Handler, actor, place_of, pressed
from bot.workspaces import Workspace
from store.answers import find_answer
from store.escalations import asked_as
from store.events import accept
from store.posts import post_at

MOST = 4  # choices of an answer


def choose(workspace: Workspace, body: Body) -> None:
    """Ask the question again as what was chosen, in the same place."""
    value: dict[str, Any] = json.loads(pressed(body).get("value") or "{}")
    channel, ts, thread_ts = place_of(body)
    with workspace.engine.connect() as connection:
        answer = find_answer(connection, workspace.id, str(value.get("answer")))
        known = asked_as(connection, workspace.id, answer.id) if answer else None
    number = int(value.get("n", -1))
    if answer is None or not 0 <= number < len(answer.choices):
        return
    shown = post_at(workspace.engine, workspace.id, channel, ts)
    alone = shown is None or shown.answer_id != answer.id  # a command's: only its asker sees it
    incoming = Incoming(
        team=workspace.team,
        channel=channel,
        ts=str(pressed(body)["action_ts"]),  # Slack's time, the same if it is delivered again
        user=actor(body),
        text=f"{answer.question} ({answer.choices[number]})",
        event_id="",
        thread_ts=thread_ts,
        private=alone or channel.startswith("D"),
        command=alone,
        reply_url=body.get("response_url") if alone else None,
    )
    arrival = incoming.arrival(workspace.id)
    if not alone and known is not None and known.message_key is not None:
        # It repeats the words of that message, and goes with it if that is edited or deleted.
        arrival = replace(arrival, message_key=known.message_key)
    accept(workspace.engine, arrival)
    workspace.wake()


ACTIONS: dict[str, Handler] = {f"choice:{number}": choose for number in range(MOST)}
