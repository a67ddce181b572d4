"""Letters of fonts that have no map to Unicode, told in other ways where that is certain.

Such a font gives numbers of glyphs. An embedded TrueType font may hold its own table from letters
to glyphs, which is read backwards; and the fonts of one widespread family have their glyphs in
one order. What comes out is believed only if it reads more like words than the numbers do.
"""

import ctypes
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from ingestion.parse.pdf_source import HYPHEN
from ingestion.parse.pdf_text import PUT_IN, PageText, Run

MAX_FONT = 32 * 1024 * 1024  # bytes
MAX_CMAP = 70_000  # entries
MORE_LIKE_WORDS = 0.25  # by how much a reading must be better to be believed
WORDLIKE = 0.6  # of 1.5; what is less is no text
UNKNOWN = "\ufffd"
_NOT_GLYPHS = {HYPHEN: HYPHEN, PUT_IN: " "}

Reading = Callable[[str], str]


def repair(pages: Sequence[PageText], cmaps: Mapping[str, Mapping[int, int]]) -> int:
    """Give letters to runs of fonts without a map; drop those whose letters cannot be told.

    `cmaps` has, by the font's name, the code point of each glyph. Returns the characters dropped.
    """
    by_font: dict[str, list[tuple[PageText, Run]]] = defaultdict(list)
    for page in pages:
        for run in page.runs:
            if run.unmapped:
                by_font[run.font].append((page, run))
    dropped = 0
    for font, found in by_font.items():
        sample = "".join(run.text for _, run in found)
        reading = _best_reading(sample, cmaps.get(font, {}))
        if likeness(reading(sample)) < WORDLIKE:
            dropped += _drop(found)
        else:
            _rewrite(found, reading)
    return dropped


def _best_reading(sample: str, cmap: Mapping[int, int]) -> Reading:
    best: Reading = _as_it_is
    score = likeness(sample) + MORE_LIKE_WORDS
    readings: list[Reading] = [_in_usual_order]
    if cmap:
        readings.insert(0, lambda text: _by_cmap(text, cmap))
    for reading in readings:
        if (found := likeness(reading(sample))) > score:
            best, score = reading, found
    return best


def likeness(text: str) -> float:
    """Return how much `text` reads like words, from 0 to 1.5: letters, mostly small ones."""
    if not text:
        return 0.0
    good = sum(c.isalnum() or c == " " for c in text)
    small = sum(c.islower() for c in text)
    return (good + small / 2) / len(text)


def _as_it_is(text: str) -> str:
    return text.replace(PUT_IN, " ")


def _by_cmap(text: str, cmap: Mapping[int, int]) -> str:
    return "".join(_NOT_GLYPHS.get(c) or chr(cmap.get(ord(c), ord(UNKNOWN))) for c in text)


def _in_usual_order(text: str) -> str:
    return "".join(_NOT_GLYPHS.get(c) or _usual_letter(ord(c)) for c in text)


def _usual_letter(glyph: int) -> str:
    """Return the letter of a glyph in the order of Arial, Times New Roman and their like.

    They follow the glyph order of Apple's TrueType specification, but have no no-break space.
    """
    if 3 <= glyph <= 97:
        return chr(glyph + 29)
    if 98 <= glyph <= 171:
        return bytes([glyph + 30]).decode("mac_roman")
    if 172 <= glyph <= 224:
        return bytes([glyph + 31]).decode("mac_roman")
    return UNKNOWN


def _rewrite(found: Sequence[tuple[PageText, Run]], reading: Reading) -> None:
    changed: dict[int, tuple[PageText, list[Run]]] = {}
    for page, run in found:
        run.text = reading(run.text)
        changed.setdefault(page.number, (page, []))[1].append(run)
    for page, runs in changed.values():
        units = list(page.units)
        for run in runs:
            units[run.at : run.at + len(run.text)] = run.text
        page.units = "".join(units)


def _drop(found: Sequence[tuple[PageText, Run]]) -> int:
    gone = {id(run) for _, run in found}
    for page in {page.number: page for page, _ in found}.values():
        page.runs = [run for run in page.runs if id(run) not in gone]
    return sum(len(run.text) for _, run in found)


def glyph_letters(font: Any) -> dict[int, int]:
    """Return the code point of each glyph, by the table inside an embedded TrueType font."""
    size = ctypes.c_size_t()
    if not pdfium.FPDFFont_GetFontData(font, None, 0, size) or not 0 < size.value <= MAX_FONT:
        return {}
    buffer = (ctypes.c_uint8 * size.value)()
    pdfium.FPDFFont_GetFontData(font, buffer, size.value, size)
    try:
        return cmap_of(bytes(buffer))
    except (struct.error, IndexError, ValueError):  # a damaged table
        return {}


def cmap_of(data: bytes) -> dict[int, int]:
    """Return the code point of each glyph in a TrueType font's bytes."""
    if data[:4] not in (b"\x00\x01\x00\x00", b"true", b"OTTO"):
        return {}
    (count,) = struct.unpack_from(">H", data, 4)
    for index in range(min(count, 64)):
        tag, _, start, _ = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if tag == b"cmap":
            return _unicode_table(data, start)
    return {}


def _unicode_table(data: bytes, start: int) -> dict[int, int]:
    """Read the best Unicode table: glyph to code point, the lowest one where there are several."""
    (count,) = struct.unpack_from(">H", data, start + 2)
    tables: list[tuple[int, int]] = []
    for index in range(min(count, 64)):
        platform, encoding, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * index)
        if platform == 0 or (platform == 3 and encoding in (1, 10)):
            tables.append((encoding, start + offset))
    letters: dict[int, int] = {}
    for _, at in sorted(tables, reverse=True)[:1]:
        for code, glyph in _entries(data, at):
            letters[glyph] = min(code, letters.get(glyph, code))
    return letters


def _entries(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    (kind,) = struct.unpack_from(">H", data, at)
    if kind == 4:
        yield from _segments(data, at)
    elif kind == 12:
        (groups,) = struct.unpack_from(">I", data, at + 12)
        left = MAX_CMAP
        for index in range(min(groups, MAX_CMAP)):
            first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * index)
            for step in range(min(last - first + 1, left)):
                yield first + step, glyph + step
            left -= max(last - first + 1, 0)
            if left <= 0:
                break


def _segments(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield the entries of a table of format 4."""
    count = struct.unpack_from(">H", data, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 4 * count)
    ranges_at = at + 16 + 6 * count
    ranges = struct.unpack_from(f">{count}H", data, ranges_at)
    left = MAX_CMAP
    for index in range(count):
        for code in range(starts[index], min(ends[index], 0xFFFE) + 1):
            left -= 1
            if left < 0:
                return
            glyph = code
            if ranges[index]:
                place = ranges_at + 2 * index + ranges[index] + 2 * (code - starts[index])
                (glyph,) = struct.unpack_from(">H", data, place)
                if not glyph:
                    continue
            yield code, (glyph + deltas[index]) & 0xFFFF
