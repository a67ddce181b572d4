"""Which texts are nearly the same: MinHash finds candidates, their shared words decide.

The first pass estimates how alike whole transcripts are, since it sees one at a time. Rows are
parts of them, all there at once, and what is on which side of a split must not depend on luck.
"""

import re
from collections.abc import Iterator, Sequence

from rensa import RMinHash, RMinHashLSH

from finetune.spans import PLACEHOLDER

SHINGLE = 3  # words that follow each other
ALIKE = 0.7  # of two texts' shingles that are shared, of all that either has (Jaccard)
HASHES = 128
BANDS = 32  # of 4 hashes: a pair at `ALIKE` is among the candidates in 99.99 of 100 cases
HASH_SEED = 1
WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return a text's words as they are compared: placeholders by their kind, without case."""
    kinds = PLACEHOLDER.sub(lambda found: found[0][1:-1].rpartition("_")[0], text)
    return WORD.findall(kinds.casefold())


def shingles(text: str) -> frozenset[str]:
    """Return every three words that follow each other; all of a shorter text."""
    words = words_of(text)
    last = max(1, len(words) - SHINGLE + 1)
    return frozenset(" ".join(words[at : at + SHINGLE]) for at in range(last))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of shingles that both have."""
    together = len(one | other)
    return len(one & other) / together if together else 1.0


def near(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places whose texts are nearly the same, enough to join each such group."""
    parts = [shingles(text) for text in texts]
    index = RMinHashLSH(ALIKE, HASHES, BANDS)
    groups = Groups(len(texts))
    for place, signature in enumerate(_hashed(parts)):
        for other in sorted(index.query(signature)):
            if groups.of(place) == groups.of(other):
                continue
            if jaccard(parts[place], parts[other]) >= ALIKE:
                groups.join(place, other)
                yield place, other
        index.insert(place, signature)


def like_any(texts: Sequence[str], known: Sequence[str]) -> Iterator[int]:
    """Yield the places of texts that are nearly the same as one that is known."""
    parts = [shingles(text) for text in known]
    index = RMinHashLSH(ALIKE, HASHES, BANDS)
    for place, signature in enumerate(_hashed(parts)):
        index.insert(place, signature)
    mine = [shingles(text) for text in texts]
    for place, signature in enumerate(_hashed(mine)):
        if any(jaccard(mine[place], parts[other]) >= ALIKE for other in index.query(signature)):
            yield place


def _hashed(parts: Sequence[frozenset[str]]) -> list[RMinHash]:
    tokens = [sorted(part) for part in parts]
    return list(RMinHash.from_token_sets(tokens, HASHES, HASH_SEED))


class Groups:
    """Numbers from 0 that were joined into groups, each named by its smallest member."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, one: int) -> int:
        """Return the group of a number."""
        root = one
        while self._above[root] != root:
            root = self._above[root]
        while self._above[one] != root:
            self._above[one], one = root, self._above[one]
        return root

    def join(self, one: int, other: int) -> None:
        """Make the groups of two numbers one."""
        low, high = sorted((self.of(one), self.of(other)))
        self._above[high] = low
