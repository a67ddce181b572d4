"""Answers from the passages: by the language model if there is one, else by quoting sentences."""

from typing import Any

from langgraph.runtime import Runtime

from core.logs import logger
from graph.models import MAX_CLAIMS, GeneratedAnswer, ModelError, ask_model
from graph.prompts import answer_messages
from graph.state import Draft, DraftClaim, State, Tools
from retrieval.retriever import Retrieval, Sentence

log = logger(__name__)

MODEL_PASSAGES = 8
PASSAGE_SHARE = 0.35  # of a sentence's score: how well its passage ranked
SECOND_SHARE = 0.92  # of the best score, from which a second place is quoted too
MAX_SENTENCES = 3


def answer(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Draft claims with quotes; the extractive draft stands in when the model fails."""
    tools, retrieval = runtime.context, state["retrieval"]
    if tools.model is None:
        return {"draft": extract(retrieval)}
    passages = retrieval.passages[:MODEL_PASSAGES]
    messages = answer_messages(state["question"].text, state["history"], passages)
    try:
        generated, tokens = ask_model(tools.model, messages, GeneratedAnswer)
    except ModelError as error:
        log.warning("model failed", reason=str(error), model=tools.model.model_name)
        note = f"Answered without the language model: {error}."
        return {"draft": extract(retrieval, note=note)}
    claims = tuple(
        DraftClaim(claim.text.strip(), passages[claim.passage - 1], claim.quote)
        for claim in generated.claims[:MAX_CLAIMS]
        if 1 <= claim.passage <= len(passages)
    )
    return {"draft": Draft(tools.model.model_name, claims, tokens=tokens)}


def extract(retrieval: Retrieval, note: str | None = None) -> Draft:
    """Quote the best-supported sentences: the best one, what belongs to it, a second place."""
    if not retrieval.sentences:
        return Draft("extractive", (), note)
    ranked = sorted(retrieval.sentences, key=lambda s: -_score(s, retrieval))
    best = ranked[0]
    chosen = _with_neighbour(best, retrieval)
    for other in ranked[1:]:
        if _score(other, retrieval) < SECOND_SHARE * _score(best, retrieval):
            break
        if other.passage is not best.passage and other.text not in {s.text for s in chosen}:
            chosen.append(other)
            break
    claims = tuple(
        DraftClaim(sentence.text, sentence.passage, sentence.text)
        for sentence in chosen[:MAX_SENTENCES]
    )
    return Draft("extractive", claims, note)


def _score(sentence: Sentence, retrieval: Retrieval) -> float:
    best = retrieval.passages[0].scores.total
    rank = sentence.passage.scores.total / best if best > 0 else 0.0
    return (1 - PASSAGE_SHARE) * sentence.similarity + PASSAGE_SHARE * rank


def _with_neighbour(best: Sentence, retrieval: Retrieval) -> list[Sentence]:
    """Return the sentence with the one after it, or before it if it ends its passage."""
    passage = [s for s in retrieval.sentences if s.passage is best.passage]
    place = passage.index(best)
    if place + 1 < len(passage):
        return passage[place : place + 2]
    return passage[max(0, place - 1) : place + 1]
