"""Checks every drafted claim against the version's own text; nothing unchecked goes on."""

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from graph.state import DraftClaim, State, Tools
from retrieval.addresses import addresses
from retrieval.lexical import terms
from retrieval.quotes import Span, locate, unsupported_reason
from retrieval.retriever import Retrieval
from store.answers import Citation, Claim
from store.documents import Version, read_block_at, read_versions
from store.search import Candidate

LONGEST_CLAIM = 1_200  # characters; a reply has MAX_CLAIMS of them at most


def verify(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Keep the claims whose quotes stand in the version's text and support them."""
    tools, drafted = runtime.context, state["draft"].claims
    texts = {
        version.id: version
        for version in read_versions(
            tools.engine,
            tools.workspace_id,
            {claim.passage.candidate.version_id for claim in drafted},
        )
    }
    kept: list[Claim] = []
    dropped: list[dict[str, Any]] = []
    numbers: dict[tuple[int, int, int], int] = {}
    for claim in drafted:
        span, reason = check(claim, texts)
        if span is None or reason is not None:
            dropped.append({"claim": claim.text, "quote": claim.quote, "reason": reason})
            continue
        place = (claim.passage.candidate.version_id, span.start, span.end)
        number = numbers.setdefault(place, len(numbers) + 1)
        candidate = claim.passage.candidate
        citation = cite(candidate, texts[candidate.version_id], span, number, tools)
        kept.append(Claim(claim.text, (citation,)))
    return {"claims": tuple(kept), "dropped": tuple(dropped)}


def check(claim: DraftClaim, versions: Mapping[int, Version]) -> tuple[Span | None, str | None]:
    """Return where the claim's quote stands in its version, or why the claim falls."""
    candidate = claim.passage.candidate
    version = versions.get(candidate.version_id)
    if version is None:
        return None, "version: it is no longer kept"
    found = locate(claim.quote, version.text[candidate.start : candidate.end])
    if found is None:
        return None, "quote: these words do not stand in the passage"
    span = Span(candidate.start + found.start, candidate.start + found.end)
    words = version.text[span.start : span.end]
    reason = too_long(claim.text) or _overreach(claim.text, words)
    return span, reason or unsupported_reason(claim.text, [words])


def too_long(claim: str) -> str | None:
    """Return what a claim has too much of, or None: a reply is a few sentences, not a document."""
    if len(claim) <= LONGEST_CLAIM:
        return None
    return f"length: {len(claim)} characters, {LONGEST_CLAIM} at most"


def _overreach(claim: str, words: str) -> str | None:
    """Return what a claim holds that no quote can support, or None.

    An answerer that obeys a passage instead of quoting it would lead people to an address.
    """
    if not terms(claim):
        return "words: it says nothing that could be checked"
    added = sorted(addresses(claim) - addresses(words))
    return f"address: {added[0]} not in the quote" if added else None


def cite(
    candidate: Candidate, version: Version, span: Span, number: int, tools: Tools
) -> Citation:
    """Return the citation of a span, with the version's own words as its quote.

    The section is the quote's own: a passage may hold several small ones.
    """
    block = read_block_at(tools.engine, version.id, span.start)
    viewer = f"{tools.settings.page_url}/documents/{version.id}?start={span.start}&end={span.end}"
    return Citation(
        number=number,
        version_id=version.id,
        document=version.document_key,
        title=version.title,
        version=version.number,
        section=block.heading_path if block else candidate.section,
        page=block.page if block else candidate.page,
        start=span.start,
        end=span.end,
        quote=version.text[span.start : span.end],
        effective_from=version.effective_from,
        effective_to=version.effective_to,
        link=version.link or viewer,
    )


def closest_citation(retrieval: Retrieval, tools: Tools) -> Citation | None:
    """Return the words nearest to a question that is refused, exactly as they stand."""
    if not retrieval.sentences:
        return None
    # A heading or a scrap says nothing by itself, unless there is nothing else.
    telling = [s for s in retrieval.sentences if s.kind != "heading" and len(s.text.split()) > 3]
    nearest = max(telling or retrieval.sentences, key=lambda s: s.similarity)
    candidate = nearest.passage.candidate
    versions = read_versions(tools.engine, tools.workspace_id, [candidate.version_id])
    if not versions or versions[0].text[nearest.start : nearest.end] != nearest.text:
        return None
    return cite(candidate, versions[0], Span(nearest.start, nearest.end), 1, tools)
