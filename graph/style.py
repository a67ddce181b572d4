"""Restyles verified claims with the active style model; facts are locked.

The style model may only rewrite. If a number, date, amount, negation or address differs, or a
sentence is lost, the unstyled claims are posted and the trace says so.
"""

from typing import Any

from langgraph.runtime import Runtime

from graph.models import ModelError, StyledSentences, ask_model, open_model
from graph.prompts import style_messages
from graph.state import State, Tools, storable
from graph.verify import too_long
from retrieval.addresses import addresses
from retrieval.quotes import NEGATION, facts
from store.answers import Claim
from store.model_registry import active_model


def style(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Return the claims in the team's voice, or as they are where no model may do it."""
    tools, claims = runtime.context, state["claims"]
    if not claims or not tools.settings.has_model:
        return {"style": None}
    active = active_model(tools.engine, tools.workspace_id, "style")
    model = open_model(tools.settings, active.artefact) if active else None
    if model is None or active is None:
        return {"style": None}
    try:
        styled, tokens = ask_model(
            model, style_messages([claim.text for claim in claims]), StyledSentences
        )
    except ModelError as error:
        return {"style": f"{active.name}: not used, {error}"}
    changed = changed_facts([claim.text for claim in claims], styled.sentences)
    if changed is not None:
        return {"style": f"{active.name}: not used, {changed}", "style_tokens": tokens}
    rewritten = tuple(
        Claim(storable(sentence).strip(), claim.citations)
        for claim, sentence in zip(claims, styled.sentences, strict=True)
    )
    return {"claims": rewritten, "style": active.name, "style_tokens": tokens}


def changed_facts(before: list[str], after: list[str]) -> str | None:
    """Return what restyling changed that it may not, or None."""
    if len(before) != len(after):
        return "the number of sentences changed"
    for old, new in zip(before, after, strict=True):
        if facts(old) != facts(new):
            return "a number, date or amount changed"
        if _negations(old) != _negations(new):
            return "a negation changed"
        if addresses(old) != addresses(new):
            return "an address changed"
        if not new.strip():
            return "a sentence was lost"
        if too_long(new):
            return "a sentence became too long"
    return None


def _negations(text: str) -> int:
    """Count them: "not … unless" without its "unless" is negated still, and says another thing."""
    return len(NEGATION.findall(text))
