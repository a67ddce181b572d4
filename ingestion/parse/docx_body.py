"""A Word document's body made plainer: what a person sees, in few kinds of elements.

What is hidden, deleted or moved away is left out and counted; numbers that Word counts become
words; text boxes follow the paragraph that they hang on. Nothing else is taken over, so that a
converter meets only what it knows. Left out without counting: the table of contents.
"""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from ingestion.parse.docx_numbering import Numbering
from ingestion.parse.docx_styles import (
    DocumentStyles,
    ParagraphLook,
    TextLook,
    W,
    children,
    paragraph_look,
    shade_of,
    switched,
    text_look,
    value,
)
from ingestion.parse.docx_tree import (
    ALTERNATIVES,
    MATH,
    WRAPPERS,
    Pages,
    boxes_in,
    cells_of,
    chosen,
    copy_spans,
    formula,
    gallery,
    rows_of,
)
from ingestion.parse.styles import WHITE, Colour
from ingestion.parse.visible import visible
from ingestion.parse.writer import MAX_HEADING

LIST_DEPTH = 5  # as deep as the converter's lists go
TITLE_STYLE, HEADING_STYLE = "Title", "Heading"  # the latter with its level
MAX_SENTENCE_HEADING = 60  # characters; what is longer and ends like a sentence is a clause

_GONE = frozenset({f"{W}del", f"{W}moveFrom"})
_GONE_CELLS = ("del", "cellDel")
_PICTURES = frozenset({f"{W}drawing", f"{W}pict", f"{W}object"})
_NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
_TABS = frozenset({f"{W}tab", f"{W}ptab"})
_HYPHENS = {f"{W}noBreakHyphen": "\u2011", f"{W}softHyphen": "\u00ad"}
_SYMBOLS = range(0xF000, 0xF100)  # where a symbol font's own characters stand
_ALIGNED = ("superscript", "subscript")
_SENTENCE_END = (".", ";", ":", ",")

Note = tuple[str, str]  # "footnote" or "endnote", and its id


@dataclass(frozen=True)
class _Place:
    """Where runs stand: their paragraph's style, and the colour behind it."""

    style: str | None
    ground: Colour | None


@dataclass
class _Paragraph:
    """A paragraph being written: its element, its words, what hangs on it."""

    element: Element
    words: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    hid: bool = False
    run: Element | None = None  # the last one, and what it looks like
    look: tuple[bool, str | None] = (False, None)


class Body:
    """Writes plain elements; `hidden` counts the characters left out.

    `turned` are the pages that begin at the page breaks written, in order, and `note_pages`
    those on which notes are referred to; both are empty unless Word laid the document out.
    """

    def __init__(
        self, styles: DocumentStyles, numbering: Numbering, notes: frozenset[Note], paged: bool
    ) -> None:
        self.hidden = 0
        self.title: str | None = None
        self.turned: list[int] = []
        self.note_pages: dict[Note, int] = {}
        self._styles = styles
        self._numbering = numbering
        self._notes = notes
        self._paged = paged
        self._pages = Pages()
        self._written_page = 1

    def write(self, source: Element, into: Element, ground: Colour | None = WHITE) -> None:
        """Write the paragraphs and tables in `source`, which stand on `ground`."""
        for child in source:
            if child.tag == f"{W}p":
                self._paragraph(child, into, ground)
            elif child.tag == f"{W}tbl":
                self._table(child, into, ground)
            elif child.tag == f"{W}sdt":
                if gallery(child) == "Table of Contents":
                    self._pass_over(child)
                else:
                    self.write(child, into, ground)
            elif child.tag in WRAPPERS:
                self.write(child, into, ground)
            elif child.tag == ALTERNATIVES:
                self.write(chosen(child), into, ground)
            elif child.tag in _GONE:
                self.hide(child)

    def _paragraph(self, source: Element, into: Element, ground: Colour | None) -> None:
        properties = source.find(f"{W}pPr")
        style = value(properties, "pStyle") if properties is not None else None
        look = paragraph_look(properties, self._styles.paragraph(style))
        if look.opens_page:
            self._pages.set_by_author()
        if look.contents:
            self._pass_over(source)
            return
        ground = look.shade.colour if look.shade else ground
        written = _Paragraph(SubElement(into, f"{W}p"))
        own = SubElement(written.element, f"{W}pPr")
        self._inline(source, written, _Place(style, ground))
        text = visible("".join(written.words))
        label = None if written.hid and not text else self._label(look, style)
        self._describe(own, look, text, label)
        if text and label is not None and label[0]:
            _put_before_words(written.element, f"{label[0]} ")
        for box in written.boxes:
            self.write(box, into, None)  # what fills a box is not known

    def _label(self, look: ParagraphLook, style: str | None) -> tuple[str, int] | None:
        if look.number is None:
            return None
        return self._numbering.count(look.number, look.depth, style)

    def _describe(
        self, own: Element, look: ParagraphLook, text: str, label: tuple[str, int] | None
    ) -> None:
        """Say what a paragraph is: a title, a heading, an item, or nothing of that."""
        clause = len(text) > MAX_HEADING or (
            len(text) > MAX_SENTENCE_HEADING and text.endswith(_SENTENCE_END)
        )
        if look.level and not clause:
            name = TITLE_STYLE if look.title else f"{HEADING_STYLE}{look.level}"
            SubElement(own, f"{W}pStyle", {f"{W}val": name})
            if look.title and self.title is None and text:
                self.title = text
        elif label is not None:
            item = SubElement(own, f"{W}numPr")
            SubElement(item, f"{W}ilvl", {f"{W}val": str(min(label[1], LIST_DEPTH - 1))})
            SubElement(item, f"{W}numId", {f"{W}val": "1"})

    def _inline(self, source: Element, written: _Paragraph, place: _Place) -> None:
        for child in source:
            if child.tag == f"{W}r":
                self._run(child, written, place)
            elif child.tag in WRAPPERS or child.tag == f"{W}sdt":
                self._inline(child, written, place)
            elif child.tag == ALTERNATIVES:
                self._inline(chosen(child), written, place)
            elif child.tag in _GONE:
                written.hid = True
                self.hide(child)
            elif child.tag in (f"{MATH}oMath", f"{MATH}oMathPara"):
                self._put(written, _run_in(written), formula(child))

    def _run(self, source: Element, written: _Paragraph, place: _Place) -> None:
        properties = source.find(f"{W}rPr")
        character = value(properties, "rStyle") if properties is not None else None
        look = text_look(properties, self._styles.text(place.style, character))
        if look.unseen(place.ground):
            before = self.hidden
            self.hide(source)
            written.hid = written.hid or self.hidden > before
            return
        self._content(source, written, place, _Looks(look, properties))

    def _content(
        self, source: Element, written: _Paragraph, place: _Place, looks: "_Looks"
    ) -> None:
        for child in source:
            if child.tag == f"{W}t":
                self._put(written, looks.run_in(written), child.text or "")
            elif child.tag in _HYPHENS:
                self._put(written, looks.run_in(written), _HYPHENS[child.tag])
            elif child.tag == f"{W}sym":
                self._symbol(child, written, looks)
            elif child.tag in _TABS:
                SubElement(looks.run_in(written), f"{W}tab")
            elif child.tag in (f"{W}br", f"{W}cr", f"{W}lastRenderedPageBreak"):
                self._break(child, written)
            elif child.tag in _NOTES:
                self._note(child, written)
            elif child.tag in _PICTURES:
                written.boxes += boxes_in(child)
            elif child.tag == ALTERNATIVES:
                self._content(chosen(child), written, place, looks)
            elif child.tag == f"{W}ruby":
                for base in children(child, "rubyBase"):
                    self._inline(base, written, place)
            elif child.tag == f"{W}delText":
                self.hidden += len(visible(child.text or ""))

    def _put(self, written: _Paragraph, run: Element, text: str) -> None:
        """Write words, behind a page break where they are the first of another page."""
        if not text:
            return
        if self._paged and not text.isspace():
            if self._pages.number > self._written_page:
                self._written_page = self._pages.number
                self.turned.append(self._written_page)
                SubElement(run, f"{W}br", {f"{W}type": "page"})
            self._pages.words()
        written.words.append(text)
        last = run[-1] if len(run) else None
        if last is not None and last.tag == f"{W}t":
            last.text = (last.text or "") + text
        else:
            SubElement(run, f"{W}t").text = text

    def _symbol(self, source: Element, written: _Paragraph, looks: "_Looks") -> None:
        """Keep a symbol font's character for the converter, which knows what it looks like."""
        try:
            code = int(source.get(f"{W}char", ""), 16)
        except ValueError:
            return
        if code in _SYMBOLS:
            font = source.get(f"{W}font", "")
            names = {f"{W}font": font, f"{W}char": f"{code:04X}"}
            SubElement(looks.run_in(written), f"{W}sym", names)
        elif 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE:
            self._put(written, looks.run_in(written), chr(code))

    def _break(self, source: Element, written: _Paragraph) -> None:
        if source.tag == f"{W}lastRenderedPageBreak":
            self._pages.laid_out()
        elif source.get(f"{W}type") == "page":
            self._pages.set_by_author()
        elif source.get(f"{W}type") != "column":
            written.words.append(" ")
            SubElement(_run_in(written), f"{W}br")

    def _note(self, source: Element, written: _Paragraph) -> None:
        note = (_NOTES[source.tag], source.get(f"{W}id", ""))
        if note in self._notes:
            self.note_pages.setdefault(note, self._pages.number)
            SubElement(_run_in(written), source.tag, {f"{W}id": note[1]})

    def _table(self, source: Element, into: Element, ground: Colour | None) -> None:
        properties = source.find(f"{W}tblPr")
        shade = shade_of(properties)
        style = value(properties, "tblStyle") if properties is not None else None
        if shade is not None or self._styles.shades(style):
            ground = shade.colour if shade else None
        rows = [list(cells_of(row)) for row in rows_of(source) if not self._removed(row, "tr")]
        if all(len(cells) <= 1 for cells in rows):  # a frame around text
            for cell in [cell for cells in rows for cell in cells]:
                if not self._removed(cell, "tc"):
                    self.write(cell, into, _ground_of(cell, ground))
            return
        table = SubElement(into, f"{W}tbl")
        for cells in rows:
            self._row(cells, SubElement(table, f"{W}tr"), ground)

    def _row(self, cells: list[Element], row: Element, ground: Colour | None) -> None:
        first = last = self._pages.number
        for cell in cells:
            if self._removed(cell, "tc"):
                continue
            self._pages.number = first  # each cell begins where the row does
            element = SubElement(row, f"{W}tc")
            properties = cell.find(f"{W}tcPr")
            if properties is not None:
                copy_spans(properties, SubElement(element, f"{W}tcPr"))
            self.write(cell, element, _ground_of(cell, ground))
            last = max(last, self._pages.number)
        self._pages.number = last

    def _removed(self, source: Element, kind: str) -> bool:
        """Return whether a row ("tr") or cell ("tc") is deleted or hidden, and count it."""
        properties = source.find(f"{W}{kind}Pr")
        if properties is None:
            return False
        gone = any(properties.find(f"{W}{name}") is not None for name in _GONE_CELLS)
        if gone or (kind == "tr" and switched(properties, "hidden", False)):
            self.hide(source)
            return True
        return False

    def hide(self, source: Element) -> None:
        """Leave out an element and count its characters."""
        words = (e.text or "" for e in source.iter() if e.tag in (f"{W}t", f"{W}delText"))
        self.hidden += len(visible("".join(words)))
        self._pass_over(source)

    def _pass_over(self, source: Element) -> None:
        """Count the pages in what is not written."""
        for element in source.iter():
            if element.tag == f"{W}lastRenderedPageBreak":
                self._pages.laid_out()
            elif element.tag == f"{W}br" and element.get(f"{W}type") == "page":
                self._pages.set_by_author()
            elif element.tag == f"{W}t":
                self._pages.words()


@dataclass(frozen=True)
class _Looks:
    """What of a run's look is written: raised, lowered, struck out."""

    text: TextLook
    properties: Element | None

    def run_in(self, written: _Paragraph) -> Element:
        """Return the paragraph's last run if it looks the same, else a new one."""
        align = value(self.properties, "vertAlign") if self.properties is not None else None
        return _run_in(written, self.text.struck, align if align in _ALIGNED else None)


def _run_in(written: _Paragraph, struck: bool = False, align: str | None = None) -> Element:
    look = (struck, align)
    if written.run is None or written.look != look:
        written.look, written.run = look, SubElement(written.element, f"{W}r")
        if struck or align:
            own = SubElement(written.run, f"{W}rPr")
            if struck:
                SubElement(own, f"{W}strike")
            if align:
                SubElement(own, f"{W}vertAlign", {f"{W}val": align})
    return written.run


def _put_before_words(paragraph: Element, label: str) -> None:
    """Put a label before the first words, behind what turns the page."""
    for run in paragraph.iter(f"{W}r"):
        for place, child in enumerate(run):
            if child.tag == f"{W}t" and (child.text or "").strip():
                child.text = label + (child.text or "").lstrip()
                return
            if child.tag == f"{W}sym":
                words = Element(f"{W}t")
                words.text = label
                run.insert(place, words)
                return


def _ground_of(cell: Element, ground: Colour | None) -> Colour | None:
    shade = shade_of(cell.find(f"{W}tcPr"))
    return shade.colour if shade else ground
