"""Which exchanges say the same: MinHash of their words, as rensa makes it.

128 permutations over runs of three words; signatures are compared where one of 32 bands of four
agrees, and count as alike from an estimated Jaccard index of 0.8 on. (Broder, On the resemblance
and containment of documents, 1997.)
"""

import re
from array import array
from collections.abc import Iterable, Sequence

from finetune.spans import PLACEHOLDER
from store.transcripts import Said

PERMUTATIONS = 128
SEED = 20_260
BAND = 4 * 4  # bytes: four rows
ALIKE = 0.8  # estimated share of runs of words that two have in common
RUN = 3  # words
WORD = re.compile(r"\w+")


def signature(messages: Sequence[Said]) -> bytes:
    """Return the MinHash of what was said, 512 bytes; placeholders count by their kind."""
    from rensa import RMinHash  # noqa: PLC0415 - only the first pass needs it

    runs: set[str] = set()
    for message in messages:
        kept = PLACEHOLDER.sub(lambda found: found[0].rpartition("_")[0][1:], message.text)
        words = WORD.findall(kept.casefold())
        joined = [message.role, *words]
        runs.update(" ".join(joined[n : n + RUN]) for n in range(max(1, len(joined) - RUN + 1)))
    made = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    made.update(sorted(runs))
    return array("I", made.digest()).tobytes()


def likeness(one: bytes, other: bytes) -> float:
    """Return the estimated Jaccard index of two signatures, 0 … 1."""
    if len(one) != len(other) or not one:
        return 0.0
    pairs = zip(array("I", one), array("I", other), strict=True)
    return sum(left == right for left, right in pairs) / (len(one) // 4)


class Likes:
    """Signatures that were seen, to be asked for the earliest that is alike."""

    def __init__(self, known: Iterable[tuple[int, bytes]] = ()) -> None:
        """Begin with what is known, by ids."""
        self._signatures: dict[int, bytes] = {}
        self._bands: dict[tuple[int, bytes], list[int]] = {}
        for number, signed in known:
            self.add(number, signed)

    def add(self, number: int, signed: bytes) -> None:
        """Remember a signature under an id."""
        self._signatures[number] = signed
        for place in range(0, len(signed), BAND):
            self._bands.setdefault((place, signed[place : place + BAND]), []).append(number)

    def earliest(self, signed: bytes) -> tuple[int, float] | None:
        """Return the smallest id whose words are alike, and how much; None where none is."""
        near = {
            number
            for place in range(0, len(signed), BAND)
            for number in self._bands.get((place, signed[place : place + BAND]), ())
        }
        for number in sorted(near):
            share = likeness(signed, self._signatures[number])
            if share >= ALIKE:
                return number, share
        return None
