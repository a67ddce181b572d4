"""Whether two wordings say the same, and where a version says now what another said then.

"The same" is narrow on purpose: the same words in the same order, in other typography, with
other punctuation but behind a negation, with numbers in words or digits, contracted or not,
or with a slip of the keyboard put right. Whatever else differs counts as another wording, even
where a person would take it for the same. English only.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.fuzz import ratio

from retrieval.facts import DATE, FACT_WORDS, MONTH_NAMES, facts, rates
from retrieval.lexical import stem
from retrieval.quotes import NEGATION, TYPOGRAPHY, locate, standing, stands
from retrieval.sentences import split

LONGEST_RUN = 3  # sentences that one sentence may have become
# Shares of words that two sentences have in common in their order, in percent.
ALIKE_ONE_FOR_ONE = 25.0  # one sentence stands where one stood: there is little doubt
ALIKE_IN_PLACE = 40.0  # among several that stand where several stood
ALIKE_ELSEWHERE = 65.0  # a new sentence anywhere
LEAST_SENTENCE = 5  # words, from which they say something wherever they stand
LEAST_ROW = 3  # the same of a table's row
SLACK = 1_000  # characters that may have come between the parts of a quote
REACH = 300  # characters around words in which the rest of their sentence is looked for
SENTENCE_END = re.compile(r"[.!?:;|\n]")
MARKUP = " \n*_~#"  # what may stand around a sentence without being said
STOPS = ".!?"
SIGNS_BEHIND = ",;:)]\"'”’"
CELL = " | "  # between the cells of a row, as documents are read
LEAST_SLIP = 4  # letters of a word in which a slip of the keyboard is believed

MODALS = re.compile(
    r"\b(?:must|may|might|shall|should|can|could|will|would|need|needs|ought|has to|have to"
    r"|required|optional|only|all|any|every|each|some|either|both|always|never|and|or|if|when"
    r"|least|most)\b"
)
"""Words that say how binding a rule is, for whom, and when: never taken for a slip."""

TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*'?|[^\w\s]|_")
FULL = (
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\b(?:can't|cannot)\b"), "can not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"\bi'm\b"), "i am"),
)
IS = re.compile(r"\b(it|that|there|what|who|here|he|she)'s\b")
SIGNS = frozenset("€$£¥%")
ARTICLES = frozenset({"a", "an", "the"})
CONFUSED = frozenset(
    frozenset(pair.split())
    for pair in (
        "later latter", "trial trail", "casual causal", "united untied", "desert dessert",
        "form from", "quiet quite", "planed planned", "barred bared", "diner dinner",
    )
)  # fmt: skip
"""Real words that look like slips of one another."""


def same_wording(old: str, new: str) -> bool:
    """Whether two texts have the same words in the same order, but for how they are written."""
    if facts(old) != facts(new) or rates(old) != rates(new):
        return False
    return any(
        _same(one, other) for one in _readings(_plain(old)) for other in _readings(_plain(new))
    )


def states_otherwise(old: str, new: str) -> bool:
    """Whether facts, negations, or words that bind or bound a rule differ."""
    return facts(old) != facts(new) or rates(old) != rates(new) or _binding(old) != _binding(new)


def changed_words(old: str, new: str) -> tuple[list[str], list[str]]:
    """Return the words of `old` that `new` lacks in their place, and those it has instead.

    Words are as `words` gives them; articles are left out.
    """
    before, after = words(old), words(new)
    removed: list[str] = []
    added: list[str] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            removed += before[i:j]
            added += after[k:m]
    return (
        [word for word in removed if word not in ARTICLES],
        [word for word in added if word not in ARTICLES],
    )


def words(text: str) -> list[str]:
    """Return the words and numbers of a text, folded and written out, without punctuation."""
    plain = _plain(text)
    for pattern, written in FULL:
        plain = pattern.sub(written, plain)
    return [token for token in TOKEN.findall(plain) if _is_word(token)]


def counterpart(piece: str, old_text: str, new_text: str) -> str | None:
    """Return the words of `new_text` that stand where `piece` stood in `old_text`, or None.

    `piece` is a sentence or a part of one. What comes back stands in `new_text` as it is and
    not in `old_text`: at most three sentences that took the place of the piece's own, else the
    new sentence that is most like it. Of a part of a sentence it is that part where it can be
    told. Several sentences are found where they follow one another still.
    """
    whole = next((s for s in _sentences(old_text) if piece in s), None)
    if whole is None:
        return _together([piece[left:right] for left, right in split(piece)], new_text)
    found = _in_place(whole, old_text, new_text) or _elsewhere(whole, old_text, new_text)
    if found is None or piece == whole:
        return found
    part = locate(piece, found)
    return found[part.start : part.end] if part is not None else found


def broken_pieces(old_text: str, start: int, end: int, new_text: str) -> list[str]:
    """Return the parts of `old_text[start:end]`, by sentence, that `new_text` no longer says.

    A sentence is said wherever it stands. A scrap ("within 14 days", an item of a list) is said
    only in its place: in a sentence that is as it was or took the place of its own, or together
    with the rest of what was quoted. Where something was put between, as into a list, the whole
    is a broken piece.
    """
    pieces = [
        (old_text[max(left, start) : min(right, end)].strip(MARKUP), old_text[left:right])
        for left, right in _spans(old_text)
        if left < end and right > start
    ]
    missing = [piece for piece, whole in pieces if not _is_said(piece, whole, new_text)]
    rest = [piece for piece, _ in pieces if piece not in missing]
    stretch = _together(rest, new_text)
    if stretch is None:
        return [
            piece
            for piece, whole in pieces
            if piece in missing
            or not (is_telling(piece) or _is_kept_in_place(piece, whole, old_text, new_text))
        ]
    if not missing and words(stretch) != words(" ".join(rest)):
        return [old_text[start:end]]
    return missing


def _is_said(piece: str, whole: str, text: str) -> bool:
    """Whether words stand in a text, with nothing before or behind that binds them otherwise.

    "Items can be returned." is not said by "Only items can be returned."; what stood around a
    part of a sentence is not looked at. Another sign may end a sentence, but no word go on.
    """
    begins, ends = whole.startswith(piece), whole.endswith(piece)
    for span in standing(piece, text):
        before = _before(text, span.start) if begins else ""
        behind = _behind(text, span.end) if ends and piece[-1] not in STOPS else ""
        if not any(_binding(part) or facts(part) for part in (before, behind)):
            return True
    bare = piece.rstrip(STOPS + SIGNS_BEHIND)
    if not ends or bare == piece or not is_telling(bare):
        return False
    for span in standing(bare, text):
        before = _before(text, span.start) if begins else ""
        if not (words(_behind(text, span.end)) or _binding(before) or facts(before)):
            return True
    return False


def _before(text: str, start: int) -> str:
    """Return what stands before a place in its sentence."""
    return SENTENCE_END.split(text[max(0, start - REACH) : start])[-1]


def _behind(text: str, end: int) -> str:
    """Return what stands behind a place in its sentence."""
    return SENTENCE_END.split(text[end : end + REACH], maxsplit=1)[0]


def is_telling(words_said: str) -> bool:
    """Whether words say something wherever they stand: a sentence, a row of a table."""
    least = LEAST_ROW if CELL in words_said else LEAST_SENTENCE
    return len(words(words_said)) >= least


def _together(pieces: Sequence[str], text: str) -> str | None:
    """Return the shortest stretch of a text in which pieces follow one another, if not far."""
    if sum(len(words(piece)) for piece in pieces) < LEAST_SENTENCE:
        return None
    reach = 2 * sum(map(len, pieces)) + SLACK
    stretches = []
    for first in standing(pieces[0], text):
        near = text[first.start : first.start + reach]
        end = 0
        for piece in pieces:
            found = stands(piece, near[end:])
            if found is None:
                break
            end += found.end
        else:
            stretches.append(near[:end])
    return min(stretches, key=len, default=None)


def _is_kept_in_place(piece: str, whole: str, old_text: str, new_text: str) -> bool:
    if is_telling(whole) and stands(whole, new_text) is not None:
        return True
    if all(whole not in place.before for place in _changes(old_text, new_text)):
        return True
    now = counterpart(whole, old_text, new_text)
    return now is not None and stands(piece, now) is not None


# --- the same words ------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Return a text folded: one case, one typography, dates in words."""
    folded = unicodedata.normalize("NFKC", text).translate(TYPOGRAPHY).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return DATE.sub(_in_words, visible.translate(TYPOGRAPHY))


def _in_words(date: re.Match[str]) -> str:
    month = int(date[2])
    return f"{int(date[3])} {MONTH_NAMES[month - 1]} {date[1]}" if 1 <= month <= 12 else date[0]


def _readings(plain: str) -> Iterator[list[str]]:
    """Yield a text's tokens with "it's" written as one word, and as "it is"."""
    for pattern, written in FULL:
        plain = pattern.sub(written, plain)
    yield _tokens(plain)
    if IS.search(plain):
        yield _tokens(IS.sub(r"\1 is", plain))


def _tokens(plain: str) -> list[str]:
    """Return words without apostrophes, numbers and signs; hyphens part words."""
    found = (part.replace("'", "") for part in TOKEN.findall(plain.replace("-", " - ")))
    return [part for part in found if part.strip('"-')]


def _is_word(part: str) -> bool:
    return part[0].isalnum() or part in SIGNS


def _same(old: Sequence[str], new: Sequence[str]) -> bool:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return all(
        tag == "equal"
        or _same_stretch(old[i:j], new[k:m])
        or _only_punctuation(old, i, j, new, k, m)
        for tag, i, j, k, m in matcher.get_opcodes()
    )


def _same_stretch(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether two stretches are one number or date, one word parted, or slips put right."""
    before, after = [w for w in old if _is_word(w)], [w for w in new if _is_word(w)]
    if len(before) + len(after) != len(old) + len(new):
        return False
    if before and after and all(map(_is_fact, (*before, *after))):
        return facts(" ".join(before)) == facts(" ".join(after)) != set()
    if len(before) == len(after):
        return bool(before) and all(map(_is_slip, before, after))
    return _is_joined(before, after) or _is_joined(after, before)


def _is_fact(word: str) -> bool:
    return word[0].isdigit() or word in FACT_WORDS or word in SIGNS


def _is_joined(parts: Sequence[str], word: Sequence[str]) -> bool:
    """Whether one word is the two others without the gap: "e mail", "log in"."""
    if len(parts) != 2 or len(word) != 1 or "".join(parts) != word[0]:
        return False
    return parts[0] not in {"re", "un", "in", "no", "non", "not", "dis", "a"}


def _is_slip(old: str, new: str) -> bool:
    """Whether two words differ by two neighbouring letters or by one that is doubled."""
    if old == new:
        return True
    if min(len(old), len(new)) < LEAST_SLIP or not (old.isalpha() and new.isalpha()):
        return False
    if {old, new} & FACT_WORDS or MODALS.fullmatch(old) or MODALS.fullmatch(new):
        return False
    if frozenset({old, new}) in CONFUSED or NEGATION.search(f"{old} {new}"):
        return False
    return _is_transposed(old, new) or _is_doubled(old, new) or _is_doubled(new, old)


def _is_transposed(old: str, new: str) -> bool:
    if len(old) != len(new):
        return False
    places = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return old[first] == new[second] and old[second] == new[first]


def _is_doubled(short: str, long: str) -> bool:
    """Whether `long` is `short` with one letter written twice."""
    if len(long) != len(short) + 1:
        return False
    return any(
        long[at] == long[at - 1] and long[:at] + long[at + 1 :] == short
        for at in range(1, len(long))
    )


def _only_punctuation(
    old: Sequence[str], i: int, j: int, new: Sequence[str], k: int, m: int
) -> bool:
    """Whether signs alone differ, and not behind a negation: "No, refunds are paid."."""
    if any(_is_word(token) for token in (*old[i:j], *new[k:m])):
        return False
    if m >= len(new) and j >= len(old):
        return True  # the end of the sentence
    if not {*old[i:j], *new[k:m]} <= set(",;:.()[]*_!"):
        return False
    return i == 0 or (NEGATION.fullmatch(old[i - 1]) is None and old[i - 1] != "yes")


def _binding(text: str) -> Counter[str]:
    plain = _plain(text)
    for pattern, written in FULL:
        plain = pattern.sub(written, plain)
    return Counter([*MODALS.findall(plain), *("not" for _ in NEGATION.finditer(plain))])


# --- what stands there now -----------------------------------------------------------------


class Stretch(NamedTuple):
    """Neighbouring sentences as they stand in a text, and their stems."""

    text: str
    stems: tuple[str, ...]


class Replaced(NamedTuple):
    """Sentences of one text, and those that stand in their place in another."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    after_text: str  # from the first of them to the last, as it stands


@lru_cache(maxsize=8)
def _spans(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(split(text))


def _sentences(text: str) -> tuple[str, ...]:
    return tuple(text[start:end] for start, end in _spans(text))


@lru_cache(maxsize=4)
def _changes(old_text: str, new_text: str) -> tuple[Replaced, ...]:
    """Return which sentences of the one text stand in place of which of the other."""
    old, new, spans = _sentences(old_text), _sentences(new_text), _spans(new_text)
    matcher = SequenceMatcher(None, _folded(old), _folded(new), autojunk=False)
    return tuple(
        Replaced(old[i:j], new[k:m], new_text[spans[k][0] : spans[m - 1][1]] if k < m else "")
        for tag, i, j, k, m in matcher.get_opcodes()
        if tag != "equal"
    )


def _folded(sentences: Sequence[str]) -> list[str]:
    return [" ".join(_plain(sentence).split()) for sentence in sentences]


def _in_place(sentence: str, old_text: str, new_text: str) -> str | None:
    """Return what took a sentence's place in the comparison of the two texts."""
    for place in _changes(old_text, new_text):
        if sentence in place.before:
            alone = len(place.before) == len(place.after) == 1
            least = ALIKE_ONE_FOR_ONE if alone else ALIKE_IN_PLACE
            return _most_alike(sentence, _runs(place), least, old_text)
    return None


def _elsewhere(sentence: str, old_text: str, new_text: str) -> str | None:
    """Return the new sentence that is most like one that is gone."""
    every = [
        Stretch(one, _stems(one)) for place in _changes(old_text, new_text) for one in place.after
    ]
    return _most_alike(sentence, every, ALIKE_ELSEWHERE, old_text)


def _runs(place: Replaced) -> list[Stretch]:
    """Return each run of one to three neighbouring sentences of what stands in a place."""
    runs = []
    start = 0
    for first in range(len(place.after)):
        start = place.after_text.index(place.after[first], start)
        end = start
        stems: tuple[str, ...] = ()
        for sentence in place.after[first : first + LONGEST_RUN]:
            end = place.after_text.index(sentence, end) + len(sentence)
            stems += _stems(sentence)
            runs.append(Stretch(place.after_text[start:end], stems))
        start += len(place.after[first])
    return runs


def _most_alike(
    sentence: str, candidates: Sequence[Stretch], least: float, old_text: str
) -> str | None:
    """Return the stretch that is most like a sentence, of those that are new."""
    wanted = _stems(sentence)
    likeness = [(ratio(wanted, one.stems), -len(one.text), one.text) for one in candidates]
    near = sorted((one for one in likeness if one[0] >= least), reverse=True)
    # What stood in the old text as well took nothing's place.
    return next((one for _, _, one in near if stands(one, old_text) is None), None)


@lru_cache(maxsize=10_000)
def _stems(sentence: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in words(sentence) if word not in ARTICLES)
