"""Answers from the passages: by the language model if there is one, else by quoting sentences."""

from typing import Any

from langgraph.runtime import Runtime

from core.logs import logger
from graph.extract import extract
from graph.models import MAX_CLAIMS, GeneratedAnswer, ModelError, ask_model
from graph.prompts import answer_messages
from graph.retrieve import ANSWER_FROM
from graph.state import Draft, DraftClaim, State, Tools, storable

log = logger(__name__)

MODEL_PASSAGES = 8


def answer(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Draft claims with quotes; the extractive draft stands in when the model fails."""
    tools, retrieval = runtime.context, state["retrieval"]
    asked = state["question"]
    question = asked.text
    if tools.model is None:
        return {"draft": extract(question, retrieval)}
    passages = retrieval.passages[:MODEL_PASSAGES]
    messages = answer_messages(
        question,
        state["history"],
        passages,
        language=asked.language,
        tone=asked.tone,
        examples=_examples(state, tools),
    )
    try:
        generated, tokens = ask_model(tools.model, messages, GeneratedAnswer)
    except ModelError as error:
        log.warning("model failed", reason=str(error), model=tools.model.model_name)
        note = f"Answered without the language model: {error}."
        if state["confidence"] < ANSWER_FROM:
            return {"draft": Draft("extractive", (), note)}
        return {"draft": extract(question, retrieval, note)}
    claims = tuple(
        DraftClaim(
            storable(claim.text).strip(), passages[claim.passage - 1], storable(claim.quote)
        )
        for claim in generated.claims[:MAX_CLAIMS]
        if 1 <= claim.passage <= len(passages)
    )
    return {"draft": Draft(tools.model.model_name, claims, tokens=tokens)}


def _examples(state: State, tools: Tools) -> list[str]:
    """Return replies of the team to show for their tone, where no tuned model restyles after."""
    question = state["question"]
    if tools.voices.model_for(question.conversation) is not None:
        return []
    return [one.replied for one in tools.voices.nearest(question.text, question.access)]
