"""Answers from the passages: by the language model if there is one, else by quoting sentences."""

from typing import Any

from langgraph.runtime import Runtime

from core.logs import logger
from graph.models import MAX_CLAIMS, GeneratedAnswer, ModelError, ask_model
from graph.prompts import answer_messages
from graph.retrieve import ANSWER_FROM
from graph.state import Draft, DraftClaim, State, Tools, storable
from retrieval.lexical import terms
from retrieval.retriever import Retrieval, Sentence

log = logger(__name__)

MODEL_PASSAGES = 8
# A sentence's score, tuned on 600 turns of public-service dialogues for how often the quoted
# sentences cover half of the gold words (29.8 → 43 %; docs/decisions).
ALONE_SHARE = 0.7  # similarity to the question; the rest is similarity within the conversation
HEADING_WEIGHT = 0.2  # of the similarity of the heading above
WORDS_WEIGHT = 0.3  # of the share of the question's words that the sentence has
PASSAGE_WEIGHT = 1.5  # of the passage's rank, as a share of the best passage's score
NEIGHBOUR_SHARE = 0.5  # of the best relevance, from which a sentence beside it is quoted too
SECOND_SHARE = 0.92  # of the best score, from which a second passage is quoted too
MAX_SENTENCES = 3
LEAST_WORDS = 3  # in a sentence worth quoting


def answer(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Draft claims with quotes; the extractive draft stands in when the model fails."""
    tools, retrieval = runtime.context, state["retrieval"]
    question = state["question"].text
    if tools.model is None:
        return {"draft": extract(question, retrieval)}
    passages = retrieval.passages[:MODEL_PASSAGES]
    messages = answer_messages(question, state["history"], passages)
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


def extract(question: str, retrieval: Retrieval, note: str | None = None) -> Draft:
    """Quote the best-supported sentence, those beside it that belong to it, a second passage."""
    relevance = relevances(question, retrieval)
    if not relevance:
        return Draft("extractive", (), note)
    top = max(retrieval.passages[0].scores.total, 1e-9)
    score = {
        sentence: value + PASSAGE_WEIGHT * sentence.passage.scores.total / top
        for sentence, value in relevance.items()
    }
    best = max(score, key=lambda sentence: score[sentence])
    second = _second(best, score)
    chosen = [best, *_beside(best, relevance, retrieval), *second][:MAX_SENTENCES]
    chosen.sort(key=lambda s: (s.passage is not best.passage, s.start))
    claims = tuple(DraftClaim(s.text, s.passage, s.text) for s in chosen)
    return Draft("extractive", claims, note)


def relevances(question: str, retrieval: Retrieval) -> dict[Sentence, float]:
    """Return how near each sentence is that may be quoted: headings and scraps may not."""
    asked = set(terms(question))
    found: dict[Sentence, float] = {}
    heading, passage = 0.0, None
    for sentence in retrieval.sentences:
        if sentence.passage is not passage:
            heading, passage = 0.0, sentence.passage
        if sentence.is_heading:
            heading = max(0.0, sentence.similarity)
        elif len(sentence.text.split()) >= LEAST_WORDS:
            found[sentence] = (
                ALONE_SHARE * sentence.similarity
                + (1 - ALONE_SHARE) * sentence.in_conversation
                + HEADING_WEIGHT * heading
                + WORDS_WEIGHT * len(asked & set(terms(sentence.text))) / max(len(asked), 1)
            )
    return found


def _beside(
    best: Sentence, relevance: dict[Sentence, float], retrieval: Retrieval
) -> list[Sentence]:
    """Return the sentences right before and after the best one that belong to it, nearer first.

    A heading between them, or a table's edge, means that they do not.
    """
    passage = [s for s in retrieval.sentences if s.passage is best.passage]
    place = passage.index(best)
    near = [
        sentence
        for sentence in passage[max(0, place - 1) : place] + passage[place + 1 : place + 2]
        if relevance.get(sentence, 0.0) >= NEIGHBOUR_SHARE * relevance[best]
        and ("|" in sentence.text) == ("|" in best.text)
    ]
    return sorted(near, key=lambda sentence: -relevance[sentence])


def _second(best: Sentence, score: dict[Sentence, float]) -> list[Sentence]:
    """Return a sentence of another passage that is as good, unless it says the same."""
    others = [s for s in score if s.passage is not best.passage and s.text != best.text]
    second = max(others, key=lambda sentence: score[sentence], default=None)
    if second is None or score[second] < SECOND_SHARE * score[best]:
        return []
    return [second]
