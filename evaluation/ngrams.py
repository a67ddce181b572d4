"""Runs of words: how expected a text is to one voice, and what it repeats word for word."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")
ORDER = 3
BEGIN, END, UNKNOWN, NUMBER = "<s>", "</s>", "<unk>", "<n>"
COPIED = 8  # words in a row that are no longer said by chance

Gram = tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Return words, punctuation and one sign for any number, in small letters."""
    return [NUMBER if one.isdigit() else one for one in TOKEN.findall(text.casefold())]


class WordModel:
    """An interpolated Kneser-Ney model of three words (Chen and Goodman, 1998, one discount).

    Words that it met once count as unknown, so that it knows how likely those are.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Count what the texts of a voice say."""
        said = [tokens(text) for text in texts]
        known = Counter(word for words in said for word in words)
        self._known = {word for word, count in known.items() if count > 1} | {END}
        self._counts: list[Counter[Gram]] = [Counter() for _ in range(ORDER)]
        for words in said:
            self._counts[-1].update(self._grams(words, ORDER))
        # Below the highest order counts how many words a run follows, not how often it stands.
        for order in range(ORDER - 1, 0, -1):
            for gram in self._counts[order]:
                self._counts[order - 1][gram[1:]] += 1
        self._discounts = [_discount(counts) for counts in self._counts]
        self._contexts: list[dict[Gram, tuple[int, int]]] = []
        for counts in self._counts:
            totals: dict[Gram, list[int]] = defaultdict(lambda: [0, 0])
            for gram, count in counts.items():
                total = totals[gram[:-1]]
                total[0] += count
                total[1] += 1
            self._contexts.append({context: (a, b) for context, (a, b) in totals.items()})

    def surprise(self, text: str) -> float:
        """Return the mean negative log-likelihood of a word of the text, in nats."""
        grams = list(self._grams(tokens(text), ORDER))
        return -sum(math.log(self._probability(gram)) for gram in grams) / len(grams)

    def _grams(self, words: Sequence[str], order: int) -> Iterator[Gram]:
        read = [word if word in self._known else UNKNOWN for word in words]
        padded = [BEGIN] * (order - 1) + read + [END]
        for place in range(len(padded) - order + 1):
            yield tuple(padded[place : place + order])

    def _probability(self, gram: Gram) -> float:
        order = len(gram) - 1
        if order < 0:
            return 1 / (len(self._known) + 1)
        total, kinds = self._contexts[order].get(gram[:-1], (0, 0))
        lower = self._probability(gram[1:])
        if not total:
            return lower
        discount = self._discounts[order]
        own = max(self._counts[order][gram] - discount, 0.0) / total
        return own + discount * kinds / total * lower


def _discount(counts: Counter[Gram]) -> float:
    """Return Ney's estimate n1 / (n1 + 2 n2); half where there is nothing to estimate it by."""
    frequencies = Counter(counts.values())
    once, twice = frequencies[1], frequencies[2]
    return once / (once + 2 * twice) if once and twice else 0.5


@dataclass(frozen=True)
class Copy:
    """What of a text stands in others: the share of its runs of eight words, and the longest."""

    share: float
    longest: int


class Repeats:
    """Finds runs of words that stand in texts of other conversations."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """Take in (text, conversation); runs of eight words are kept with where they stand."""
        self._runs: dict[Gram, set[str]] = defaultdict(set)
        self._words: dict[Gram, list[tuple[int, int]]] = defaultdict(list)
        self._texts: list[tuple[list[str], str]] = []
        seen: set[tuple[str, str]] = set()
        for text, conversation in texts:
            if (text, conversation) in seen:
                continue
            seen.add((text, conversation))
            words = tokens(text)
            number = len(self._texts)
            self._texts.append((words, conversation))
            for place, run in enumerate(_runs(words)):
                self._runs[run].add(conversation)
                self._words[run].append((number, place))

    def copied(self, text: str, own: str = "", given: str = "") -> Copy:
        """Return what a text repeats of conversations other than `own`.

        Runs that stand in `given`, the words it was made of, are no copies.
        """
        words = tokens(text)
        runs = list(_runs(words))
        allowed = set(_runs(tokens(given)))
        found = [
            place
            for place, run in enumerate(runs)
            if run not in allowed and self._runs.get(run, set()) - {own}
        ]
        longest = max((self._extent(words, place, own) for place in found), default=0)
        return Copy(len(found) / len(runs) if runs else 0.0, longest)

    def _extent(self, words: Sequence[str], place: int, own: str) -> int:
        """Return how many words from a place on stand in one text of another conversation."""
        best = COPIED
        for number, start in self._words[tuple(words[place : place + COPIED])]:
            theirs, conversation = self._texts[number]
            if conversation == own:
                continue
            length = COPIED
            while (
                place + length < len(words)
                and start + length < len(theirs)
                and words[place + length] == theirs[start + length]
            ):
                length += 1
            best = max(best, length)
        return best


def _runs(words: Sequence[str]) -> Iterator[Gram]:
    for place in range(len(words) - COPIED + 1):
        yield tuple(words[place : place + COPIED])
