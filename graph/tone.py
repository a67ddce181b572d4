"""Replies to small talk in the team's voice, which may state no policy facts.

The tuned model in use replies; until there is one, the base model does, shown the approved
examples that are nearest. Without either, and whenever a reply states what only a cited answer
may, one of the plain replies stands.
"""

from typing import TYPE_CHECKING, Any, Literal

from langgraph.runtime import Runtime

from graph.models import ModelError, ask_in_words
from graph.mood import mood, trained_judge
from graph.router import REPLIES, small_talk_kind
from graph.state import State, Tools, storable
from graph.style import styled_by
from graph.voice import register_of
from retrieval.voice import Message, policy_facts, tone_messages

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

TURNS = 4  # earlier ones that a reply may speak of


def tone(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Return the reply to small talk, and whose words it is."""
    tools, question = runtime.context, state["question"]
    kind = small_talk_kind(question.text)
    plain = {"reply": REPLIES[kind]}
    if kind == "wordless":
        return plain
    model = tools.voices.model_for(question.conversation)
    if model is not None:
        speaker = tools.voices.speaker(model)
        if speaker is None:
            return plain | styled_by(state, model, "failed", "no address serves it")
        reply, said = _ask(speaker.chat, _messages(tools, state))
        if reply is None:
            return plain | said | styled_by(state, model, "failed", str(said.get("style")))
        stated = policy_facts(reply)
        if stated is not None:
            return plain | said | styled_by(state, model, "facts_changed", stated)
        return said | styled_by(state, model, "styled") | {"reply": reply}
    if tools.model is None:
        return plain
    examples = tools.voices.nearest(question.text, question.access)
    if not examples:
        return plain
    shown = [(one.asked, one.replied) for one in examples]
    reply, said = _ask(tools.model, _messages(tools, state, shown))
    stated = policy_facts(reply) if reply is not None else None
    if reply is None or stated is not None:
        return plain | said | {"style": f"examples: not used, {stated or said.get('style')}"}
    return said | {"reply": reply, "style": f"{len(shown)} approved examples"}


def _messages(
    tools: Tools, state: State, examples: list[tuple[str, str]] | None = None
) -> list[Message]:
    question = state["question"]
    judge = trained_judge(tools.router.heads, question.conversation)
    roles: dict[str, Literal["asker", "team"]] = {"asker": "asker", "footnote": "team"}
    turns = [(roles[turn.role], turn.text) for turn in state["history"][-TURNS:]]
    return tone_messages(
        [*turns, ("asker", question.text)],
        register_of(mood(question.text, state["history"], judge)),
        tone=question.tone,
        language=question.language,
        examples=examples or (),
    )


def _ask(chat: "ChatOpenAI", messages: list[Message]) -> tuple[str | None, dict[str, Any]]:
    """Return a model's reply and its tokens, or None and why there is none."""
    try:
        reply, tokens = ask_in_words(chat, messages)
    except ModelError as error:
        return None, {"style": str(error)}
    return storable(reply).strip(), {"style_tokens": tokens}
