"""What is kept of how an answer came about."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from graph.state import State
from retrieval.query_adapter import Adapted


def make_trace(state: State) -> dict[str, Any]:
    """Return route, candidates with all scores, what was dropped and why, timings, tokens."""
    retrieval, draft = state.get("retrieval"), state.get("draft")
    return {
        "route": state["route"],
        "router": state["routed"].to_json() if "routed" in state else None,
        "as_of": state["as_of"].isoformat(),
        "history_turns": len(state["history"]),
        "confidence": round(state["confidence"], 4) if "confidence" in state else None,
        "decision": state.get("decision"),
        "handed_over": state.get("handed_over"),
        "answerer": draft.answerer if draft else None,
        "tokens": _tokens(draft.tokens if draft else {}, state.get("style_tokens", {})),
        "style": state.get("style"),
        "models": dict(state.get("models", {})),
        "claims_drafted": len(draft.claims) if draft else 0,
        "claims_verified": len(state.get("claims", ())),
        "dropped": list(state.get("dropped", ())),
        "expanded": [added.to_json() for added in (retrieval.expanded if retrieval else ())],
        "adapter": _adapter(retrieval.adapted) if retrieval and retrieval.adapted else None,
        "candidates": [
            {
                "document": passage.candidate.document_key,
                "version": passage.candidate.version,
                "section": " › ".join(passage.candidate.section),
                "start": passage.candidate.start,
                "end": passage.candidate.end,
                "similarity": round(passage.scores.similarity, 4),
                "bm25": round(passage.candidate.bm25, 4),
                "sentence": round(passage.scores.sentence, 4),
                "document_score": round(passage.scores.document, 4),
                "total": round(passage.scores.total, 4),
            }
            for passage in (retrieval.passages if retrieval else ())
        ],
        "milliseconds": {
            name: round(seconds * 1000, 2) for name, seconds in state["timings"].items()
        },
    }


def _adapter(adapted: Adapted) -> dict[str, str | None]:
    """Return which trained adapter turned the question, or why it did not."""
    return {"model": adapted.name, "note": adapted.note}


def _tokens(*used: Mapping[str, int]) -> dict[str, int]:
    """Return the tokens of several calls together, in and out."""
    together: Counter[str] = Counter()
    for tokens in used:
        together.update(tokens)
    return dict(together)
