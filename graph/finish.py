"""Ends a question: its outcome and its words, kept with their trace."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from langgraph.runtime import Runtime
from sqlalchemy import Engine

from graph.escalate import OFFER, SORRY, human_text, reason_to_hand_over
from graph.state import Question, State, Tools
from graph.verify import closest_citation
from store.answers import Answer, Outcome, new_answer_id, save_answer
from store.conversations import add_exchange

NO_POLICY = "I don't have a policy that answers this."
OTHER_WORDS = "Try other words, or ask to talk to a human."
OUT_OF_SCOPE = "That is outside what I know: I only answer from this workspace's policies."
ANYTHING_ELSE = "For anything else, ask to talk to a human."
NOTHING_IN_FORCE = (
    "I have no document in force that may be read here. Ask an administrator to add some."
)
WHICH_ONE = "That could mean several things. Which one do you mean?"


def finish(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Set the outcome and the text of the answer, and whether a person takes over."""
    ended = _ended(state, runtime.context)
    question = state["question"]
    if question.takes_over is None:
        return ended
    reason = reason_to_hand_over(
        question.text, state["history"], state["route"], ended["outcome"], state.get("before")
    )
    if reason is None:
        return ended
    said = human_text(None, question.takes_over)
    if reason == "upset":
        said = f"{SORRY} {said}"
    if state.get("claims"):
        said = f"{ended['text']}\n{said}"
    elif ended["outcome"] == "refused":
        said = f"{NO_POLICY} {said}"
    return ended | {"outcome": "escalated", "handed_over": reason, "text": said, "choices": ()}


def _ended(state: State, tools: Tools) -> dict[str, Any]:
    route, question = state["route"], state["question"]
    if route == "human":
        text = human_text(tools.settings.escalation_contact, question.takes_over)
        return {"outcome": "escalated", "text": text}
    if route == "small_talk":
        return {"outcome": "answered", "text": state["reply"]}
    if route == "clarify":
        return {"outcome": "clarifying", "text": WHICH_ONE}
    claims = state.get("claims", ())
    if claims:
        text = join([claim.text for claim in claims])
        return {"outcome": "answered", "text": text, "note": state["draft"].note}
    return refusal(state, tools)


def join(claims: Sequence[str]) -> str:
    """Return claims as one text: sentences run on, rows of tables and lists begin a line."""
    text = claims[0]
    for before, claim in pairwise(claims):
        apart = any("|" in part or "\n" in part for part in (before, claim))
        text += ("\n" if apart else " ") + claim
    return text


def refusal(state: State, tools: Tools) -> dict[str, Any]:
    """Return an honest no, with the closest words where there are any."""
    retrieval = state["retrieval"]
    note = state["draft"].note if "draft" in state else None
    ended: dict[str, Any] = {"outcome": "refused", "note": note}
    if retrieval.is_empty:
        return ended | {"text": NOTHING_IN_FORCE}
    takes_over = state["question"].takes_over
    offer = f"{OFFER}{takes_over.name}?" if takes_over else None
    if state["route"] == "out_of_scope":
        return ended | {"text": f"{OUT_OF_SCOPE} {offer or ANYTHING_ELSE}"}
    text = f"{NO_POLICY} {offer or OTHER_WORDS}"
    return ended | {"text": text, "closest": closest_citation(retrieval, tools)}


def make_answer(question: Question, state: State, started: float, trace: dict[str, Any]) -> Answer:
    """Return the finished state as an answer with a new id."""
    return Answer(
        id=new_answer_id(),
        question=question.text,
        route=state["route"],
        outcome=state["outcome"],
        text=state["text"],
        claims=state.get("claims", ()),
        closest=state.get("closest"),
        choices=state.get("choices", ()),
        note=state.get("note"),
        seconds=time.perf_counter() - started,
        trace=trace,
        style_outcome=state.get("style_outcome"),
    )


def keep(
    engine: Engine,
    workspace_id: int,
    question: Question,
    answer: Answer,
    conversation_id: int | None,
) -> None:
    """Write the two turns and the answer in one transaction."""
    with engine.begin() as connection:
        turn_id = None
        if conversation_id is not None:
            turn_id = add_exchange(
                connection,
                conversation_id,
                question.text,
                answer.text,
                user_id=question.user_id,
                event_key=question.event_key,
                message_key=question.message_key,
            )
        save_answer(
            connection,
            workspace_id,
            answer,
            turn_id=turn_id,
            as_of=question.as_of,
            user_id=question.user_id,
            access=question.access,
        )


def failure(question: Question, reference: str) -> tuple[Outcome, str]:
    """Return the outcome and the words of a question that could not be finished."""
    del question
    return (
        "error",
        f"I couldn't finish this (reference {reference})."
        " Asking again in a minute usually helps; if not, tell the operators the reference.",
    )
