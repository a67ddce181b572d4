"""Lines of PDF pages to passages: paragraphs, list items, headings and rows of tables."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ingestion.parse.pdf_lines import Line
from ingestion.parse.pdf_marks import bullet, is_contents, number
from ingestion.parse.pdf_tables import TableRow
from store.documents import BlockKind

SLACK = 0.75  # of the font's size: how much further a line's words could have gone
MORE_LEADING = 0.25  # of the font's size, beyond the usual: a new paragraph
INDENT = 0.8  # of the font's size
USUAL_SHARE = 0.15  # of all distances between lines: the smallest so frequent is the usual one
SAME_SIZE = 0.1  # of the font's size
FOOTNOTE_SIZE = 0.93  # of the body's font size
MAX_FOOTNOTES = 8  # passages at the end of a page
MAX_HEADING_CHARS = 200
MAX_BOLD_HEADING_CHARS = 120
_SENTENCE_END = (".", "!", "?", "…", ".”", ".’", ".)", '."')
_CLAUSE_END = (",", ";", ":")
_LINKING_WORDS = frozenset(
    "a an and at by for from in of on or the to with und oder der die das von et ou de la".split()
)


Place = tuple[int, int]  # page, column


@dataclass(eq=False)
class Passage:
    """A block before it is written. `level` is a list item's depth until headings have theirs."""

    kind: BlockKind
    lines: list[Line]
    level: int = 0
    group: object = None
    row: TableRow | None = None
    marked: int = 0  # level of the bookmark that names it, from 1

    @property
    def words(self) -> str:
        """The words of all lines."""
        return " ".join(line.words for line in self.lines)

    @property
    def first(self) -> Line:
        """Its first line."""
        return self.lines[0]

    @property
    def last(self) -> Line:
        """Its last line."""
        return self.lines[-1]


@dataclass
class Fabric:
    """What is usual in a document: its body's font size, the distance of lines, their ends."""

    size: float
    leading: float  # of the font's size
    bold: bool  # whether so much is bold that it tells nothing
    lefts: dict[Place, float] = field(default_factory=dict)
    rights: dict[Place, float] = field(default_factory=dict)


def fabric(pages: Sequence[Sequence[Line]]) -> Fabric:
    """Return what is usual in the lines of all pages."""
    sizes: Counter[float] = Counter()
    leadings: Counter[float] = Counter()
    bold = chars = 0
    lefts: dict[Place, float] = defaultdict(lambda: float("inf"))
    rights: dict[Place, float] = defaultdict(float)
    for lines in pages:
        for line in lines:
            length = len(line.words)
            sizes[round(line.size * 2) / 2] += length
            chars += length
            bold += length * line.bold
            place = (line.page, line.column)
            lefts[place] = min(lefts[place], line.left)
            rights[place] = max(rights[place], line.right)
        for before, line in pairwise(lines):
            step = (line.base - before.base) / max(line.size, 1)
            if line.column == before.column and 0.8 < step < 3:
                leadings[round(step, 1)] += 1
    usual = USUAL_SHARE * leadings.total()
    leading = min((step for step, count in leadings.items() if count >= usual), default=1.2)
    size = max(sizes, key=lambda s: sizes[s]) if sizes else 11.0
    return Fabric(size, leading, bold > 0.4 * chars, dict(lefts), dict(rights))


def passages(
    items: Sequence[Line | TableRow], heads: dict[int, tuple[int, int]], usual: Fabric
) -> list[Passage]:
    """Return one page's lines and rows as passages, before headings are told by their look.

    `heads` says which lines (by id) begin a bookmark's heading, of how many lines and what level.
    """
    found: list[Passage] = []
    stack: list[Line] = []
    in_head = 0  # lines of a bookmark's heading that are to come
    for item in items:
        if isinstance(item, TableRow):
            found += _of_stack(stack, usual)
            stack, in_head = [], 0
            found.append(Passage("table_row", [item.line], group=("table", item.table), row=item))
        elif id(item) in heads:
            found += _of_stack(stack, usual)
            count, level = heads[id(item)]
            found.append(Passage("paragraph", [item], marked=level))
            stack, in_head = [], count - 1
        elif in_head:
            found[-1].lines.append(item)
            in_head -= 1
        else:
            if stack and not _same_stack(stack, item, usual):
                found += _of_stack(stack, usual)
                stack = []
            stack.append(item)
    return [*found, *_of_stack(stack, usual)]


def _same_stack(stack: list[Line], line: Line, usual: Fabric) -> bool:
    """Return whether `line` stands under the stack as near as lines of one paragraph do."""
    before = stack[-1]
    if (line.page, line.column, line.turned) != (before.page, before.column, before.turned):
        return False
    size = max(line.size, before.size)
    if abs(line.size - before.size) > SAME_SIZE * size:
        return False
    step = line.base - before.base
    if len(stack) > 1:
        own = stack[-1].base - stack[-2].base
        if abs(step - own) <= 0.1 * size:
            return True
    return 0 < step <= (usual.leading + MORE_LEADING) * size


def _of_stack(stack: list[Line], usual: Fabric) -> Iterator[Passage]:
    """Cut lines that stand together into paragraphs and list items."""
    if not stack:
        return
    right = _right_edge(stack, usual)
    current: list[Line] = []
    for line in stack:
        if current and _begins(current, line, right):
            yield _passage(current)
            current = []
        current.append(line)
    yield _passage(current)


def _right_edge(stack: list[Line], usual: Fabric) -> float:
    """Return where the lines would end if they were full."""
    furthest = max(line.right for line in stack)
    near = sum(line.right > furthest - line.size for line in stack)
    if len(stack) >= 3 and near >= 2:
        return furthest
    return max(furthest, usual.rights.get((stack[0].page, stack[0].column), 0.0))


def _begins(current: list[Line], line: Line, right: float) -> bool:
    """Return whether `line` begins another passage than the lines right above it."""
    before = current[-1]
    text = line.words
    if bullet(text) or is_contents(text) or is_contents(before.words):
        return True
    if number(text) and (is_broken(before, line, right) or _ends(before) or _under(current, line)):
        return True
    if _looks_change(before, line):
        return True
    if is_broken(before, line, right):
        return not (text[:1].islower() or _hangs(before) or _goes_on_with_number(before, line))
    indented = line.left > before.left + INDENT * line.size and len(current) > 1
    return indented and _ends(before) and not _is_item(current)


def _looks_change(before: Line, line: Line) -> bool:
    """Return whether one of two lines is bold or italic as a whole, and the other is not."""
    end, start = before.runs[-1], line.runs[0]
    bold = before.bold != line.bold and end.bold != start.bold
    return bold or (before.italic != line.italic and end.italic != start.italic)


def _goes_on_with_number(before: Line, line: Line) -> bool:
    text = line.words
    plain = not (before.bold or line.bold)
    return plain and text[:1] in "0123456789(" and not _ends(before) and not number(text)


def _under(current: list[Line], line: Line) -> bool:
    """Return whether `line` stands under an item's number, left of the item's other lines."""
    if not _is_item(current) or len(current) < 2:
        return False
    return line.left < current[-1].left - INDENT * line.size


def _is_item(lines: list[Line]) -> bool:
    text = lines[0].words
    return bool(bullet(text) or number(text))


def _ends(line: Line) -> bool:
    return line.words.endswith((*_SENTENCE_END, *_CLAUSE_END))


def _hangs(line: Line) -> bool:
    """Return whether a line ends in a word that ends no sentence and no entry of a list."""
    return line.words.rpartition(" ")[2].casefold() in _LINKING_WORDS


def is_broken(before: Line, line: Line, right: float) -> bool:
    """Return whether the first word of `line` would have had room at the end of `before`."""
    words = line.words
    first = words.split(" ", 1)[0]
    per_char = (line.right - line.left) / max(len(words), 1)
    return before.right + per_char * (len(first) + 1) + SLACK * line.size < right


def _passage(lines: list[Line]) -> Passage:
    return Passage("list_item" if _is_item(lines) else "paragraph", lines)


def joined_over_pages(found: Sequence[Passage], usual: Fabric) -> list[Passage]:
    """Join a paragraph or item that clearly goes on over a page's or column's end."""
    joined: list[Passage] = []
    for passage in found:
        before = _before_footnotes(joined, passage, usual)
        if before is not None and _goes_on(before, passage, usual):
            before.lines += passage.lines
        else:
            joined.append(passage)
    return joined


def _before_footnotes(
    joined: Sequence[Passage], passage: Passage, usual: Fabric
) -> Passage | None:
    """Return what stands before a passage, but for footnotes at the end of the page before."""
    for before in reversed(joined[-MAX_FOOTNOTES:]):
        small = before.first.size < FOOTNOTE_SIZE * usual.size <= passage.first.size
        if not small or before.first.page == passage.first.page:
            return before
    return None


def _goes_on(before: Passage, passage: Passage, usual: Fabric) -> bool:
    last, first = before.last, passage.first
    if (last.page, last.column) == (first.page, first.column):
        return False
    if before.kind not in ("paragraph", "list_item") or passage.kind != "paragraph":
        return False
    if before.marked or passage.marked:
        return False
    if abs(last.size - first.size) > SAME_SIZE * last.size or last.bold != first.bold:
        return False
    if last.words.endswith((*_SENTENCE_END, ":", ";")):
        return False
    right = usual.rights.get((last.page, last.column), last.right)
    if is_broken(last, first, right):
        return _hangs(last)
    return first.words[:1].islower() or last.words[-1:].islower() or last.words.endswith(",")


def numbered_lists(found: Sequence[Passage]) -> None:
    """Give items their depth and their list: items without other text between them."""
    group = 0
    lefts: list[float] = []
    for before, passage in pairwise([None, *found]):
        if passage is None or passage.kind != "list_item":
            continue
        if before is None or before.kind != "list_item":
            group += 1
            lefts = []
        left, size = passage.first.left, passage.first.size
        while lefts and left < lefts[-1] - INDENT * size:
            lefts.pop()
        if not lefts or left > lefts[-1] + INDENT * size:
            lefts.append(left)
        passage.level = len(lefts) - 1
        passage.group = ("list", group)
