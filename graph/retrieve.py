"""Retrieves passages for the question and weighs whether they answer it."""

import math
from typing import Any

from langgraph.runtime import Runtime

from graph.state import Decision, State, Tools
from retrieval.lexical import K1, terms
from retrieval.retriever import Retrieval

PASSAGES = 10

# Logistic regression, fitted on 1,400 turns of public-service dialogues (half of them with their
# whole domain taken away) and 213 open multi-turn questions, the latter at half the weight.
# Word coverage of the question came out at -0.15 and is left out (docs/decisions).
WEIGHTS = {"similarity": 8.7, "sentence": 2.4, "bm25": 2.5, "bias": -6.9}
ANSWER_FROM = 0.5  # confidence; below it the answer is an honest no
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
    )
    return {"retrieval": retrieval}


def weigh(state: State, _runtime: Runtime[Tools]) -> dict[str, Any]:
    """Decide between answering, one clarifying question, and refusing."""
    retrieval, question = state["retrieval"], state["question"]
    confidence = estimate_confidence(retrieval)
    choices = clarifying_choices(question.text, retrieval) if not state["history"] else ()
    if choices:
        return {"decision": "clarify", "route": "clarify", "choices": choices} | {
            "confidence": confidence
        }
    decision: Decision = "answer" if confidence >= ANSWER_FROM else "refuse"
    route = "out_of_scope" if confidence < OUT_OF_SCOPE_BELOW else "policy"
    return {"decision": decision, "route": route, "confidence": confidence}


def confidence_features(retrieval: Retrieval) -> dict[str, float]:
    """Return what the best passages say about whether the question is answered.

    The best cosine of a passage and of a sentence, and the best BM25 score as a share of what a
    passage with every asked word in it often would get.
    """
    total = max(retrieval.passages[0].candidate.bm25_total, 1e-9)
    return {
        "similarity": max(p.candidate.similarity for p in retrieval.passages),
        "sentence": max((s.similarity for s in retrieval.sentences), default=0.0),
        "bm25": max(p.candidate.bm25 for p in retrieval.passages) / ((K1 + 1) * total),
    }


def estimate_confidence(retrieval: Retrieval) -> float:
    """Return the probability that the passages answer the question; 0 if there are none."""
    if retrieval.is_empty:
        return 0.0
    features = confidence_features(retrieval)
    total = sum(WEIGHTS[name] * value for name, value in features.items()) + WEIGHTS["bias"]
    return 1 / (1 + math.exp(-total))


def clarifying_choices(question: str, retrieval: Retrieval) -> tuple[str, ...]:
    """Return the sections a very short question may mean, if several documents fit alike."""
    if len(set(terms(question))) > CLARIFY_TERMS or retrieval.is_empty:
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
