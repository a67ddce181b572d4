"""Which words of a PDF page a person cannot see.

Some causes are plain: an invisible mode, no opacity, a speck of a letter, a place off the page,
white on the bare page. Where words lie over or under something, or may be clipped or in a layer
that is switched off, the page is painted twice, with them and without: words that make no
difference are not seen. Not covered: hidden words in the very place of doubtful visible ones.
"""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from ingestion.parse.pdf_file import address
from ingestion.parse.pdf_painting import Box, Ground, Painting, clip_box, read_painting
from ingestion.parse.pdf_source import HYPHEN
from ingestion.parse.pdf_text import Run, TextReader
from ingestion.parse.styles import ALIKE, WHITE, Colour

TINY = 1.0  # points; smaller letters are specks
BIG_PICTURE = 0.5  # of the page: a scan's picture
MIN_PICTURE = 0.1  # of the page: a picture that may hold words
MANY_PATHS = 60  # letters drawn as shapes are as many
MIN_INK = 0.05  # of a letter's box that must change where the letter is seen
NO_INK = 0.03  # points
SEEN_SHARE = 0.5  # of a word's letters
MIN_LINE_INK = 0.04  # of each stretch of a line where the line is seen
SMALL = 9.0  # points; smaller letters are looked at closer
SMALL_SCALE = 2.0  # pixels a point for them; else one
MAX_PIXELS = 6_000_000
MAX_GROUNDS = 5_000  # shapes and pictures of one page; with more every word is looked at
LETTER_MIDDLE = 0.25  # of a line's height, above and below, where there may be no ink

_INVISIBLE = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)
_STROKED = (pdfium.FPDF_TEXTRENDERMODE_STROKE, pdfium.FPDF_TEXTRENDERMODE_STROKE_CLIP)

Painted = tuple[Run, Any]  # with the handle of the text object that painted it
Picture = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


class Sight:
    """Tells what of one page is seen."""

    def __init__(self, page: Any, reader: TextReader) -> None:
        self._page = page
        self._reader = reader
        self._painting = read_painting(page)
        self._width, self._height = reader.size
        self._grounds = self._painting.grounds[:MAX_GROUNDS]
        self._boxes = np.array(
            [reader.shown_box(ground.box) for ground in self._grounds], np.float32
        ).reshape(-1, 4)

    @property
    def painting(self) -> Painting:
        """What is painted on the page beside text."""
        return self._painting

    def split(self, painted: Sequence[Painted]) -> tuple[list[Run], list[Run]]:
        """Return the runs that are seen and those that are not."""
        seen: list[Run] = []
        hidden: list[Run] = []
        layer: list[Run] = []  # invisible text, which on a scan is what its picture shows
        doubtful: list[Painted] = []
        for run, handle in painted:
            if self._is_speck(run) or not self._on_page(run):
                hidden.append(run)
            elif pdfium.FPDFTextObj_GetTextRenderMode(handle) in _INVISIBLE:
                layer.append(run)
            else:
                known = self._known(run, handle)
                if known is None:
                    doubtful.append((run, handle))
                else:
                    (seen if known else hidden).append(run)
        shown, covered = self._looked_at(doubtful)
        seen += shown
        if not seen and self._is_scan():
            return sorted(layer + covered, key=lambda run: run.at), hidden
        return sorted(seen, key=lambda run: run.at), hidden + covered + layer

    def has_pictured_words(self) -> bool:
        """Return whether a page without text may show words all the same."""
        return self._picture_share() >= MIN_PICTURE or self._painting.paths >= MANY_PATHS

    def _is_scan(self) -> bool:
        return self._picture_share() >= BIG_PICTURE

    def _picture_share(self) -> float:
        """Return the share of the page that pictures take; a scan may come in stripes."""
        area = sum(
            max(right - left, 0.0) * max(bottom - top, 0.0)
            for left, top, right, bottom in map(self._on_shown_page, self._painting.pictures)
        )
        return area / max(self._width * self._height, 1.0)

    def _on_shown_page(self, box: Box) -> Box:
        left, top, right, bottom = self._reader.shown_box(box)
        return max(left, 0), max(top, 0), min(right, self._width), min(bottom, self._height)

    def _is_speck(self, run: Run) -> bool:
        return run.size <= TINY or max(run.bottom - run.top, run.right - run.left) <= TINY

    def _on_page(self, run: Run) -> bool:
        """Return whether any of a run stands on the page that is shown."""
        across = run.left < self._width and run.right > 0
        return across and run.top < self._height and run.bottom > 0

    def _known(self, run: Run, handle: Any) -> bool | None:
        """Return whether a run is seen, None where only looking tells."""
        colour, opacity = _colour(handle)
        if opacity == 0:
            return False
        text = self._painting.texts.get(address(handle))
        if colour is None or opacity < 255 or text is None or text.faint or text.in_form:
            return None
        slack = (run.bottom - run.top) / 3  # letters' boxes are higher than the letters
        inside = -slack <= run.left and run.right <= self._width + slack
        inside = inside and -slack <= run.top and run.bottom <= self._height + slack
        clip = clip_box(handle, text.matrix)
        if not inside or (clip is not None and not self._within(run, clip)) or _in_layer(handle):
            return None
        if len(self._painting.grounds) > MAX_GROUNDS:
            return None
        around = self._around(run)
        if not around:
            return not alike(colour, WHITE)
        safe = all(
            ground.order < text.order
            and ground.colour is not None
            and not alike(colour, ground.colour)
            for ground in around
        )
        return True if safe and not alike(colour, WHITE) else None

    def _around(self, run: Run) -> list[Ground]:
        """Return what lies over or under the middle of a run."""
        if not self._grounds:
            return []
        middle = (run.bottom - run.top) * LETTER_MIDDLE
        left, top, right, bottom = self._boxes.T
        touched = (
            (left < run.right)
            & (right > run.left)
            & (top < run.bottom - middle)
            & (bottom > run.top + middle)
        )
        return [self._grounds[index] for index in np.flatnonzero(touched)]

    def _within(self, run: Run, clip: Box) -> bool:
        left, top, right, bottom = self._reader.shown_box(clip)
        slack = (run.bottom - run.top) / 3
        return (
            left - slack <= run.left
            and run.right <= right + slack
            and top - slack <= run.top
            and run.bottom <= bottom + slack
        )

    def _looked_at(self, doubtful: list[Painted]) -> tuple[list[Run], list[Run]]:
        """Return which doubtful runs change what is painted, and which do not, word by word."""
        if not doubtful:
            return [], []
        wanted = SMALL_SCALE if min(run.size for run, _ in doubtful) < SMALL else 1.0
        scale = min(wanted, (MAX_PIXELS / max(self._width * self._height, 1)) ** 0.5)
        handles = {address(handle): handle for _, handle in doubtful}
        with_words = self._paint(scale)
        for handle in handles.values():
            pdfium.FPDFPageObj_SetIsActive(handle, False)
        without = self._paint(scale)
        for handle in handles.values():
            pdfium.FPDFPageObj_SetIsActive(handle, True)
        changed = _changed(with_words, without)
        seen: list[Run] = []
        hidden: list[Run] = []
        for run, _ in doubtful:
            for part, is_seen in self._parts(run, changed, scale):
                (seen if is_seen else hidden).append(part)
        return seen, hidden

    def _paint(self, scale: float) -> Picture:
        """Return the page as it is shown, without smoothing: rows and columns of colours."""
        wide, high = max(int(self._width * scale), 1), max(int(self._height * scale), 1)
        bitmap = pdfium.FPDFBitmap_CreateEx(wide, high, pdfium.FPDFBitmap_BGRx, None, 0)
        if not bitmap:
            return np.zeros((high, wide), np.uint32)
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, wide, high, 0xFFFFFFFF)
            turn = (self._reader.rotation - pdfium.FPDFPage_GetRotation(self._page)) % 4
            flags = pdfium.FPDF_RENDER_NO_SMOOTHTEXT
            pdfium.FPDF_RenderPageBitmap(bitmap, self._page, 0, 0, wide, high, turn, flags)
            stride = pdfium.FPDFBitmap_GetStride(bitmap)
            buffer = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * high)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
        return np.frombuffer(buffer, np.uint32).reshape(high, stride // 4)[:, :wide]

    def _parts(self, run: Run, changed: Mask, scale: float) -> Iterator[tuple[Run, bool]]:
        """Cut a run where its words stop being seen."""
        whole = self._whole_is_seen(run, changed, scale)
        if whole is not None:
            yield run, whole
            return
        start = 0
        state: bool | None = None
        for low, high in _words(run.text):
            is_seen = self._word_is_seen(run.at, low, high, changed, scale)
            if state is not None and is_seen != state:
                yield self._part(run, start, low), state
                start = low
            state = is_seen
        yield self._part(run, start, len(run.text)), bool(state)

    def _whole_is_seen(self, run: Run, changed: Mask, scale: float) -> bool | None:
        """Return whether a run is seen in every place, None if that takes a closer look."""
        box = _pixels(changed, (run.left, run.top, run.right, run.bottom), scale)
        if not box.any():
            return None if run.turn == 0 and run.text.strip() == "" else False
        if run.turn != 0 or run.left < 0 or run.right > self._width:
            return None
        width = max(int(run.size * scale * 2), 4)
        if box.shape[1] < 2 * width:
            return None
        columns = box.mean(axis=0)
        stretches = columns[: len(columns) // width * width].reshape(-1, width).mean(axis=1)
        return True if float(stretches.min()) >= MIN_LINE_INK else None

    def _word_is_seen(self, at: int, low: int, high: int, changed: Mask, scale: float) -> bool:
        letters = seen = 0
        for index in range(at + low, at + high):
            left, top, right, bottom = ink = self._reader.ink_box(index)
            if min(right - left, bottom - top) < NO_INK:
                continue  # a blank
            box = _pixels(changed, ink, scale)
            letters += 1
            seen += box.size > 0 and float(box.mean()) >= MIN_INK
        return seen >= SEEN_SHARE * letters

    def _part(self, run: Run, start: int, end: int) -> Run:
        if start == 0 and end == len(run.text):
            return run
        text = run.text[start:end]
        left, _, right, _ = self._reader.box_of(
            run.at + start, run.at + start + len(text.rstrip())
        )
        return replace(run, text=text, at=run.at + start, left=left, right=right)


def _changed(one: Picture, other: Picture) -> Mask:
    """Return which pixels of two pictures differ so much that a person sees it."""
    changed = np.zeros(one.shape, np.bool_)
    rows, columns = np.nonzero(one != other)
    first, second = _channels(one[rows, columns]), _channels(other[rows, columns])
    changed[rows, columns] = (np.abs(first - second) > ALIKE).any(axis=1)
    return changed


def _channels(colours: Picture) -> npt.NDArray[np.int16]:
    """Return the blue, green and red of colours; the fourth byte means nothing."""
    return colours.view(np.uint8).reshape(-1, 4)[:, :3].astype(np.int16)


def _pixels(mask: Mask, box: Box, scale: float) -> Mask:
    """Return the pixels of a box (left, top, right, bottom, in points)."""
    left, top, right, bottom = (max(edge, 0.0) * scale for edge in box)
    return mask[int(top) : int(bottom) + 1, int(left) : int(right) + 1]


def alike(one: Colour, other: Colour) -> bool:
    """Return whether two colours cannot be told apart."""
    return all(abs(a - b) <= ALIKE for a, b in zip(one, other, strict=True))


def _words(text: str) -> Iterator[tuple[int, int]]:
    start = None
    for index, char in enumerate(text + " "):
        if char.isspace() or char == HYPHEN:
            if start is not None:
                yield start, index
                start = None
        elif start is None:
            start = index


def _colour(handle: Any) -> tuple[Colour | None, int]:
    """Return the colour of a text object's letters, if it is one, and their opacity to 255."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    stroked = pdfium.FPDFTextObj_GetTextRenderMode(handle) in _STROKED
    ask = pdfium.FPDFPageObj_GetStrokeColor if stroked else pdfium.FPDFPageObj_GetFillColor
    if not ask(handle, red, green, blue, alpha):
        return None, 255
    return (red.value, green.value, blue.value), alpha.value


def _in_layer(handle: Any) -> bool:
    """Return whether a text object stands in a layer, which may be switched off."""
    for index in range(max(pdfium.FPDFPageObj_CountMarks(handle), 0)):
        mark = pdfium.FPDFPageObj_GetMark(handle, index)
        name = (ctypes.c_ushort * 4)()
        length = ctypes.c_ulong()
        if pdfium.FPDFPageObjMark_GetName(mark, name, ctypes.sizeof(name), length) and (
            bytes(name)[: length.value] == b"O\0C\0\0\0"
        ):
            return True
    return False
