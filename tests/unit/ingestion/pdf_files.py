"""A tiny writer of PDF files, for tests: pages of lines, pictures and shapes.

Coordinates are points from the lower left corner. `F1` is a plain font, `F2` its bold, `F3` has
a map to Unicode and takes any text, `F4` has none at all.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 612, 792  # points: US letter
MARGIN = 72  # points
LEADING = 1.2  # of a font's size
CHAR_WIDTH = 0.5  # of a font's size, about

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_FIRST_PAGE = 20  # object numbers below belong to the catalog, fonts and pictures
_EMOJI_CODES = range(0xE000, 0xF000)  # codes of F3 that stand for letters beyond the first plane


@dataclass
class Page:
    """One page: a content stream, and what is around it."""

    content: str = ""
    width: float = WIDTH
    height: float = HEIGHT
    crop: tuple[float, float, float, float] | None = None
    rotate: int = 0
    resources: str = ""
    annotations: list[str] = field(default_factory=list)


def text(x: float, y: float, words: str, *, size: float = 11, font: str = "F1") -> str:
    """Return one line of text with its left end of the base line at (x, y)."""
    shown = _unicode_string(words) if font in ("F3", "F4") else _string(words)
    return f"BT /{font} {size} Tf {x} {y} Td {shown} Tj ET\n"


def lines(
    words: str, *, x: float = MARGIN, top: float = 700, width: float = 468, size: float = 11
) -> str:
    """Return a paragraph of wrapped lines whose first base line is at `top`."""
    limit = int(width / (size * CHAR_WIDTH))
    wrapped: list[str] = [""]
    for word in words.split():
        if len(wrapped[-1]) + len(word) + 1 > limit:
            wrapped.append("")
        wrapped[-1] = f"{wrapped[-1]} {word}".strip()
    step = size * LEADING
    return "".join(
        text(x, top - step * number, line, size=size) for number, line in enumerate(wrapped)
    )


def box(x: float, y: float, width: float, height: float, color: str = "0 0 0") -> str:
    """Return a filled rectangle."""
    return f"q {color} rg {x} {y} {width} {height} re f Q\n"


def rule(x0: float, y0: float, x1: float, y1: float) -> str:
    """Return a thin line."""
    return f"0.5 w {x0} {y0} m {x1} {y1} l S\n"


def picture(x: float, y: float, width: float, height: float) -> str:
    """Return a grey picture in a rectangle."""
    return f"q {width} 0 0 {height} {x} {y} cm /Im1 Do Q\n"


def pdf(
    pages: Sequence[Page | str],
    *,
    title: str | None = None,
    bookmarks: Sequence[tuple[int, str, int]] = (),
    password: str | None = None,
) -> bytes:
    """Return a file of `pages`; a bookmark is (level from 1, title, page from 1)."""
    made = [Page(page) if isinstance(page, str) else page for page in pages]
    writer = _Writer(password)
    first_bookmark = _FIRST_PAGE + 2 * len(made)
    kids = " ".join(f"{_FIRST_PAGE + 2 * index} 0 R" for index in range(len(made)))
    outlines = f"/Outlines {first_bookmark} 0 R" if bookmarks else ""
    hidden_layer = "/OCProperties << /OCGs [15 0 R] /D << /OFF [15 0 R] >> >>"
    writer.add(1, f"<< /Type /Catalog /Pages 2 0 R {outlines} {hidden_layer} >>")
    writer.add(2, f"<< /Type /Pages /Kids [{kids}] /Count {len(made)} >>")
    if title is not None:
        writer.add(3, "<< /Title ", title, " >>")
    _add_fonts(writer)
    _add_pictures(writer)
    for index, page in enumerate(made):
        _add_page(writer, _FIRST_PAGE + 2 * index, page)
    _add_bookmarks(writer, first_bookmark, bookmarks)
    return writer.finish(info=title is not None)


class _Writer:
    """Objects by number; strings and streams are encrypted where there is a password."""

    def __init__(self, password: str | None) -> None:
        self._objects: dict[int, bytes] = {}
        self._key: bytes | None = None
        self._encryption = b""
        if password is not None:
            self._encrypt(password.encode())

    def add(self, number: int, before: str, string: str = "", after: str = "") -> None:
        """Add an object; `string` stands in it as a text string."""
        body = before.encode()
        if after:
            data = self._sealed(number, b"\xfe\xff" + string.encode("utf-16-be"))
            body += b"<" + data.hex().encode() + b">" + after.encode()
        self._objects[number] = body

    def add_stream(self, number: int, entries: str, data: bytes) -> None:
        """Add a compressed stream."""
        packed = self._sealed(number, zlib.compress(data))
        head = f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n"
        self._objects[number] = head.encode() + packed + b"\nendstream"

    def finish(self, *, info: bool) -> bytes:
        """Return the file."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places = {}
        for number, body in sorted(self._objects.items()):
            places[number] = len(out)
            out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
        start = len(out)
        size = max(places) + 1
        out += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
        for number in range(1, size):
            place = places.get(number)
            out += b"0000000000 65535 f \n" if place is None else b"%010d 00000 n \n" % place
        trailer = f"/Size {size} /Root 1 0 R {'/Info 3 0 R' if info else ''} /ID [<00> <00>]"
        out += b"trailer\n<< " + trailer.encode() + b" " + self._encryption + b" >>\n"
        out += f"startxref\n{start}\n%%EOF\n".encode()
        return bytes(out)

    def _encrypt(self, password: bytes) -> None:
        """Set up the standard handler's first revision: RC4 with 40 bits."""
        padded = (password + _PADDING)[:32]
        owner = _rc4(hashlib.md5(padded, usedforsecurity=False).digest()[:5], padded)
        rights = (-4).to_bytes(4, "little", signed=True)
        seed = padded + owner + rights + b"\x00"
        self._key = hashlib.md5(seed, usedforsecurity=False).digest()[:5]
        user = _rc4(self._key, _PADDING)
        self._encryption = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (
            owner.hex().encode(),
            user.hex().encode(),
        )

    def _sealed(self, number: int, data: bytes) -> bytes:
        if self._key is None:
            return data
        salted = self._key + number.to_bytes(3, "little") + b"\x00\x00"
        return _rc4(hashlib.md5(salted, usedforsecurity=False).digest()[:10], data)


def _add_fonts(writer: _Writer) -> None:
    plain = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    writer.add(4, plain.format("Helvetica"))
    writer.add(5, plain.format("Helvetica-Bold"))
    composite = (
        "<< /Type /Font /Subtype /Type0 /BaseFont /Arial /Encoding /Identity-H"
        " /DescendantFonts [7 0 R] {} >>"
    )
    writer.add(6, composite.format("/ToUnicode 8 0 R"))
    writer.add(
        7,
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Arial /DW 500 /FontDescriptor 9 0 R"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
    )
    astral = "\n".join(
        f"<{code:04X}> <{chr(0x1F300 + code - 0xE000).encode('utf-16-be').hex()}>"
        for code in _EMOJI_CODES[:100]
    )
    ranges = "\n".join(
        f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>"
        for high in range(256)
        if not 0xD8 <= high < 0xF0
    )
    writer.add_stream(
        8,
        "",
        (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /U def\n"
            "1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
            f"100 beginbfchar\n{astral}\nendbfchar\n"
            f"{ranges.count('<') // 3} beginbfrange\n{ranges}\nendbfrange\n"
            "endcmap end end"
        ).encode(),
    )
    writer.add(
        9,
        "<< /Type /FontDescriptor /FontName /Arial /Flags 4 /FontBBox [0 -200 1000 800]"
        " /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
    )
    writer.add(10, composite.format(""))


def _add_pictures(writer: _Writer) -> None:
    size = "/Type /XObject /Subtype /Image /Width 2 /Height 2 /BitsPerComponent 8"
    writer.add_stream(11, f"{size} /ColorSpace /DeviceGray", bytes([90, 120, 150, 110]))
    writer.add(12, "<< /Type /ExtGState /ca 0 /CA 0 >>")
    writer.add(13, "<< /Type /ExtGState /ca 0.4 /BM /Multiply >>")
    writer.add(15, "<< /Type /OCG /Name ", "Draft", " >>")


def _add_page(writer: _Writer, number: int, page: Page) -> None:
    crop = f"/CropBox [{' '.join(map(str, page.crop))}]" if page.crop else ""
    writer.add(
        number,
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width} {page.height}] {crop}"
        f" /Rotate {page.rotate} /Contents {number + 1} 0 R /Annots [{' '.join(page.annotations)}]"
        " /Resources << /Font << /F1 4 0 R /F2 5 0 R /F3 6 0 R /F4 10 0 R >>"
        " /XObject << /Im1 11 0 R >> /ExtGState << /Clear 12 0 R /Marker 13 0 R >>"
        f" /Properties << /Layer 15 0 R >> {page.resources} >> >>",
    )
    writer.add_stream(number + 1, "", page.content.encode("cp1252"))


def _add_bookmarks(writer: _Writer, root: int, bookmarks: Sequence[tuple[int, str, int]]) -> None:
    """Add the tree of bookmarks: each entry's neighbours and children are told by levels."""
    if not bookmarks:
        return
    numbers = [root + 1 + index for index in range(len(bookmarks))]
    parents: list[int] = []
    open_levels: list[tuple[int, int]] = [(0, root)]
    for (level, _, _), number in zip(bookmarks, numbers, strict=True):
        while open_levels[-1][0] >= level:
            open_levels.pop()
        parents.append(open_levels[-1][1])
        open_levels.append((level, number))
    children = {
        parent: [n for n, p in zip(numbers, parents, strict=True) if p == parent]
        for parent in {root, *parents}
    }
    ends = {p: f"/First {c[0]} 0 R /Last {c[-1]} 0 R" for p, c in children.items() if c}
    writer.add(root, f"<< /Type /Outlines {ends.get(root, '')} >>")
    for (_, title, page), number, parent in zip(bookmarks, numbers, parents, strict=True):
        siblings = children[parent]
        place = siblings.index(number)
        before = f"/Prev {siblings[place - 1]} 0 R" if place else ""
        after = f"/Next {siblings[place + 1]} 0 R" if place + 1 < len(siblings) else ""
        target = f"/Dest [{_FIRST_PAGE + 2 * (page - 1)} 0 R /Fit]"
        links = f"/Parent {parent} 0 R {before} {after} {ends.get(number, '')} {target} >>"
        writer.add(number, "<< /Title ", title, links)


def _string(words: str) -> str:
    return "<" + words.encode("cp1252").hex() + ">"


def _unicode_string(words: str) -> str:
    """Return codes of F3: letters of the first plane are their own codes."""
    codes = (ord(c) if ord(c) < 0x10000 else _EMOJI_CODES.start + ord(c) - 0x1F300 for c in words)
    return "<" + "".join(f"{code:04x}" for code in codes) + ">"


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
