"""Retrieves passages for the question and weighs whether they answer it."""

import math
from typing import Any

from langgraph.runtime import Runtime

from graph.state import Decision, State, Tools
from retrieval.lexical import K1, terms
from retrieval.retriever import Retrieval

PASSAGES = 10

# Logistic regression on the features below, fitted on public-service dialogues (half of the
# turns with their whole domain taken away), open multi-turn questions and the sample policies'
# questions, each set and answer with the same weight (docs/decisions).
WEIGHTS = {
    "similarity": 4.2,
    "lift": 4.3,
    "sentence": 4.1,
    "agreement": 0.76,
    "bm25": 3.0,
    "bias": -7.2,
}
ANSWER_FROM = 0.4  # confidence; below it the answer is an honest no
MODEL_ANSWERS_FROM = 0.1  # the same where a model reads the passages: it may say no itself
OUT_OF_SCOPE_BELOW = 0.05  # confidence at which nothing kept here is even near the question
CLARIFY_TERMS = 1  # words of substance in a question that is too short to have one meaning
CLARIFY_MARGIN = 0.12  # share of the best score within which another document is as likely
MAX_CHOICES = 4


def retrieve(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Search with the question in its conversation."""
    question = state["question"]
    retrieval = runtime.context.retriever.retrieve(
        question.text,
        [turn.text for turn in state["history"]],
        question.access,
        state["as_of"],
        limit=PASSAGES,
        conversation=question.conversation,
    )
    adapted = retrieval.adapted
    if adapted is None or adapted.note is not None:
        return {"retrieval": retrieval}
    models = {**state.get("models", {}), "query_adapter": adapted.model_id}
    return {"retrieval": retrieval, "models": models}


def weigh(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Decide between answering, one clarifying question, and refusing."""
    retrieval, question = state["retrieval"], state["question"]
    confidence = estimate_confidence(retrieval)
    routed = state.get("route")
    choices: tuple[str, ...] = ()
    if not state["history"]:
        unclear = routed == "clarify"
        choices = clarifying_choices(question.text, retrieval, unclear=unclear)
    if choices:
        return {"decision": "clarify", "route": "clarify", "choices": choices} | {
            "confidence": confidence
        }
    # Where a trained head hears no question of policy, only good evidence speaks against it.
    foreign = routed == "out_of_scope"
    has_model = runtime.context.model is not None
    least = MODEL_ANSWERS_FROM if has_model and not foreign else ANSWER_FROM
    decision: Decision = "answer" if confidence >= least else "refuse"
    below = ANSWER_FROM if foreign else OUT_OF_SCOPE_BELOW
    route = "out_of_scope" if confidence < below else "policy"
    return {"decision": decision, "route": route, "confidence": confidence}


def confidence_features(retrieval: Retrieval) -> dict[str, float]:
    """Return what speaks for the best passages answering the question.

    The best cosine and how far it stands out from the median of what was found; of the first
    passage: its best sentence's cosine, whether it is among the three best by meaning and by
    words (0, 1 or 2), and its BM25 score as a share of what a passage full of the words gets.
    Cosines are those to the question as it was embedded: the weights know no adapter's.
    """
    first, background = retrieval.passages[0], retrieval.background
    similarity = max(p.candidate.cosine for p in retrieval.passages)
    by_meaning = first.candidate.cosine >= background.third_similarity
    by_words = first.candidate.bm25 >= background.third_bm25
    sentences = [s.similarity for s in retrieval.sentences if s.passage is first]
    return {
        "similarity": similarity,
        "lift": similarity - background.median_similarity,
        "sentence": max(sentences, default=0.0),
        "agreement": float(by_meaning) + float(by_words),
        "bm25": first.candidate.bm25 / ((K1 + 1) * max(first.candidate.bm25_total, 1e-9)),
    }


def estimate_confidence(retrieval: Retrieval) -> float:
    """Return the probability that the passages answer the question; 0 if there are none."""
    if retrieval.is_empty:
        return 0.0
    features = confidence_features(retrieval)
    total = sum(WEIGHTS[name] * value for name, value in features.items()) + WEIGHTS["bias"]
    return 1 / (1 + math.exp(-total))


def clarifying_choices(
    question: str, retrieval: Retrieval, *, unclear: bool = False
) -> tuple[str, ...]:
    """Return the sections a very short question may mean, if several documents fit alike.

    Of a longer one too where it is `unclear`, as a trained head may say.
    """
    is_short = len(set(terms(question))) <= CLARIFY_TERMS
    if not (is_short or unclear) or retrieval.is_empty:
        return ()
    best = retrieval.passages[0].scores.total
    near: dict[int, str] = {}
    for passage in retrieval.passages:
        if passage.scores.total >= best * (1 - CLARIFY_MARGIN):
            candidate = passage.candidate
            near.setdefault(
                candidate.version_id, " › ".join((candidate.title, *candidate.section))
            )
    return tuple(near.values())[:MAX_CHOICES] if len(near) > 1 else ()
