"""A picture of a PDF page with quoted words marked."""

import ctypes
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]
from PIL import Image, ImageChops, ImageDraw

from ingestion.errors import PagePictureError
from ingestion.parse.pdf_file import PageHandles, open_page, open_pdf
from ingestion.parse.pdf_source import PAGE_STRIDE
from ingestion.parse.pdf_text import Box, page_box, shown_point
from store.documents import SourceRun

MARK = (255, 235, 60)  # what the page's colours are multiplied with
MARK_MARGIN = 1.0  # points around the letters
MIN_WIDTH, MAX_WIDTH = 100, 3_000  # pixels
MAX_PIXELS = 12_000_000
MAX_SIDE = 14_400.0  # points: 5 m, the largest page that PDF 32000-1 allows
MIN_SIDE = 3.0  # points
MAX_SPANS = 2_000
CROP_MARGIN = 90.0  # points above and below the marks
SAME_LINE = 0.5  # of a mark's height in which marks on one line overlap
NEAR_PLACES = 3  # between runs of one quote: a line's end in the page's text


def source_spans(source_map: Sequence[SourceRun], start: int, end: int) -> list[tuple[int, int]]:
    """Return where `text[start:end]` of a version stands in its source, as (start, end) pairs.

    `source_map` is in order. Letters without a place in the source are passed over.
    """
    first = bisect_right(source_map, start, key=lambda run: run.start + run.length)
    spans: list[tuple[int, int]] = []
    for run in source_map[first:]:
        low, high = max(run.start, start), min(run.start + run.length, end)
        if low >= high:
            break
        shift = run.source_start - run.start
        if spans and 0 <= low + shift - spans[-1][1] <= NEAR_PLACES:
            spans[-1] = (spans[-1][0], high + shift)
        else:
            spans.append((low + shift, high + shift))
    return spans


def pages_of(spans: Iterable[tuple[int, int]]) -> list[int]:
    """Return the pages, from 1, on which source spans of a PDF stand, in order."""
    return sorted({start // PAGE_STRIDE + 1 for start, _ in spans})


def page_picture(
    data: bytes,
    page: int,
    spans: Sequence[tuple[int, int]],
    *,
    width: int = 1000,
    crop: bool = False,
    name: str = "The document",
) -> bytes:
    """Return a PNG, `width` pixels wide, of a page (from 1) with the letters of `spans` marked.

    Spans are places in the source, as in a version's source map; those on other pages are passed
    over. With `crop`, only the neighbourhood of what is marked is shown.

    Raises `PagePictureError` for a page that is not there or that is no page's size, and what
    `open_pdf` raises.
    """
    with open_pdf(name, data) as document:
        if not 1 <= page <= len(document):
            raise PagePictureError(f"{name} has no page {page}; ask for one that it has.")
        with open_page(document, page) as handles:
            if handles is None:
                raise PagePictureError(f"Page {page} of {name} is damaged; send the file again.")
            scale = _scale(name, page, handles.page, width)
            marks = [
                (left * scale, top * scale, right * scale, bottom * scale)
                for left, top, right, bottom in _merged(_boxes(handles, page, spans))
            ]
            picture = _painted(handles.page, scale)
    picture = _marked(picture, marks)
    if crop and marks:
        picture = _cropped(picture, marks, CROP_MARGIN * scale)
    out = BytesIO()
    picture.save(out, "PNG", optimize=False)
    return out.getvalue()


def _scale(name: str, number: int, page: Any, width: int) -> float:
    """Return the pixels a point for a picture of `width`, less for a page that is very long."""
    wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    if not (MIN_SIDE <= wide <= MAX_SIDE and MIN_SIDE <= high <= MAX_SIDE):
        raise PagePictureError(
            f"Page {number} of {name} is {wide:.0f} by {high:.0f} points, a size that no page"
            " has; open the document instead."
        )
    wanted = min(max(width, MIN_WIDTH), MAX_WIDTH) / wide
    return float(min(wanted, (MAX_PIXELS / (wide * high)) ** 0.5))


def _boxes(handles: PageHandles, page: int, spans: Sequence[tuple[int, int]]) -> Iterator[Box]:
    """Yield the boxes around letters as shown: left, top, right, bottom, in points."""
    shown, rotation = page_box(handles.page), pdfium.FPDFPage_GetRotation(handles.page)
    left, top, right, bottom = (ctypes.c_double() for _ in range(4))
    base = (page - 1) * PAGE_STRIDE
    for start, end in spans[:MAX_SPANS]:
        low, high = max(start - base, 0), min(end - base, PAGE_STRIDE)
        if low >= high:
            continue
        for index in range(pdfium.FPDFText_CountRects(handles.text, low, high - low)):
            pdfium.FPDFText_GetRect(handles.text, index, left, top, right, bottom)
            x0, y0 = shown_point(left.value, top.value, shown, rotation)
            x1, y1 = shown_point(right.value, bottom.value, shown, rotation)
            yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _merged(boxes: Iterable[Box]) -> list[Box]:
    """Join boxes that follow each other on one line, and leave a margin around the letters."""
    merged: list[Box] = []
    for box in boxes:
        if merged and _follows(merged[-1], box):
            last = merged.pop()
            box = (
                min(last[0], box[0]),
                min(last[1], box[1]),
                max(last[2], box[2]),
                max(last[3], box[3]),
            )
        merged.append(box)
    return [
        (left - MARK_MARGIN, top - MARK_MARGIN, right + MARK_MARGIN, bottom + MARK_MARGIN)
        for left, top, right, bottom in merged
    ]


def _follows(last: Box, box: Box) -> bool:
    height = min(last[3] - last[1], box[3] - box[1])
    overlap = min(last[3], box[3]) - max(last[1], box[1])
    gap = max(box[0] - last[2], last[0] - box[2])
    return overlap >= SAME_LINE * height and gap <= max(height, last[3] - last[1])


def _painted(page: Any, scale: float) -> Image.Image:
    """Return the page as a picture."""
    wide = max(round(pdfium.FPDF_GetPageWidthF(page) * scale), 1)
    high = max(round(pdfium.FPDF_GetPageHeightF(page) * scale), 1)
    bitmap = pdfium.FPDFBitmap_CreateEx(wide, high, pdfium.FPDFBitmap_BGRx, None, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, wide, high, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, wide, high, 0, pdfium.FPDF_ANNOT)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * high)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return Image.frombuffer("RGB", (wide, high), pixels, "raw", "BGRX", stride, 1)


def _marked(picture: Image.Image, marks: Sequence[Box]) -> Image.Image:
    if not marks:
        return picture
    overlay = Image.new("RGB", picture.size, (255, 255, 255))
    draw = ImageDraw.Draw(overlay)
    for mark in marks:
        draw.rectangle(mark, fill=MARK)
    return ImageChops.multiply(picture, overlay)


def _cropped(picture: Image.Image, marks: Sequence[Box], margin: float) -> Image.Image:
    """Return the stripe of the page around its marks."""
    top = max(min(mark[1] for mark in marks) - margin, 0)
    bottom = min(max(mark[3] for mark in marks) + margin, picture.height)
    return picture.crop((0, int(top), picture.width, max(int(bottom), int(top) + 1)))
