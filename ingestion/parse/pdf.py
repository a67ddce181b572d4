"""PDF to blocks: what a person reads on its pages, in order, without headers and footers."""

import re
from collections.abc import Iterator, Sequence
from unicodedata import category

from ingestion.errors import (
    EmptyFileError,
    FileTooLargeError,
    UnreadableFileError,
    display_name,
)
from ingestion.parse.pdf_blocks import (
    Passage,
    fabric,
    joined_over_pages,
    numbered_lists,
    passages,
)
from ingestion.parse.pdf_dates import effective_date
from ingestion.parse.pdf_file import Bookmark, bookmarks, info_title, open_page, open_pdf
from ingestion.parse.pdf_glyphs import UNKNOWN, repair
from ingestion.parse.pdf_grids import ruled_rows
from ingestion.parse.pdf_headings import bookmarked_lines, set_levels
from ingestion.parse.pdf_hyphens import Hyphens, ends_in_hyphen
from ingestion.parse.pdf_lines import Cell, Line, in_reading_order, page_lines
from ingestion.parse.pdf_marks import LEADER, bullet, key_letters
from ingestion.parse.pdf_page import Cmaps, read_page
from ingestion.parse.pdf_running import without_running_lines
from ingestion.parse.pdf_source import PagedSource, pieces
from ingestion.parse.pdf_tables import with_tables
from ingestion.parse.pdf_text import PageText, Run
from ingestion.parse.tables import joined_cells
from ingestion.parse.visible import Piece, visible
from ingestion.parse.writer import CanonicalWriter, Head, shorten

MAX_CHARACTERS = 10_000_000  # of all pages
MAX_UNKNOWN = 1 / 3  # of a file's characters
WORD_GAP = 0.15  # of the font's size: a wider one between runs parts words

_SCANS = ("is a scan without text", "are scans without text")
_DAMAGED = ("is damaged and was left out", "are damaged and were left out")
_MACHINE_TITLE = re.compile(
    r"^microsoft \w+ - |^(?:untitled|unbenannt|document ?\d*|slide 1|title|print)$"
    r"|\.(?:docx?|pdf|indd|pptx?|xlsx?|odt|rtf|txt|html?|tex|dvi|qxd|pages|md)\b|[\\/]|https?:",
    re.IGNORECASE,
)
_NO_LETTERS = frozenset({"Co", "Cc", "Cn"})  # Unicode's private use, controls, not assigned
_ENDING = re.compile(r"(?<=.)\.\w{1,10}$")


def parse_pdf(name: str, data: bytes) -> tuple[CanonicalWriter, Head]:
    """Read a PDF. Returns the written blocks and what the file says of itself.

    Raises `ProtectedFileError`, `UnreadableFileError`, `FileTooLargeError`, or `EmptyFileError`
    for a scan without text.
    """
    pages: list[PageText] = []
    cmaps: Cmaps = {}
    characters = 0
    lost: list[int] = []
    with open_pdf(name, data) as document:
        title = info_title(document)
        marks = bookmarks(document)
        for number in range(1, len(document) + 1):
            with open_page(document, number) as handles:
                if handles is not None:
                    pages.append(read_page(handles, number, cmaps))
                    characters += len(pages[-1].units)
                else:
                    lost.append(number)
            _refuse_length(display_name(name), characters)
    dropped = repair(pages, cmaps)
    _refuse_unreadable(display_name(name), pages, dropped)
    source = PagedSource()
    for page in pages:
        source.add(page.number, page.units)
    writer = CanonicalWriter(source)
    writer.hidden = sum(page.hidden for page in pages)
    rows = without_running_lines(
        [(page.height, page_lines(page, *ruled_rows(page))) for page in pages]
    )
    lines = [in_reading_order(page_rows) for page_rows in rows]
    _write(lines, marks, writer)
    warnings = (
        *_pages_warning([page.number for page in pages if page.scan], *_SCANS),
        *_pages_warning(lost, *_DAMAGED),
        *_dropped_warning(dropped),
    )
    head = Head(
        title=_title(title, name, lines, writer),
        effective_from=effective_date([line.words for line in lines[0]] if lines else []),
        warnings=warnings,
    )
    return writer, head


def _refuse_length(shown: str, characters: int) -> None:
    if characters > MAX_CHARACTERS:
        raise FileTooLargeError(
            f"{shown} holds more than the {MAX_CHARACTERS:,} characters that a PDF may have;"
            " split it."
        )


def _refuse_unreadable(shown: str, pages: Sequence[PageText], dropped: int) -> None:
    """Raise an error for a file without pages, words, or letters that can be told."""
    if not pages:
        raise UnreadableFileError(
            f"{shown} is damaged and cannot be read; open it and save it again."
        )
    letters = [c for page in pages for run in page.runs for c in run.text if not c.isspace()]
    unknown = dropped + sum(category(c) in _NO_LETTERS or c == UNKNOWN for c in letters)
    if unknown > MAX_UNKNOWN * (len(letters) + dropped):
        raise UnreadableFileError(
            f"The letters of {shown} cannot be told, because its fonts have no character map;"
            " send the file that it was made from, or print it to a new PDF."
        )
    if not letters and any(page.scan for page in pages):
        raise EmptyFileError(f"{shown} is a scan without text; send a PDF with a text layer.")


def _pages_warning(numbers: Sequence[int], one: str, many: str) -> Iterator[str]:
    if len(numbers) == 1:
        yield f"page {numbers[0]} {one}"
    elif numbers:
        yield f"pages {_enumerated(numbers)} {many}"


def _enumerated(numbers: Sequence[int]) -> str:
    """Return numbers in words: "7, 9 and 12 to 15"."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    parts = [
        part
        for stretch in stretches
        for part in ([f"{stretch[0]} to {stretch[-1]}"] if len(stretch) > 2 else map(str, stretch))
    ]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _dropped_warning(dropped: int) -> Iterator[str]:
    if dropped:
        yield (
            f"{dropped:,} characters were left out, because their font does not say which"
            " letters they are."
        )


def _write(
    pages: Sequence[Sequence[Line]], marks: Sequence[Bookmark], writer: CanonicalWriter
) -> None:
    """Write the lines of all pages as blocks."""
    everything = [line for lines in pages for line in lines]
    usual = fabric(pages)
    heads = bookmarked_lines(everything, marks)
    found: list[Passage] = []
    tables = 0
    for lines in pages:
        items = with_tables(lines, tables)
        tables += 2 * len(lines)
        found += passages(items, heads, usual)
    found = joined_over_pages(found, usual)
    set_levels(found, usual)
    numbered_lists(found)
    hyphens = Hyphens(line.words for line in everything)
    for passage in found:
        writer.add(
            passage.kind,
            list(_passage_pieces(passage, hyphens)),
            level=passage.level,
            group=passage.group,
            page=passage.first.page,
        )


def _passage_pieces(passage: Passage, hyphens: Hyphens) -> Iterator[Piece]:
    if passage.row is not None:
        cells = [
            list(_lines_pieces([(passage.row.page, [cell]) for cell in cells], hyphens))
            for cells in passage.row.cells
        ]
        for cell in joined_cells(cells):
            yield from cell
        return
    lines = [(line.page, line.cells) for line in passage.lines]
    skip = bullet(passage.first.words) if passage.kind == "list_item" else 0
    yield from _lines_pieces(lines, hyphens, skip)


def _lines_pieces(
    lines: Sequence[tuple[int, list[Cell]]], hyphens: Hyphens, skip: int = 0
) -> Iterator[Piece]:
    """Yield the letters of lines, joined by spaces or, at a hyphen, by nothing."""
    for index, (page, cells) in enumerate(lines):
        found = list(_cells_pieces(page, cells))
        if skip:
            found, skip = _behind(found, skip), 0
        text = "".join(part for part, _ in found)
        if index + 1 < len(lines) and ends_in_hyphen(text):
            after = "".join(cell.text for cell in lines[index + 1][1])
            if hyphens.is_line_s_own(text.rstrip(), after.lstrip()):
                found = _without_last_letter(found)
            yield from found
        else:
            yield from found
            yield " ", None


def _cells_pieces(page: int, cells: Sequence[Cell]) -> Iterator[Piece]:
    before: Run | None = None
    for cell in cells:
        for run in cell.runs:
            if before is not None and _parted(before, run):
                yield " ", None
            for piece in pieces(page, run.at, run.text):
                yield from _without_leaders(piece)
            before = run


def _without_leaders(piece: Piece) -> Iterator[Piece]:
    """Leave out the dots between a heading and its page's number, and lines to write on."""
    text, at = piece
    start = 0
    for match in LEADER.finditer(text):
        if start < match.start():
            yield text[start : match.start()], None if at is None else at + start
        yield " ", None
        start = match.end()
    if start < len(text):
        yield text[start:], None if at is None else at + start


def _parted(before: Run, run: Run) -> bool:
    """Return whether a space is seen between two runs that have none of their own."""
    if before.text[-1:].isspace() or before.at + len(before.text) == run.at:
        return False
    return run.left - before.right > WORD_GAP * run.size


def _behind(found: list[Piece], skip: int) -> list[Piece]:
    """Return pieces without their first `skip` characters, a bullet and its space."""
    left: list[Piece] = []
    for text, at in found:
        cut = min(skip, len(text))
        skip -= cut
        if cut < len(text):
            left.append((text[cut:], None if at is None else at + cut))
    return left


def _without_last_letter(found: list[Piece]) -> list[Piece]:
    while found and not found[-1][0].rstrip():
        found.pop()
    text, at = found[-1]
    return [*found[:-1], (text.rstrip()[:-1], at)]


def _title(
    title: str, name: str, pages: Sequence[Sequence[Line]], writer: CanonicalWriter
) -> str | None:
    """Return the title of the file's properties if a person wrote it for this document.

    Word keeps the title of the file that a document was once made from. So it is believed if the
    first page shows it, or if there is no heading that could be the title.
    """
    shown = visible(title)
    if len(shown) < 4 or not any(c.isalpha() for c in shown) or _MACHINE_TITLE.search(shown):
        return None
    key = key_letters(shown)
    if "_" in shown or key == key_letters(title_stem(name)):
        return None
    on_first_page = key in key_letters("".join(line.words for line in pages[0])) if pages else ""
    return shorten(shown) if on_first_page or writer.first_heading() is None else None


def title_stem(name: str) -> str:
    """Return a file's name without its ending."""
    return _ENDING.sub("", display_name(name))
