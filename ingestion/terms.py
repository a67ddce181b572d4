"""What a document says its acronyms stand for, as suggestions for the glossary.

An acronym must be written beside the words it stands for, in one of the ways listed below, and
its letters must fit them. The fitting follows Schwartz and Hearst, "A simple algorithm for
identifying abbreviation definitions in biomedical text" (PSB 2003): the shortest row of words
that holds the letters in order, the first letter at the start of the first word. Stricter than
theirs, since each suggestion costs a person's time: at least two words, every word but small
ones gives a letter, and few letters stand inside a word. What is shortened otherwise
("California (CA)", "Kubernetes (K8s)", "Société Anonyme (Ltd.)") is not found.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ingestion.parse.tables import CELL_JOINER
from store.documents import ParsedDocument

SUGGESTED_AT_MOST = 200  # a document
LETTERS = range(2, 9)  # in an acronym
CAPITALS = 2  # that it has at least
INNER_LETTERS = 2  # that may stand inside words whose start gave one: the T of "HyperText"
WINDOW = 200  # characters beside an acronym that are looked at

SMALL_WORDS = frozenset(
    "& a an and as at by de del des di du for from in is it of on or per the to und with".split()
)
PLURALS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("ss", "ss"), ("s", ""))
READ_AS = {"1": ("one",), "2": ("two", "to"), "3": ("three", "third"), "4": ("four", "for")}
"""Words that a digit of an acronym may stand for: 2FA, B2B, 3PL."""

_SHORT = r"(?<![\w@#$&/.-])(?P<short>[^\W_](?:[.&/-]?[^\W_]){1,9})(?![\w@&/-])"
_QUOTE = r"[\"“”'‘’]?"
_CALLED = (
    r"(?:(?:hereinafter|hereafter|herein|henceforth|also|or|simply|in short|short|aka|the|our"
    r"|known as|called|referred to(?: as)?|abbreviated(?: as| to)?):? )"
)
_BRACKETS = re.compile(r"\(([^()]{2,120})\)")
_NAMED_INSIDE = re.compile(
    rf"{_CALLED}{{0,4}}{_QUOTE}{_SHORT}\.?{_QUOTE}(?: for short| or .*|[,;].*)?", re.IGNORECASE
)
_NAMED_AFTER = re.compile(
    rf",? (?:or|also|in short|known as|called|abbreviated(?: as| to)?) {_CALLED}{{0,3}}"
    rf"{_QUOTE}{_SHORT}",
    re.IGNORECASE,
)
_STANDS_FOR = re.compile(
    rf"{_SHORT}{_QUOTE},?(?: (?:which|that|is|are|the|an?|here)){{0,3}}"
    r" (?:stands? for|short for|means?|refers? to|(?:abbreviation|acronym) (?:of|for)) "
)
_HEAD = re.compile(rf"{_QUOTE}{_SHORT}{_QUOTE} ?(?:[:=–—]|-(?= )) ?")
_BEFORE_BRACKET = re.compile(rf"{_SHORT}{_QUOTE} ?$")
_ARTICLE = re.compile(rf"{_QUOTE}(?:(?:the|an?|i\.e\.,?|(?:stands |short )?for) )?{_QUOTE}", re.I)
_STOP = re.compile(r"[.?!;:](?= |$)|[()\[\]{}|]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|&")

Pair = tuple[str, str]
Word = re.Match[str]


def suggest(document: ParsedDocument) -> list[Pair]:
    """Return acronyms with what they stand for, as the document writes them, each once."""
    found: dict[Pair, Pair] = {}
    for block in document.blocks:
        for short, long in _pairs(document.text[block.start : block.end]):
            pair = _in_singular(short.replace(".", ""), long)
            key = pair[0].casefold(), pair[1].casefold().removesuffix("s")
            found.setdefault(key, pair)
            if len(found) == SUGGESTED_AT_MOST:
                return list(found.values())
    return list(found.values())


def _pairs(text: str) -> Iterator[Pair]:
    """Find what one block defines, in each of the ways."""
    for brackets in _BRACKETS.finditer(text):
        before, inside = _ending(text, brackets.start()), brackets[1].strip()
        # "Paid Time Off (PTO)", (the “PTO”), (hereinafter PTO), (PTO, also called leave)
        if named := _NAMED_INSIDE.fullmatch(inside):
            yield from _last_words(named["short"], before)
        # "PTO (paid time off)", "PTO (paid time off, counted in days)"
        if short := _BEFORE_BRACKET.search(before):
            words = _ARTICLE.sub("", inside, count=1)
            yield from _all_words(short["short"], words)
            yield from _all_words(short["short"], re.split(r"[,;:–—]", words)[0])
    for named in _NAMED_AFTER.finditer(text):  # "paid time off, or PTO"
        yield from _last_words(named["short"], _ending(text, named.start()))
    for short in (*_STANDS_FOR.finditer(text), *_HEAD.finditer(text, 0, WINDOW)):
        # "PTO stands for paid time off", and "PTO: paid time off" where a block begins
        if short.re is _STANDS_FOR or short.start() == 0:
            yield from _first_words(short["short"], text[short.end() : short.end() + WINDOW])
    for left, right in pairwise(text.split(CELL_JOINER)):  # of a table of abbreviations
        yield from _all_words(left.strip(), right)
        yield from _all_words(right.strip(), left)


def _ending(text: str, end: int) -> str:
    return text[max(0, end - WINDOW) : end]


def _last_words(short: str, before: str) -> Iterator[Pair]:
    """Give the shortest row of words at the end of a text that the letters fit."""
    stops = [stop.end() for stop in _STOP.finditer(before)]
    words = list(_WORD.finditer(before, stops[-1] if stops else 0))
    yield from _shortest(short, before, [words[-count:] for count in _counts(short, words)])


def _first_words(short: str, after: str) -> Iterator[Pair]:
    """Give the shortest row of words at the start of a text that the letters fit."""
    article, stop = _ARTICLE.match(after), _STOP.search(after)
    start, end = article.end() if article else 0, stop.start() if stop else len(after)
    words = list(_WORD.finditer(after, start, end))
    yield from _shortest(short, after, [words[:count] for count in _counts(short, words)])


def _all_words(short: str, text: str) -> Iterator[Pair]:
    """Give a text if it is nothing but words that the letters fit."""
    words = list(_WORD.finditer(text[:WINDOW]))
    if len(text) <= WINDOW and len(words) in _counts(short, words):
        yield from _shortest(short, text, [words])


def _counts(short: str, words: Sequence[Word]) -> range:
    """Return how many words an acronym may stand for, by Schwartz and Hearst's bound."""
    letters = len(_letters(short))
    return range(2, min(letters + 5, letters * 2, len(words)) + 1)


def _shortest(short: str, text: str, rows: Sequence[Sequence[Word]]) -> Iterator[Pair]:
    """Give the first row that the letters fit, one with all at the start of words if there is."""
    letters = _letters(short)
    for most in (0, INNER_LETTERS):
        for row in rows:
            words = tuple(word.group().casefold() for word in row)
            inner = min(most, len(words) - 2)  # "any proprietary" is no API
            if words[0] not in SMALL_WORDS and _fits(letters, words, "", inner):
                yield short, text[row[0].start() : row[-1].end()]
                return


def _fits(letters: str, words: tuple[str, ...], begun: str, inner: int) -> bool:
    """Whether the letters stand in the words in order, and each word that counts gives one.

    A letter begins the next word, or stands in the rest of the one that was `begun`; at most
    `inner` do that. Small words may give none.
    """
    if not letters:
        return not words
    letter, later = letters[0], letters[1:]
    if words:
        word, following = words[0], words[1:]
        begins = word[0] == letter or word in READ_AS.get(letter, ())
        if begins and _fits(later, following, word[1:], inner):
            return True
        if word in SMALL_WORDS and _fits(letters, following, "", inner):
            return True
    place = begun.find(letter)
    return place >= 0 and inner > 0 and _fits(later, words, begun[place + 1 :], inner - 1)


def _letters(short: str) -> str:
    """Return an acronym's letters and digits, folded; none if it does not look like one."""
    plain = "".join(filter(str.isalnum, _singular(short)))
    capitals = sum(map(str.isupper, plain))
    return plain.casefold() if len(plain) in LETTERS and capitals >= CAPITALS else ""


def _singular(short: str) -> str:
    return short[:-1] if re.fullmatch(r".*[A-Z0-9]s", short) else short


def _in_singular(short: str, long: str) -> Pair:
    """Return "SLA", "service level agreement" for "SLAs", "service level agreements"."""
    if _singular(short) == short:
        return short, long
    for ending, instead in PLURALS:
        if long.endswith(ending):
            return _singular(short), long.removesuffix(ending) + instead
    return _singular(short), long
