"""Measures a router head against what routes now, on messages whose route people labelled."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.gate import Decision, Figure, GateError, decide
from graph.mood import mood
from graph.router import PERSON as PERSON_ASKED
from graph.router import Router
from retrieval.artefacts import ArtefactError
from retrieval.embeddings import Embedder
from retrieval.router_head import RouterHead
from store.datasets import DatasetRow
from store.model_registry import Model

ROUTE, SENTIMENT, PERSON = "route", "sentiment", "human"
MARGIN = 0.02  # share of messages; of those who want a person none may be lost at all
WANT_A_PERSON = "wants a person"


def measure_router(
    embedder: Embedder, candidate: Model, incumbent: Model | None, rows: Sequence[DatasetRow]
) -> Decision:
    """Return the verdict on a router against the active one, or the routing by rules.

    The main figure is the share of routed messages that went where people say; where a dataset
    has no routes, that of its sentiments. Raises GateError where a head cannot be read.
    """
    held = [row for row in rows if row.split == "validation"]
    ours = _head(candidate, embedder)
    theirs = None if incumbent is None else _head(incumbent, embedder)
    plain = Router(embedder)
    figures = []
    for part in (ROUTE, SENTIMENT):
        asked = [row for row in held if row.content["head"] == part]
        if asked and part in ours.parts:
            figures.append(_accuracy(part, asked, ours, theirs, plain, embedder))
    if not figures:
        raise GateError(
            "The dataset's validation rows have no labelled routes that this router knows; label"
            " more with `footnote transcripts review` and build again."
        )
    guards = [
        Figure(one.name, one.groups, one.candidate, one.incumbent, MARGIN) for one in figures[1:]
    ]
    people = [row for row in held if row.content["label"] == PERSON]
    if people and ROUTE in ours.parts:
        wants = _accuracy(ROUTE, people, ours, theirs, plain, embedder)
        guards.append(
            Figure(WANT_A_PERSON, wants.groups, wants.candidate, wants.incumbent, MARGIN)
        )
    decided = decide(figures[0], guards, ())
    more = {
        "kind": "router",
        "against": incumbent.name if incumbent else "routing by rules",
        "cases": len(held),
    }
    return Decision(decided.passed, decided.reason, decided.evidence | more)


def _head(model: Model, embedder: Embedder) -> RouterHead:
    try:
        return RouterHead.load(Path(model.artefact), embedder)
    except ArtefactError as error:
        raise GateError(f"{model.name} cannot be measured: {error}") from error


def _accuracy(
    part: str,
    rows: Sequence[DatasetRow],
    ours: RouterHead,
    theirs: RouterHead | None,
    plain: Router,
    embedder: Embedder,
) -> Figure:
    candidate, incumbent = [], []
    for row in rows:
        text, history = row.content["text"], tuple(row.content.get("history") or ())
        stands = _by_rules(part, plain, text, history)
        label = row.content["label"]
        candidate.append(float(_judged(ours, part, embedder, text, history, stands) == label))
        now = stands
        if theirs is not None and part in theirs.parts:
            now = _judged(theirs, part, embedder, text, history, stands)
        incumbent.append(float(now == label))
    return Figure(part, [row.conversation for row in rows], candidate, incumbent)


def _by_rules(part: str, plain: Router, text: str, history: Sequence[str]) -> str:
    return plain.route(text, history)[0] if part == ROUTE else mood(text).sentiment


def _judged(
    head: RouterHead,
    part: str,
    embedder: Embedder,
    text: str,
    history: Sequence[str],
    otherwise: str,
) -> str:
    """Return what a head says where it is sure enough, and else the rules, as in use."""
    if part == ROUTE and PERSON_ASKED.search(text):
        return otherwise
    said = head.judge(part, embedder, text, history)
    return said.label if said.probability >= said.threshold else otherwise
