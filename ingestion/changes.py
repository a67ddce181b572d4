"""What changed between two wordings of a document, section by section, in words people read."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Literal, NamedTuple

from rapidfuzz import fuzz
from sqlalchemy import Engine

from core.errors import NotFoundError
from retrieval.facts import MONTHS, QUALIFIERS, SCALES, UNITS, WEEKDAYS, WORDED
from retrieval.sentences import split
from store.documents import Block, read_blocks, read_versions

MAX_SECTIONS = 50  # kept with a report
MAX_SENTENCES = 20  # kept of a section's removed ones, and of its added ones
MAX_SENTENCE = 300  # characters kept of each
MAX_FIGURES = 3  # named in a summary
MAX_FIGURE = 40  # characters
TOLD = 6  # sections named in one line
MAX_PAIRS = 10_000  # of sections whose every pairing is weighed; beyond, those that share a block
MAX_TWINS = 5  # old sections weighed for one block or heading that stands in many
ALIKE = 0.6  # of the words, from which on two sections are one
NEARLY_NAMED = 0.8  # of the letters of two headings
A_LITTLE_ALIKE = 0.2  # of the words, for sections with nearly the same heading

Path = tuple[str, ...]
Kind = Literal["added", "removed", "changed"]

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"[€$£¥]?\d+(?:[.,:/–-]\d+)*%?|[^\W\d_]+|\S")  # ranges too
# A list's or a clause's number, which changes with every item that comes before it.
_NUMBER = re.compile(r"(?:\d{1,3}[.)]|\d{1,3}(?:\.\d{1,3})+(?=\s+[A-Z])|\w[.)])\s+(?=\S)")
_FIGURES = frozenset({*WORDED, *SCALES, *MONTHS, *WEEKDAYS})


@dataclass(frozen=True)
class Wording:
    """A canonical text and its blocks: of a stored version, or of a file that was just read."""

    text: str
    blocks: Sequence[Block]


def stored_wording(engine: Engine, workspace_id: int, version_id: int) -> Wording:
    """Return the wording of a version that is kept. Raises NotFoundError."""
    found = read_versions(engine, workspace_id, [version_id])
    if not found:
        raise NotFoundError("There is no such version here.")
    return Wording(found[0].text, read_blocks(engine, version_id))


@dataclass(frozen=True)
class SectionChange:
    """What became of one section; `section` is its heading path, () the opening.

    A section that was only renamed, reordered or laid out anew has no sentences here.
    """

    section: Path
    kind: Kind
    summary: str
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON types, whole."""
        return {
            "section": list(self.section),
            "kind": self.kind,
            "summary": self.summary,
            "removed": list(self.removed),
            "added": list(self.added),
        }


def kept(changes: Sequence[SectionChange]) -> list[dict[str, Any]]:
    """Return as JSON types what is kept with a report: bounded, however much changed."""
    return [
        change.to_json()
        | {"removed": _shortened(change.removed), "added": _shortened(change.added)}
        for change in changes[:MAX_SECTIONS]
    ]


def _shortened(sentences: Sequence[str]) -> list[str]:
    return [_cut(sentence, MAX_SENTENCE) for sentence in sentences[:MAX_SENTENCES]]


def _cut(words: str, limit: int) -> str:
    return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"


def in_one_line(summaries: Sequence[str], total: int = 0) -> str:
    """Return "Sale items (14 → 30 days), Faulty goods (wording) and 3 more"."""
    more = max(total, len(summaries)) - len(summaries[:TOLD])
    return ", ".join(summaries[:TOLD]) + (f" and {more:,} more" if more else "")


def section_changes(before: Wording | None, after: Wording) -> tuple[SectionChange, ...]:
    """Return the sections that differ, in the order of the text; none without a wording before.

    Sections are matched by their heading path; of those left over, the ones with like words or
    headings are taken for renamed. A sentence that only moved within its section is no change
    of its own. Time grows with the text, not with its square.
    """
    if before is None or before.text == after.text:
        return ()
    old, new = _sections(before), _sections(after)
    partners = _partners(old, new)
    gone, parents = _gone_behind(old, partners), _parents(new)
    found: list[_Found] = [*_removed(gone.get(None, ()), old)]
    for path, blocks in new.items():
        if path in partners:
            found += _compared(partners[path], path, old[partners[path]], blocks)
            found += _removed(gone.get(partners[path], ()), old)
        elif blocks or path not in parents:
            found.append(_Found(path, "added", ("new",), (), tuple(_sentences(blocks))))
    return tuple(_named(found, alone=len(new) == 1))


class _Found(NamedTuple):
    path: Path
    kind: Kind
    said: tuple[str, ...]  # what stands in brackets behind the name
    removed: tuple[str, ...]
    added: tuple[str, ...]


# --- sections ------------------------------------------------------------------------------


def _sections(wording: Wording) -> dict[Path, list[str]]:
    """Return the blocks of each section in order; sections with the same path are one."""
    sections: dict[Path, list[str]] = {}
    titled = False
    blocks = wording.blocks
    for block, following in zip_longest(blocks, blocks[1:]):
        words = wording.text[block.start : block.end]
        if block.kind != "heading":
            sections.setdefault(block.heading_path, []).append(words)
            continue
        path = _path_of(block, words, following)
        is_title = block.level == 1 and not titled
        titled = titled or block.level == 1
        # The document's title stands in no heading path: it is a line of the opening.
        if is_title and (following is None or following.heading_path[: len(path)] != path):
            sections.setdefault((), []).append(words)
        else:
            sections.setdefault(path, [])
    return sections


def _path_of(heading: Block, words: str, following: Block | None) -> Path:
    """Return a heading's own path, cut short as the blocks under it have it."""
    depth = len(heading.heading_path)
    if following is not None and following.heading_path[:depth] == heading.heading_path:
        below = following.heading_path[depth : depth + 1]
        if below and words.startswith(below[0].removesuffix("…")):
            return (*heading.heading_path, below[0])
    return (*heading.heading_path, words)


def _parents(sections: Mapping[Path, object]) -> set[Path]:
    """Return the sections with sections in them: without words of their own those are told of."""
    return {path[:depth] for path in sections for depth in range(len(path))}


def _gone_behind(
    old: Mapping[Path, list[str]], partners: Mapping[Path, Path]
) -> dict[Path | None, list[Path]]:
    """Return removed sections by the section they stood behind that is still there."""
    alive, parents = set(partners.values()), _parents(old)
    gone: dict[Path | None, list[Path]] = defaultdict(list)
    last: Path | None = None
    for path in old:
        if path in alive:
            last = path
        elif old[path] or path not in parents:
            gone[last].append(path)
    return gone


def _removed(paths: Sequence[Path], old: Mapping[Path, list[str]]) -> Iterator[_Found]:
    for path in paths:
        yield _Found(path, "removed", ("removed",), tuple(_sentences(old[path])), ())


def _sentences(blocks: Sequence[str]) -> list[str]:
    return [block[start:end] for block in blocks for start, end in split(block)]


# --- which section became which -----------------------------------------------------------


def _partners(old: Mapping[Path, list[str]], new: Mapping[Path, list[str]]) -> dict[Path, Path]:
    """Return the old section of each new one that had another wording."""
    partners = {path: path for path in new if path in old}
    left = {path: old[path] for path in old if path not in partners}
    come = {path: new[path] for path in new if path not in partners}
    taken: set[Path] = set()
    for _, old_path, new_path in sorted(_alike(left, come), key=lambda pair: -pair[0]):
        if new_path not in partners and old_path not in taken:
            partners[new_path] = old_path
            taken.add(old_path)
    for new_path, old_path in list(partners.items()):
        _pair_parents(old_path, new_path, left, come, partners, taken)
    return partners


def _pair_parents(
    old_path: Path,
    new_path: Path,
    left: Mapping[Path, object],
    come: Mapping[Path, object],
    partners: dict[Path, Path],
    taken: set[Path],
) -> None:
    """Take the headings above a pair for one another where nothing else became of them."""
    while len(old_path) == len(new_path) > 1:
        old_path, new_path = old_path[:-1], new_path[:-1]
        free = old_path in left and old_path not in taken
        if free and new_path in come and new_path not in partners:
            partners[new_path] = old_path
            taken.add(old_path)


def _alike(
    left: Mapping[Path, list[str]], come: Mapping[Path, list[str]]
) -> Iterator[tuple[float, Path, Path]]:
    """Return the pairs that may be one section under two headings, with how alike they are."""
    words = {id(blocks): Counter(_WORD.findall(" ".join(blocks).casefold()))
             for sections in (left, come) for blocks in sections.values()}  # fmt: skip
    for old_path, new_path in _pairs(left, come):
        content = _overlap(words[id(left[old_path])], words[id(come[new_path])])
        heading = _heading_likeness(old_path, new_path)
        near = heading >= NEARLY_NAMED and content >= A_LITTLE_ALIKE
        if content >= ALIKE or near or heading == 1.0:
            yield content + heading, old_path, new_path


def _pairs(
    left: Mapping[Path, list[str]], come: Mapping[Path, list[str]]
) -> Iterator[tuple[Path, Path]]:
    if len(left) * len(come) <= MAX_PAIRS:
        yield from ((old, new) for new in come for old in left)
        return
    places: dict[str, list[Path]] = defaultdict(list)
    for old, blocks in left.items():
        for words in {old[-1] if old else "", *blocks}:
            places[words].append(old)
    for new, blocks in come.items():
        sought = {new[-1] if new else "", *blocks}
        twins = (old for words in sought for old in islice(places.get(words, ()), MAX_TWINS))
        yield from ((old, new) for old in dict.fromkeys(twins))


def _overlap(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of words that two sections have in common, 0 … 1 (Dice)."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _heading_likeness(one: Path, other: Path) -> float:
    if not one or not other:
        return 0.0
    return fuzz.ratio(one[-1].casefold(), other[-1].casefold()) / 100


# --- what changed in a section ------------------------------------------------------------


def _compared(
    old_path: Path, path: Path, old: Sequence[str], new: Sequence[str]
) -> Iterator[_Found]:
    """Return what changed in a section, if anything did."""
    renamed = (f"was “{old_path[-1]}”",) if path and old_path and old_path[-1] != path[-1] else ()
    if old == new:
        if renamed:
            yield _Found(path, "changed", renamed, (), ())
        return
    before = _sentences(list(_beyond(old, new)))
    after = _sentences(list(_beyond(new, old)))
    removed, added = tuple(_beyond(before, after)), tuple(_beyond(after, before))
    said = tuple(_said(removed, added)) if removed or added else (_rearranged(old, new),)
    yield _Found(path, "changed", (*renamed, *said), removed, added)


def _beyond(items: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """Return in order those items that `others` do not have, or not as often.

    Under another number an item is the same.
    """
    spare = Counter(map(_unnumbered, others))
    for item in items:
        if spare[_unnumbered(item)] > 0:
            spare[_unnumbered(item)] -= 1
        else:
            yield item


def _unnumbered(words: str) -> str:
    number = _NUMBER.match(words)
    return words[number.end() :] if number else words


def _rearranged(old: Sequence[str], new: Sequence[str]) -> str:
    """Name a change that leaves every sentence as it was."""
    before, after = _sentences(old), _sentences(new)
    if before == after:
        return "layout"
    same = [*map(_unnumbered, before)] == [*map(_unnumbered, after)]
    return "numbering" if same else "order"


def _said(removed: Sequence[str], added: Sequence[str]) -> Iterator[str]:
    """Return figures that changed, and whether other words did."""
    figures, reworded = _figures(removed, added)
    yield from figures[:MAX_FIGURES]
    if len(figures) > MAX_FIGURES:
        yield "…"
    if reworded or not figures:
        yield "wording"


def _figures(removed: Sequence[str], added: Sequence[str]) -> tuple[list[str], bool]:
    """Return "14 → 30 days" for sentences that differ in figures alone; whether others differ."""
    waiting: dict[tuple[str, ...], deque[str]] = defaultdict(deque)
    for sentence in added:
        waiting[_skeleton(sentence)].append(sentence)
    figures: list[str] = []
    paired = 0
    for sentence in removed:
        partners = waiting.get(_skeleton(sentence))
        if partners:
            figures += _changed_figures(sentence, partners.popleft())
            paired += 1
    return list(dict.fromkeys(figures)), paired < max(len(removed), len(added))


def _is_figure(word: str) -> bool:
    # "May" is in no list of months, as it is mostly a verb; written so it hardly is.
    return any(c.isdigit() for c in word) or word.casefold() in _FIGURES or word == "May"


def _skeleton(sentence: str) -> tuple[str, ...]:
    """Return a sentence's tokens without its figures; "day" and "days" are the same there."""
    tokens = _TOKEN.findall(sentence)
    return tuple("#" if _is_figure(t) else UNITS.get(t.casefold(), t) for t in tokens)


def _changed_figures(old: str, new: str) -> Iterator[str]:
    """Return the figures that differ between two sentences with the same skeleton."""
    was, now = list(_TOKEN.finditer(old)), list(_TOKEN.finditer(new))
    for first, last in _runs([token[0] for token in now]):
        before = old[was[first].start() : was[last].end()]
        after = new[now[first].start() : now[last].end()]
        if before != after:
            unit = _unit([token[0] for token in now[last + 1 : last + 3]])
            yield f"{_cut(before, MAX_FIGURE)} → {_cut(after, MAX_FIGURE)}{unit}"


def _runs(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Return where figures stand together: first and last place, as of "June 24, 2020"."""
    places = [place for place, token in enumerate(tokens) if _is_figure(token)]
    first = None
    for place, following in zip_longest(places, places[1:], fillvalue=len(tokens)):
        first = place if first is None else first
        if "".join(tokens[place + 1 : following]) not in ("", ",") or following == len(tokens):
            yield first, place
            first = None


def _unit(following: Sequence[str]) -> str:
    """Return the unit behind a figure as it is written: " days", " working days" or nothing."""
    for count, word in enumerate(following, start=1):
        if word.casefold() in UNITS:
            return "".join(f" {word}" for word in following[:count])
        if word.casefold() not in QUALIFIERS:
            return ""
    return ""


# --- names ---------------------------------------------------------------------------------


def _named(found: Sequence[_Found], *, alone: bool) -> Iterator[SectionChange]:
    """Give each change its summary; sections of one name are told with their parents."""
    often = Counter(change.path[-1:] for change in found)
    for change in found:
        depth = 1 if often[change.path[-1:]] == 1 else 2
        name = " › ".join(change.path[-depth:]) or ("text" if alone else "opening")
        summary = f"{name} ({', '.join(change.said)})"
        yield SectionChange(change.path, change.kind, summary, change.removed, change.added)
