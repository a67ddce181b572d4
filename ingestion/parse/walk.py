"""The walk over a parsed page: from elements to blocks, in reading order.

Scripts, styles, templates, navigation, hidden and struck-out elements are left out.
The walk keeps its own stack, so depth costs no recursion.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingestion.parse.marks import Marks
from ingestion.parse.numerals import list_marker, lowered, raised
from ingestion.parse.styles import Look, StyleSheet, inherit, removed, struck
from ingestion.parse.tables import joined_cells, layout_tables
from ingestion.parse.visible import Piece, visible
from ingestion.parse.writer import CanonicalWriter
from store.documents import BlockKind

_TEXT = "-text"
# Never shown as words: not counted as hidden text either.
_SKIPPED = frozenset(
    "head script style noscript template nav svg math iframe object embed audio video canvas "
    "select datalist textarea title meta link base noembed noframes xmp map".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li "
    "main menu ol p pre search section summary table tbody td tfoot th thead tr ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset({"ul", "ol", "menu", "dir", "dl"})
_RAISED = frozenset({"sup", "sub"})

PAGE_BREAK = "page-break"
"""The class of an `<input>` that a converter writes; its value is the page that begins there."""


def write_tree(
    tree: LexborHTMLParser, marks: Marks, writer: CanonicalWriter, *, paged: bool = False
) -> None:
    """Write the visible blocks of a parsed page, whose text carries `marks`.

    `paged` says that the page was made of a document with pages, parted by `PAGE_BREAK`.
    """
    if tree.root is not None:
        _Walk(tree, marks, writer, paged=paged).run(tree.root)


@dataclass
class _List:
    """A list being walked. `group` is the outermost list's: items of both stand together."""

    group: int
    depth: int
    ordered: bool
    kind: str
    number: int
    step: int


@dataclass
class _Frame:
    """An element being walked, with what to put back when it is left."""

    node: LexborNode
    tag: str
    look: Look
    leave: Callable[[], None] | None


class _Walk:
    """Turns one tree into blocks. Text gathers in `_pieces` until a block's edge is met."""

    def __init__(
        self, tree: LexborHTMLParser, marks: Marks, writer: CanonicalWriter, *, paged: bool
    ) -> None:
        self._marks = marks
        self._page = 1 if paged else None
        self._begun: int | None = None  # the page on which the words gathered so far begin
        self._writer = writer
        self._sheet = StyleSheet(marks.strip(s.text()) for s in tree.css("style"))
        external = tree.css_first("link[rel~=stylesheet]") is not None
        self._look = Look(ground=None) if external else Look()
        self._layout = layout_tables(tree)
        self._pieces: list[Piece] = []
        self._breaks = 0
        self._lists: list[_List] = []
        self._marker = ""
        self._heading = 0
        self._tables: list[int] = []  # data tables around us, by group
        self._cells: list[list[Piece]] | None = None
        self._code: int | None = None
        self._groups = 0

    def run(self, root: LexborNode) -> None:
        """Walk everything under `root`."""
        stack: list[_Frame] = []
        node: LexborNode | None = root
        while node is not None or stack:
            if node is None:
                frame = stack.pop()
                if frame.leave is not None:
                    frame.leave()
                node = frame.node.next if stack else None
                continue
            look = stack[-1].look if stack else self._look
            entered = self._enter(node, look)
            if entered is None:
                node = node.next if stack else None
            else:
                stack.append(entered)
                node = node.child
        self._flush()

    def _enter(self, node: LexborNode, look: Look) -> _Frame | None:
        """Take in `node`; return its frame if its children are to be walked."""
        tag = node.tag or ""
        if tag == _TEXT:
            self._take_text(node, look)
            return None
        if tag.startswith("-") and tag != "-document":
            return None
        if tag in _SKIPPED:
            return None
        attributes = node.attributes if tag[0] != "-" else {}
        style = self._sheet.style(tag, attributes)
        if attributes.get("role") == "navigation":
            return None
        if attributes or style or tag == "dialog":
            if removed(tag, attributes, style):
                self._count_hidden(node)
                return None
            look = inherit(look, attributes, style)
        if struck(tag, style):
            self._count_struck(node)
            return None
        if tag == "img" and not look.unseen:
            self._pieces += self._marks.pieces(attributes.get("alt") or "")
        elif tag == "br":
            self._break()
        elif self._page is not None and attributes.get("class") == PAGE_BREAK:
            self._page = _integer(attributes.get("value"), self._page)
        elif tag in _RAISED:
            return _Frame(node, tag, look, self._enter_raised(tag))
        elif tag in _BLOCKS:
            return _Frame(node, tag, look, self._enter_block(node, tag, attributes))
        return _Frame(node, tag, look, None)

    def _take_text(self, node: LexborNode, look: Look) -> None:
        text = node.text_content or ""
        if look.unseen:
            self._writer.hidden += len(visible(self._marks.strip(text)))
            return
        pieces = self._marks.pieces(text)
        if any(part.strip() for part, _ in pieces):
            self._breaks = 0
            self._begun = self._begun or self._page
        self._pieces += pieces

    def _count_hidden(self, node: LexborNode) -> None:
        self._writer.hidden += len(visible(self._marks.strip(node.text(deep=True))))

    def _count_struck(self, node: LexborNode) -> None:
        self._writer.struck += bool(visible(self._marks.strip(node.text(deep=True))))

    def _break(self) -> None:
        """Two line breaks in a row part paragraphs, as they do for the eye."""
        self._pieces.append(("\n", None))
        self._breaks += 1
        if self._breaks == 2 and not self._heading and self._cells is None:
            self._flush()

    def _enter_raised(self, tag: str) -> Callable[[], None]:
        """Keep `10<sup>2</sup>` from reading 102."""
        pieces, start = self._pieces, len(self._pieces)

        def leave() -> None:
            # A block inside has begun other pieces; a number is not in many.
            if self._pieces is pieces and 0 < len(pieces) - start <= 2:
                text = "".join(part for part, _ in pieces[start:]).strip()
                if (sign := (raised if tag == "sup" else lowered)(text)) is not None:
                    pieces[start:] = [(sign, None)]

        return leave

    def _enter_block(
        self, node: LexborNode, tag: str, attributes: Mapping[str, str | None]
    ) -> Callable[[], None]:
        if self._cells is not None and tag not in ("td", "th", "tr"):
            self._pieces.append((" ", None))  # a block inside a cell is words of that cell
            return lambda: self._pieces.append((" ", None))
        if tag in ("td", "th") and self._cells is not None:
            return self._enter_cell()
        self._flush()
        if tag in _LISTS:
            return self._enter_list(tag, attributes)
        if tag in ("li", "dt", "dd") and self._lists:
            return self._enter_item(attributes)
        if tag in _HEADINGS:
            return self._enter_heading(_HEADINGS[tag])
        if tag == "table":
            return self._enter_table(node)
        if tag == "tr" and self._tables:
            return self._enter_row()
        if tag == "pre":
            return self._enter_code()
        return self._flush

    def _enter_heading(self, level: int) -> Callable[[], None]:
        before, self._heading = self._heading, level

        def leave() -> None:
            self._flush()
            self._heading = before

        return leave

    def _enter_list(self, tag: str, attributes: Mapping[str, str | None]) -> Callable[[], None]:
        outer = self._lists[-1] if self._lists else None
        step = -1 if "reversed" in attributes else 1
        self._lists.append(
            _List(
                group=outer.group if outer else self._new_group(),
                depth=outer.depth + 1 if outer else 0,
                ordered=tag == "ol",
                kind=attributes.get("type") or "1",
                number=_integer(attributes.get("start"), 1),
                step=step,
            )
        )
        marker, self._marker = self._marker, ""

        def leave() -> None:
            self._flush()
            self._lists.pop()
            self._marker = marker

        return leave

    def _enter_item(self, attributes: Mapping[str, str | None]) -> Callable[[], None]:
        items = self._lists[-1]
        if items.ordered:
            items.number = _integer(attributes.get("value"), items.number)
            self._marker = list_marker(items.number, items.kind)
            items.number += items.step

        def leave() -> None:
            self._flush()
            self._marker = ""

        return leave

    def _enter_table(self, node: LexborNode) -> Callable[[], None]:
        if node.mem_id in self._layout:
            return self._flush
        self._tables.append(self._new_group())

        def leave() -> None:
            self._flush()
            self._tables.pop()

        return leave

    def _enter_row(self) -> Callable[[], None]:
        self._cells = []

        def leave() -> None:
            cells, self._cells = self._cells or [], None
            self._pieces = [piece for cell in joined_cells(cells) for piece in cell] + self._pieces
            self._flush("table_row")

        return leave

    def _enter_cell(self) -> Callable[[], None]:
        self._pieces = []

        def leave() -> None:
            if self._cells is not None:
                self._cells.append(self._pieces)
                self._pieces = []

        return leave

    def _enter_code(self) -> Callable[[], None]:
        self._code = self._new_group()

        def leave() -> None:
            self._flush()
            self._code = None

        return leave

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups

    def _flush(self, kind: BlockKind | None = None) -> None:
        """Write what has gathered as one block (a line of code at a time)."""
        pieces, self._pieces = self._pieces, []
        page, self._begun = self._begun, None
        self._breaks = 0
        if not pieces:
            return
        if kind == "table_row":
            self._writer.add(kind, pieces, group=("table", self._tables[-1]), page=page)
        elif self._heading:
            pieces, self._marker = self._marked(pieces), ""
            self._writer.add("heading", pieces, level=self._heading, page=page)
        elif self._lists:
            self._write_item(pieces, page)
        elif self._code is not None:
            for line in lines_of(pieces):
                self._writer.add("code", line, group=("code", self._code), page=page)
        else:
            self._writer.add("paragraph", pieces, page=page)

    def _write_item(self, pieces: list[Piece], page: int | None) -> None:
        items = self._lists[-1]
        group = ("list", items.group)
        for line in lines_of(pieces) if self._code is not None else [pieces]:
            marked = self._marked(line)
            if self._writer.add("list_item", marked, level=items.depth, group=group, page=page):
                self._marker = ""

    def _marked(self, pieces: list[Piece]) -> list[Piece]:
        """Put the number of an ordered list's item before its first words."""
        words = self._marker and any(part.strip() for part, _ in pieces)
        return [(self._marker, None), *pieces] if words else pieces


def lines_of(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Cut pieces at line ends, which preformatted text keeps."""
    line: list[Piece] = []
    for text, source in pieces:
        position = 0
        for part in text.splitlines(keepends=True):
            line.append((part, None if source is None else source + position))
            position += len(part)
            if part[-1] in "\n\r":
                yield line
                line = []
    if line:
        yield line


def _integer(text: str | None, default: int) -> int:
    try:
        return int(text) if text and len(text) < 10 else default
    except ValueError:
        return default
