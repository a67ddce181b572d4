"""A PDF file that is open: its pages, its title, its bookmarks. PDFium does the reading."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from ingestion.errors import (
    FileTooLargeError,
    ProtectedFileError,
    UnreadableFileError,
    display_name,
)

MAX_PAGES = 2_000
MAX_BOOKMARKS = 10_000
MAX_BOOKMARK_DEPTH = 12
# PDFium keeps state of its own and is not made for threads.
_ONE_AT_A_TIME = threading.RLock()
# Annotations whose words a person sees on the page; links, notes and marks have none.
_WORDED = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)


@dataclass(frozen=True)
class Bookmark:
    """An entry of the table of contents that a reader's program shows beside the pages."""

    title: str
    level: int  # from 1
    page: int | None  # from 1


@dataclass(frozen=True)
class PageHandles:
    """PDFium's handles of an open page: what is painted, and its text."""

    page: Any
    text: Any


@contextmanager
def open_pdf(name: str, data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """Open a file. `name` is for messages.

    Raises `ProtectedFileError`, `UnreadableFileError`, or `FileTooLargeError` for too many pages.
    """
    shown = display_name(name)
    with _ONE_AT_A_TIME:
        document = _opened(shown, data)
        try:
            pages = len(document)
            if not pages:
                raise UnreadableFileError(_damaged(shown))
            if pages > MAX_PAGES:
                raise FileTooLargeError(
                    f"{shown} has {pages:,} pages, more than the {MAX_PAGES:,} that a PDF may"
                    " have; split it."
                )
            yield document
        finally:
            document.close()


def _opened(shown: str, data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise ProtectedFileError(
                f"{shown} is protected by a password; save it without one and send it again."
            ) from error
        raise UnreadableFileError(_damaged(shown)) from error


def _damaged(shown: str) -> str:
    return f"{shown} is damaged and cannot be read; open it and save it again."


@contextmanager
def open_page(document: pypdfium2.PdfDocument, number: int) -> Iterator[PageHandles | None]:
    """Open page `number` (from 1), filled-in fields and stamps being part of it.

    Gives None for a page that cannot be read.
    """
    page = pdfium.FPDF_LoadPage(document, number - 1)
    try:
        if page and _has_worded_annotations(page):
            page = _flattened(document, number, page)
        text = pdfium.FPDFText_LoadPage(page) if page else None
        try:
            yield PageHandles(page, text) if text else None
        finally:
            if text:
                pdfium.FPDFText_ClosePage(text)
    finally:
        if page:
            pdfium.FPDF_ClosePage(page)


def _flattened(document: pypdfium2.PdfDocument, number: int, page: Any) -> Any:
    """Return the page anew, with what its annotations show as part of its content."""
    if pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) != pdfium.FLATTEN_SUCCESS:
        return page
    pdfium.FPDF_ClosePage(page)
    return pdfium.FPDF_LoadPage(document, number - 1)


def _has_worded_annotations(page: Any) -> bool:
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if annotation:
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            pdfium.FPDFPage_CloseAnnot(annotation)
            if kind in _WORDED:
                return True
    return False


def info_title(document: pypdfium2.PdfDocument) -> str:
    """Return the title that the file's properties give, or ""."""
    return str(document.get_metadata_value("Title")).strip()


def bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """Return the bookmarks in order; at most 10,000, however they loop."""
    found: list[Bookmark] = []
    seen: set[int] = set()
    stack = [(pdfium.FPDFBookmark_GetFirstChild(document, None), 1)]
    while stack and len(found) < MAX_BOOKMARKS:
        bookmark, level = stack.pop()
        if not bookmark or address(bookmark) in seen:
            continue
        seen.add(address(bookmark))
        found.append(Bookmark(_title(bookmark), level, _page(document, bookmark)))
        stack.append((pdfium.FPDFBookmark_GetNextSibling(document, bookmark), level))
        if level < MAX_BOOKMARK_DEPTH:
            stack.append((pdfium.FPDFBookmark_GetFirstChild(document, bookmark), level + 1))
    return found


def address(handle: Any) -> int:
    """Return the address behind one of PDFium's handles, 0 for none."""
    return ctypes.addressof(handle.contents) if handle else 0


def _title(bookmark: Any) -> str:
    size = pdfium.FPDFBookmark_GetTitle(bookmark, None, 0)
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFBookmark_GetTitle(bookmark, buffer, size)
    return buffer.raw[: max(size - 2, 0)].decode("utf-16-le", "replace")


def _page(document: pypdfium2.PdfDocument, bookmark: Any) -> int | None:
    target = pdfium.FPDFBookmark_GetDest(document, bookmark)
    if not target:
        action = pdfium.FPDFBookmark_GetAction(bookmark)
        target = pdfium.FPDFAction_GetDest(document, action) if action else None
    index = pdfium.FPDFDest_GetDestPageIndex(document, target) if target else -1
    return index + 1 if index >= 0 else None
