"""Restyles verified claims with the style model in use; facts are locked.

The style model may only rewrite. If a number, date, amount, name, condition, negation, address
or citation mark differs, or a sentence is lost, the unstyled claims are posted, the trace says so
and the miss is counted.
"""

from typing import Any

from langgraph.runtime import Runtime

from graph.models import ModelError, ask_in_words
from graph.mood import mood, trained_judge
from graph.state import State, Tools, storable
from graph.voice import register_of
from retrieval.voice import (
    changed_facts,
    read_lines,
    style_messages,
    with_marks,
    without_marks,
)
from store.answers import Claim, StyleOutcome
from store.model_registry import Model


def style(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Return the claims in the team's voice, or as they are where no model may do it."""
    tools, claims, question = runtime.context, state["claims"], state["question"]
    model = tools.voices.model_for(question.conversation) if claims else None
    if model is None:
        return {"style": None}
    if any("|" in claim.text or "\n" in claim.text for claim in claims):
        return {"style": f"{model.name}: not asked, rows of a table stay as they are"}
    speaker = tools.voices.speaker(model)
    if speaker is None:
        return styled_by(state, model, "failed", "no address serves it")
    sentences = [
        with_marks(claim.text, [citation.number for citation in claim.citations])
        for claim in claims
    ]
    judge = trained_judge(tools.router.heads, question.conversation)
    register = register_of(mood(question.text, state["history"], judge))
    messages = style_messages(sentences, register, tone=question.tone, language=question.language)
    try:
        reply, tokens = ask_in_words(speaker.chat, messages)
    except ModelError as error:
        return styled_by(state, model, "failed", str(error))
    used: dict[str, Any] = {"style_tokens": tokens}
    lines = read_lines(storable(reply), len(sentences))
    if lines is None:
        return used | styled_by(state, model, "failed", "its lines could not be read")
    changed = changed_facts(sentences, lines)
    if changed is not None:
        return used | styled_by(state, model, "facts_changed", changed)
    rewritten = tuple(
        Claim(without_marks(line), claim.citations)
        for claim, line in zip(claims, lines, strict=True)
    )
    return used | styled_by(state, model, "styled") | {"claims": rewritten}


def styled_by(
    state: State, model: Model, outcome: StyleOutcome, reason: str = ""
) -> dict[str, Any]:
    """Return what the state keeps of a model that was asked to style, and how that ended."""
    told = model.name if not reason else f"{model.name}: not used, {reason}"
    return {
        "style": told,
        "style_outcome": outcome,
        "models": {**state.get("models", {}), "style": model.id},
    }
