"""What is painted on a PDF page beside text, in the order of painting: what may lie over words."""

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from ingestion.parse.pdf_file import address
from ingestion.parse.styles import Colour

Box = tuple[float, float, float, float]  # left, bottom, right, top, in points of the page's space
Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float]

MAX_DEPTH = 12  # of forms within forms
MAX_OBJECTS = 200_000  # of one page; what comes later is not looked at
MAX_SEGMENTS = 2_000  # of a path in which the lines of a table are looked for
MIN_COVER = 2.0  # points; a thinner line covers no letters
MAX_RULE = 4.0  # points that a table's line is thick
THICK_STROKE = 4.0  # points
LIGHT = 200  # of 255; thin lines of a light colour may cover letters together
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """A filled shape or picture. `colour` is None where it is not one opaque colour."""

    order: int
    box: Box
    colour: Colour | None


@dataclass(frozen=True, slots=True)
class PaintedText:
    """Where a text object comes in the order of painting, and the form it stands in."""

    order: int
    matrix: Matrix  # from its own space to the page's
    in_form: bool
    faint: bool  # stands in a form that is not opaque


@dataclass
class Painting:
    """Everything that is painted on a page."""

    grounds: list[Ground] = field(default_factory=list)
    texts: dict[int, PaintedText] = field(default_factory=dict)  # by address of the object
    pictures: list[Box] = field(default_factory=list)
    rules: list[Box] = field(default_factory=list)  # thin lines, level or upright
    paths: int = 0


def read_painting(page: Any) -> Painting:
    """Return what is painted on a page."""
    painting = Painting()
    for order, (handle, matrix, depth, faint) in enumerate(_objects(page)):
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            painting.texts[address(handle)] = PaintedText(order, matrix, depth > 0, faint)
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            _add_path(painting, order, handle, matrix)
        elif kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING):
            box = _bounds(handle, matrix)
            if box is not None:
                painting.grounds.append(Ground(order, box, None))
                if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                    painting.pictures.append(box)
    return painting


def _objects(page: Any) -> Iterator[tuple[Any, Matrix, int, bool]]:
    """Yield every object but forms with its matrix, in the order of painting."""
    left = MAX_OBJECTS
    stack: list[tuple[Iterator[Any], Matrix, int, bool]] = [
        (
            _children(page, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject),
            _IDENTITY,
            0,
            False,
        )
    ]
    while stack and left > 0:
        handles, matrix, depth, faint = stack[-1]
        handle = next(handles, None)
        if handle is None:
            stack.pop()
            continue
        left -= 1
        if pdfium.FPDFPageObj_GetType(handle) != pdfium.FPDF_PAGEOBJ_FORM:
            yield handle, matrix, depth, faint
        elif depth < MAX_DEPTH:
            stack.append(
                (
                    _children(
                        handle, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject
                    ),
                    multiplied(_matrix(handle), matrix),
                    depth + 1,
                    faint or pdfium.FPDFPageObj_HasTransparency(handle) == 1,
                )
            )


def _children(parent: Any, count: Any, get: Any) -> Iterator[Any]:
    return (get(parent, index) for index in range(min(count(parent), MAX_OBJECTS)))


def _add_path(painting: Painting, order: int, handle: Any, matrix: Matrix) -> None:
    painting.paths += 1
    box = _bounds(handle, matrix)
    if box is None:
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(handle, fill, stroke)
    thickness = min(box[2] - box[0], box[3] - box[1])
    if thickness < MAX_RULE and (fill.value or stroke.value):
        painting.rules.append(box)
    elif stroke.value:
        painting.rules += _straight_lines(handle, matrix)
    if fill.value:
        colour = fill_colour(handle)
        if thickness >= MIN_COVER or colour is None or min(colour) >= LIGHT:
            painting.grounds.append(Ground(order, box, colour))
    elif stroke.value and _stroke_width(handle) >= THICK_STROKE:
        painting.grounds.append(Ground(order, box, None))


def _straight_lines(handle: Any, matrix: Matrix) -> Iterator[Box]:
    """Yield the level and upright lines of a stroked path: a box has four, a grid many."""
    count = pdfium.FPDFPath_CountSegments(handle)
    if count > MAX_SEGMENTS:
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    at = first = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(handle, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield from _line(at, point, matrix)
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield from _line(point, first, matrix)
        at = point


def _line(start: Point, end: Point, matrix: Matrix) -> Iterator[Box]:
    left, right = sorted((start[0], end[0]))
    bottom, top = sorted((start[1], end[1]))
    box = moved((left, bottom, right, top), matrix)
    if min(box[2] - box[0], box[3] - box[1]) < MAX_RULE:
        yield box


def fill_colour(handle: Any) -> Colour | None:
    """Return an object's colour if it is one opaque colour."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(handle, red, green, blue, alpha):
        return None
    if alpha.value < 255 or pdfium.FPDFPageObj_HasTransparency(handle) == 1:
        return None
    return red.value, green.value, blue.value


def _stroke_width(handle: Any) -> float:
    width = ctypes.c_float()
    pdfium.FPDFPageObj_GetStrokeWidth(handle, width)
    return width.value


def _bounds(handle: Any, matrix: Matrix) -> Box | None:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top):
        return None
    return moved((left.value, bottom.value, right.value, top.value), matrix)


def _matrix(handle: Any) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(handle, matrix):
        return _IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def multiplied(first: Matrix, second: Matrix) -> Matrix:
    """Return the matrix that does `first`, then `second`."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (
        a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k,
        e * h + f * j + m,
    )  # fmt: skip


def moved(box: Box, matrix: Matrix) -> Box:
    """Return the upright box around `box` after `matrix`."""
    if matrix == _IDENTITY:
        return box
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (box[0], box[2]) for y in (box[1], box[3])]
    ys = [b * x + d * y + f for x in (box[0], box[2]) for y in (box[1], box[3])]
    return min(xs), min(ys), max(xs), max(ys)


def clip_box(handle: Any, matrix: Matrix) -> Box | None:
    """Return the box outside of which an object is not painted, None where nothing clips it."""
    clip = pdfium.FPDFPageObj_GetClipPath(handle)
    count = pdfium.FPDFClipPath_CountPaths(clip) if clip else 0
    box: Box | None = None
    for index in range(min(count, 8)):
        part = _path_box(clip, index)
        if part is not None:
            box = part if box is None else _common(box, part)
    return None if box is None else moved(box, matrix)


def _path_box(clip: Any, index: int) -> Box | None:
    x, y = ctypes.c_float(), ctypes.c_float()
    left = bottom = math.inf
    right = top = -math.inf
    for number in range(min(pdfium.FPDFClipPath_CountPathSegments(clip, index), 64)):
        segment = pdfium.FPDFClipPath_GetPathSegment(clip, index, number)
        if segment and pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            left, right = min(left, x.value), max(right, x.value)
            bottom, top = min(bottom, y.value), max(top, y.value)
    return (left, bottom, right, top) if left <= right else None


def _common(one: Box, other: Box) -> Box:
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )
