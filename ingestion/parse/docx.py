"""Word documents to blocks: mammoth makes a page of them, which is read as any page is.

What a person does not see is taken out before. Headers, footers and comments are not body text.
There is no map to the source: a place in XML means nothing to a person.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from xml.etree.ElementTree import Element, SubElement, tostring
from zipfile import ZipFile

import mammoth

from ingestion.errors import FileTooLargeError, TooComplexError
from ingestion.parse.docx_body import HEADING_STYLE, LIST_DEPTH, TITLE_STYLE, Body, Note
from ingestion.parse.docx_numbering import Numbering
from ingestion.parse.docx_styles import DocumentStyles, W, children, switched
from ingestion.parse.html import write_page
from ingestion.parse.package import Package, damaged, open_package
from ingestion.parse.styles import WHITE, Colour, colour
from ingestion.parse.walk import PAGE_BREAK
from ingestion.parse.writer import CanonicalWriter, Head, shorten

# Of XML after all that is not seen is gone: 1,200 pages, which take 400 MB and many seconds.
MAX_PLAIN = 12 * 2**20  # bytes

_SEPARATORS = ("separator", "continuationSeparator", "continuationNotice")
_STYLE_MAP = "\n".join(
    [
        f"p.{TITLE_STYLE} => h1:fresh",
        *(f"p.{HEADING_STYLE}{level} => h{level}:fresh" for level in range(1, 7)),
        *(
            f"p:unordered-list({depth + 1}) => {'ul > li > ' * depth}ul > li:fresh"
            for depth in range(LIST_DEPTH)
        ),
        f"br[type='page'] => input.{PAGE_BREAK}:fresh",
    ]
)
_PAGE_MARK = re.compile(rf'<input class="{PAGE_BREAK}"')
_REFERENCE = re.compile(r'<sup><a href="#(?:foot|end)note-[^"]*" id="[^"]*">\[(\d+)\]</a></sup>')
_NOTE = re.compile(r'<li id="(footnote|endnote)-([^"]*)">')
_BACK = re.compile(r'<a href="#(?:foot|end)note-ref-[^"]*">↑</a>')


def parse_docx(name: str, data: bytes) -> tuple[CanonicalWriter, Head]:
    """Read a Word document. Returns the written blocks and its title.

    The title is that of the paragraph in the style "Title", else of the file's properties.
    Blocks have pages where Word has laid the document out before it was saved.

    Raises a `DocumentError` for what is damaged, protected, too large or too deep.
    """
    package = open_package(name, data)
    try:
        return _read(name, package)
    except RecursionError as error:
        raise TooComplexError(
            f"{package.shown} nests tables or text boxes too deep; "
            "save it again from the program that made it."
        ) from error


@dataclass(frozen=True)
class _Plain:
    """A document made plain: its parts as XML, and what was learnt on the way."""

    parts: dict[str, bytes]
    body: Body
    paged: bool
    warnings: tuple[str, ...]


def _read(name: str, package: Package) -> tuple[CanonicalWriter, Head]:
    plain = _plain(package)
    size = sum(map(len, plain.parts.values()))
    if size > MAX_PLAIN:
        raise FileTooLargeError(
            f"{package.shown} holds more text than a document of a thousand pages; split it."
        )
    writer = CanonicalWriter("")
    write_page(name, _html(plain), writer, paged=plain.paged)
    writer.hidden += plain.body.hidden
    title = plain.body.title
    return writer, Head(
        title=shorten(title) if title else package.title(), warnings=plain.warnings
    )


def _plain(package: Package) -> _Plain:
    part = package.related("", "officeDocument", "word/document.xml")
    root = package.xml(part)
    content = root.find(f"{W}body") if root is not None else None
    if root is None or content is None:
        raise damaged(package.shown)
    styles = DocumentStyles(_part(package, part, "styles"))
    numbering = Numbering(_part(package, part, "numbering"), styles)
    notes = {
        kind: _notes(_part(package, part, f"{kind}s"), kind) for kind in ("footnote", "endnote")
    }
    known = frozenset(note for found in notes.values() for note in found)
    paged = next(content.iter(f"{W}lastRenderedPageBreak"), None) is not None
    body = Body(styles, numbering, known, paged)
    document = Element(f"{W}document")
    body.write(content, SubElement(document, f"{W}body"), _ground(package, part, root))
    parts = {
        "word/document.xml": tostring(document, "utf-8"),
        "word/numbering.xml": tostring(_bullets(), "utf-8"),
    }
    for kind, found in notes.items():
        parts[f"word/{kind}s.xml"] = tostring(_plain_notes(kind, found, body), "utf-8")
    return _Plain(parts, body, paged, tuple(_warnings(content)))


def _part(package: Package, document: str, kind: str) -> Element | None:
    return package.xml(package.related(document, kind, f"word/{kind}.xml"))


def _notes(root: Element | None, kind: str) -> dict[Note, Element]:
    return {
        (kind, note.get(f"{W}id", "")): note
        for note in children(root, kind)
        if note.get(f"{W}type") not in _SEPARATORS
    }


def _plain_notes(kind: str, notes: dict[Note, Element], body: Body) -> Element:
    """Return the notes that the body refers to; others are not seen."""
    root = Element(f"{W}{kind}s")
    for note, source in notes.items():
        into = SubElement(root, f"{W}{kind}", {f"{W}id": note[1]})
        if note in body.note_pages:
            body.write(source, into)
        else:
            body.hide(source)
    return root


def _ground(package: Package, document: str, root: Element) -> Colour | None:
    """Return the colour of the page, which shows only where the settings say so."""
    background = root.find(f"{W}background")
    settings = _part(package, document, "settings")
    if background is None or settings is None:
        return WHITE
    if not switched(settings, "displayBackgroundShape", False):
        return WHITE
    return colour(background.get(f"{W}color", ""))


def _html(plain: _Plain) -> str:
    """Convert plain parts; pages and notes are marked as the walk and a reader know them."""
    stream = BytesIO()
    with ZipFile(stream, "w") as archive:
        for part, content in plain.parts.items():
            archive.writestr(part, content)
    stream.seek(0)
    html: str = mammoth.convert_to_html(
        stream,
        style_map=_STYLE_MAP,
        include_default_style_map=False,
        include_embedded_style_map=False,
        ignore_empty_paragraphs=True,
    ).value
    html = _BACK.sub("", _REFERENCE.sub(r"<sup>\1</sup>", html))
    if not plain.paged:
        return html
    turned = iter(plain.body.turned)
    html = _PAGE_MARK.sub(lambda mark: f'{mark[0]} value="{next(turned, "")}"', html)
    return _NOTE.sub(lambda note: f"{note[0]}{_turn(plain.body.note_pages, note)}", html)


def _turn(pages: dict[Note, int], note: re.Match[str]) -> str:
    page = pages.get((note[1], note[2]), "")
    return f'<input class="{PAGE_BREAK}" value="{page}">'


def _bullets() -> Element:
    """Return the one list there is: its items carry their numbers as words."""
    root = Element(f"{W}numbering")
    abstract = SubElement(root, f"{W}abstractNum", {f"{W}abstractNumId": "0"})
    for depth in range(LIST_DEPTH):
        level = SubElement(abstract, f"{W}lvl", {f"{W}ilvl": str(depth)})
        SubElement(level, f"{W}numFmt", {f"{W}val": "bullet"})
    number = SubElement(root, f"{W}num", {f"{W}numId": "1"})
    SubElement(number, f"{W}abstractNumId", {f"{W}val": "0"})
    return root


def _warnings(content: Element) -> list[str]:
    inserted = next(content.iter(f"{W}altChunk"), None) is not None
    return ["A part that was inserted from another file was left out."] if inserted else []
