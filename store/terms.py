"""Keys of terms by their weight in a chunk, for an index that finds the weightiest chunks first.

A chunk's BM25 weight of a term lies in 0 … 2.2; sixteen tiers of it, each with the term, are the
keys of a GIN index. A question takes keys in the order of what they can contribute until they
stand for as many chunks as may be ranked exactly (impact-ordered postings: Anh and Moffat 2006).
"""

from collections.abc import Mapping

TIERS = 16
MOST_WEIGHT = 2.2  # the limit of tf·(k1+1)/(tf+…) for k1 = 1.2
TERM_BITS = 30  # of a term's id
TIER_BITS = 4
WORKSPACE_SHIFT = TERM_BITS + TIER_BITS


def tier_of(weight: float) -> int:
    """Return the tier, from 0, of a term's weight in a chunk."""
    return min(TIERS - 1, int(TIERS * weight / MOST_WEIGHT))


def term_keys(workspace_id: int, weights: Mapping[int, float]) -> list[int]:
    """Return the keys of a chunk's terms, sorted; no two workspaces share one."""
    base = workspace_id << WORKSPACE_SHIFT
    return sorted(base | term << TIER_BITS | tier_of(weight) for term, weight in weights.items())
