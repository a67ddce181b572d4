"""Personal data and secrets replaced by typed placeholders: `[EMAIL_1]`, `[NAME_2]` …

The same value has the same placeholder throughout a conversation. What a placeholder stands for
is held in memory by a `Vault` alone: it cannot be pickled, printed or stored.

Found are e-mail addresses, also spelled ("jo at example dot com"); phone numbers, also in words;
payment cards; IBANs; IP and MAC addresses; links that carry credentials, queries or lead to a
person's page; keys, tokens, passwords and PINs; Slack's ids; national ids of many countries by
form and checksum, or behind words that announce them; account, order and other numbers behind
such words, as answers to a question for them, and any number of seven digits or more; usernames;
street and postal addresses; dates of birth; names of people: those of the directory that is
passed, those that are introduced, addressed, titled, signed with, asked for or begin with a
widespread given name, and all of them wherever they occur again. Full-width letters and digits,
characters without width, odd spaces, dashes and quotes are seen through.

Not found are: names that nothing announces, that no directory holds and that are not widespread;
the same in small letters; letters of one script that imitate another's; addresses without a
number or in scripts other than Latin; numbers of less than seven digits that nothing announces;
numbers in words of other languages than English; what only together tells who somebody is (a
job, a place, an illness, a date); and what stands in pictures. Names of companies, products and
places are no personal data here. Rather too much is taken than too little.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from finetune.asked import answers
from finetune.identifiers import ANNOUNCED, PLAIN
from finetune.names import find_names
from finetune.spans import BREAK, LONG_KEY, LONG_WORD, MASK, PLACEHOLDER, Span, masked

ROUNDS = 8  # a replacement may bring two texts together in which something more is seen
BLANKS = 3  # characters of white space in a row that are read
CUT = LONG_WORD // 2  # characters of a piece of a long word
RUNS = re.compile(rf"\S{{{LONG_WORD},}}|\s{{{BLANKS + 1},}}")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
DROPPED = frozenset({"Cf", "Cc"})  # categories of characters without width, but for white space


class Vault:
    """What placeholders stand for, in memory only. `repr` tells how many of each kind."""

    __slots__ = ("_numbers", "_placeholders", "_values")

    def __init__(self) -> None:
        """Begin empty."""
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()

    def reserve(self, text: str) -> None:
        """Never give out a placeholder that stands in a text already."""
        for found in PLACEHOLDER.finditer(text):
            kind, _, number = found[0][1:-1].rpartition("_")
            self._numbers[kind] = max(self._numbers[kind], int(number))

    def placeholder(self, kind: str, value: str) -> str:
        """Return the placeholder of a value, a new one for a new value."""
        known = self._placeholders.get((kind, value))
        if known is None:
            self._numbers[kind] += 1
            known = f"[{kind}_{self._numbers[kind]}]"
            self._placeholders[kind, value] = known
            self._values[known] = value
        return known

    def restore(self, text: str) -> str:
        """Return a text with the values in place of their placeholders."""
        while True:  # a value may hold a placeholder that was given out before it
            restored = PLACEHOLDER.sub(lambda found: self._values.get(found[0], found[0]), text)
            if restored == text:
                return restored
            text = restored

    @property
    def counts(self) -> dict[str, int]:
        """How many values of each kind there are."""
        return dict(sorted(Counter(kind for kind, _ in self._placeholders).items()))

    def __repr__(self) -> str:
        """Return the counts, never a value."""
        return f"Vault({self.counts})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: what is held here leaves the process in no form."""
        raise TypeError("A vault is never stored.")


@dataclass(frozen=True)
class Redacted:
    """Texts with placeholders; `counts` says how many were put in, by kind."""

    texts: tuple[str, ...]
    counts: Mapping[str, int]
    vault: Vault


def redact(
    texts: Sequence[str], names: Iterable[str] = (), vault: Vault | None = None
) -> Redacted:
    """Return the messages of one conversation, in their order, with placeholders.

    `names` are people's full names, as a directory has them. A `vault` of the same conversation
    keeps its placeholders. Redacting what was redacted changes nothing. Texts come back in
    Unicode's form C.
    """
    vault = Vault() if vault is None else vault
    directory = tuple(names)
    now = [unicodedata.normalize("NFC", one) for one in texts]
    for one in now:
        vault.reserve(one)
    counts: Counter[str] = Counter()
    for _ in range(ROUNDS):
        found = _find(now, directory)
        if not any(found):
            break
        for number, spans in enumerate(found):
            pieces: list[str] = []
            whole, reached = now[number], 0
            for start, end, kind in spans:
                pieces += [whole[reached:start], vault.placeholder(kind, whole[start:end])]
                reached = end
                counts[kind] += 1
            now[number] = "".join([*pieces, whole[reached:]])
    return Redacted(tuple(now), dict(sorted(counts.items())), vault)


def _find(texts: Sequence[str], directory: Sequence[str]) -> list[list[Span]]:
    """Return what is to be replaced in each text, in order, none within another."""
    folded = [_folded(text) for text in texts]
    joined = BREAK.join(read for read, _ in folded)
    rest = masked(joined, [(m.start(), m.end(), "") for m in PLACEHOLDER.finditer(joined)])
    found: list[Span] = []

    def people(left: str) -> Iterator[Span]:
        return find_names(left, directory)

    for detect in (*ANNOUNCED, answers, *PLAIN, people):
        spans = list(_apart(detect(rest)))
        found += spans
        rest = masked(rest, spans)
    return _placed(found, folded)


def _apart(spans: Iterable[Span]) -> Iterator[Span]:
    """Return spans in order without those that begin within another."""
    reached = 0
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= reached and end > start:
            yield start, end, kind
            reached = end


def _placed(
    found: Iterable[Span], folded: Sequence[tuple[str, Sequence[int]]]
) -> list[list[Span]]:
    """Return spans of the joined text as spans of each text before it was folded."""
    placed: list[list[Span]] = [[] for _ in folded]
    ordered = iter(sorted(found))
    span = next(ordered, None)
    begin = 0
    for number, (read, origins) in enumerate(folded):
        end = begin + len(read)
        while span is not None and span[0] < end:
            start, stop, kind = span
            last = min(stop, end) - begin - 1
            placed[number].append((origins[start - begin], origins[last] + 1, kind))
            span = next(ordered, None)
        begin = end + len(BREAK)
    return placed


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text as it is read, and where each of its characters stands in it.

    Long runs of white space are shortened and long words cut up: on them the time that patterns
    take would grow with the square of their length.
    """
    crowded = RUNS.search(text) is not None
    if text.isascii() and not crowded and (text.isprintable() or not CONTROLS.search(text)):
        return text, range(len(text))
    read: list[str] = []
    origins: list[int] = []
    cut = _cut_up(text) if crowded else frozenset()
    blanks = 0
    for place, letter in enumerate(text):
        if place in cut:
            read.append(" ")
            origins.append(place)
        for plain in _plain(letter):
            blanks = blanks + 1 if plain.isspace() else 0
            if blanks <= BLANKS:
                read.append(plain)
                origins.append(place)
    return "".join(read), origins


def _cut_up(text: str) -> frozenset[int]:
    """Return where long words are cut; those that are keys are found whole."""
    return frozenset(
        place
        for run in re.finditer(rf"\S{{{LONG_WORD},}}", text)
        if not LONG_KEY.fullmatch(run[0])
        for place in range(run.start() + CUT, run.end(), CUT)
    )


def _plain(letter: str) -> str:
    if letter.isascii() and letter.isprintable():
        return letter
    if letter in "\n\t\r":
        return "\n" if letter == "\n" else " "
    category = unicodedata.category(letter)
    if category in DROPPED:
        return ""
    if category == "Pd" or letter == "−":
        return "-"
    if category in ("Zs", "Zl", "Zp", "Co", "Cn") or letter == MASK:
        return " "
    if letter in "’‘ʼ`´":
        return "'"
    return unicodedata.normalize("NFKC", letter)
