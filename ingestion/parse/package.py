"""Opening of ZIP packages (Word, PowerPoint, Excel, OpenDocument) that may be hostile.

Nothing is inflated before what the file declares is within the limits, and what is inflated is
counted again. Names are never used as paths; relationships to the outside are never followed.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError  # types only

import defusedxml
from defusedxml import ElementTree

from ingestion.errors import (
    FileTooLargeError,
    ProtectedFileError,
    TooComplexError,
    UnreadableFileError,
    display_name,
)
from ingestion.parse.visible import visible

MAX_PARTS = 5_000
MAX_INFLATED = 200 * 2**20  # bytes of all parts together
MAX_RATIO = 200  # inflated to compressed, of a part larger than RATIO_FROM
RATIO_FROM = 2**20  # bytes
MAX_XML = 40 * 2**20  # bytes of one part that is read as a tree
MAX_DEPTH = 200  # elements in one another

_READ_SIZE = 2**16  # bytes
_ENTRY = b"PK\x01\x02"  # opens each line of a ZIP file's directory
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
)  # fmt: skip
_XML_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([\w.-]+)[\"']")
_ENCODINGS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1"})
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
# Programs fill these in where nobody gave a title.
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel)\b.*|(?:powerpoint )?presentation ?\d*|"
    r"document ?\d*|book ?\d*|workbook ?\d*|untitled.*|(?:slide|title) ?\d*|template|"
    r"[a-z]:[/\\].*|/.*|.*\\.*|.*\.\w{2,4})",
    re.IGNORECASE,
)
# "Strict" files say the same in other namespaces.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships",
     b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main",
     b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/spreadsheetml/main",
     b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (b"http://purl.oclc.org/ooxml/presentationml/main",
     b"http://schemas.openxmlformats.org/presentationml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/main",
     b"http://schemas.openxmlformats.org/drawingml/2006/main"),
)  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """What one part of a package says of another: `target` is a name in the package."""

    identity: str
    kind: str  # the last word of the type, such as "footnotes"
    target: str


class Package:
    """The parts of an opened file; a part is inflated when it is read.

    `shown` is the file's name for messages.
    """

    def __init__(self, shown: str, archive: zipfile.ZipFile) -> None:
        self.shown = shown
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        self._inflated = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all parts."""
        return tuple(self._infos)

    def read(self, part: str) -> bytes | None:
        """Return a part's bytes, None where there is no such part.

        Raises `UnreadableFileError`, or `FileTooLargeError` for more than all may inflate to.
        """
        info = self._infos.get(part)
        if info is None:
            return None
        chunks: list[bytes] = []
        try:
            with self._archive.open(info) as stream:
                while chunk := stream.read(_READ_SIZE):
                    self._inflated += len(chunk)
                    if self._inflated > MAX_INFLATED:
                        raise_inflated(self.shown)
                    chunks.append(chunk)
        except _DAMAGE as error:
            raise damaged(self.shown) from error
        return b"".join(chunks)

    def xml(self, part: str) -> Element | None:
        """Return the root of a part's XML, None where there is no such part.

        Raises `UnreadableFileError` for XML that is none or defines entities, and
        `TooComplexError` for XML that is too deep or too large.
        """
        data = self.read(part)
        return None if data is None else parsed_xml(self.shown, data)

    def relations(self, part: str) -> Iterator[Relation]:
        """Yield the relations of a part (of the package for "") to other parts inside it."""
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        for found in root.iter(_RELATIONSHIP) if root is not None else ():
            if found.get("TargetMode") == "External":
                continue
            target = posixpath.normpath(posixpath.join("/", folder, found.get("Target", "")))
            kind = found.get("Type", "").rpartition("/")[2]
            yield Relation(found.get("Id", ""), kind, target.lstrip("/"))

    def related(self, part: str, kind: str, default: str) -> str:
        """Return the name of the first part of that kind that `part` names, else `default`."""
        for relation in self.relations(part):
            if relation.kind == kind and relation.target in self._infos:
                return relation.target
        return default

    def title(self, part: str = "docProps/core.xml") -> str | None:
        """Return the title in the file's properties, None where a program filled it in."""
        root = self.xml(part)
        found = root.find(f".//{_DUBLIN_CORE}title") if root is not None else None
        title = visible(found.text or "") if found is not None else ""
        return None if not title or _NO_TITLE.fullmatch(title) else title

    def plain(self) -> BytesIO:
        """Return the package anew for a library that opens files itself.

        XML is checked to be without entities; pictures, sounds, programs and embedded files
        are left in place as empty parts.
        """
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as copy:
            for part in self._infos:
                keep = part.lower().endswith((".xml", ".rels"))
                copy.writestr(part, plain_xml(self.shown, self.read(part) or b"") if keep else b"")
        stream.seek(0)
        return stream


def open_package(name: str, data: bytes) -> Package:
    """Open a ZIP package. `name` is for messages.

    Raises `UnreadableFileError`, `ProtectedFileError`, `TooComplexError` for too many parts,
    `FileTooLargeError` for what would inflate to too much.
    """
    shown = display_name(name)
    if data.count(_ENTRY) > 4 * MAX_PARTS:  # before a list is made of them
        _raise_parts(shown)
    try:
        archive = zipfile.ZipFile(BytesIO(data))
        infos = archive.infolist()
    except _DAMAGE as error:
        raise damaged(shown) from error
    if len(infos) > MAX_PARTS:
        _raise_parts(shown)
    if len({info.filename for info in infos}) < len(infos):
        raise damaged(shown)
    for info in infos:
        _refuse_entry(shown, info)
    if sum(info.file_size for info in infos) > MAX_INFLATED:
        raise_inflated(shown)
    return Package(shown, archive)


def _refuse_entry(shown: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise protected(shown)
    if info.compress_type not in _METHODS:
        raise damaged(shown)
    path = info.orig_filename.replace("\\", "/")
    if path.startswith("/") or ":" in path.partition("/")[0] or ".." in path.split("/"):
        raise UnreadableFileError(
            f"{shown} holds a part that would be written outside its folder; "
            "save it again from the program that made it."
        )
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise_inflated(shown)


def parsed_xml(shown: str, data: bytes) -> Element:
    """Return the root of XML without entities, at most 200 elements deep.

    Raises `UnreadableFileError` or `TooComplexError`.
    """
    if len(data) > MAX_XML:
        raise FileTooLargeError(
            f"{shown} holds more than {MAX_XML // 2**20} MiB of text and markup; split it."
        )
    try:
        root: Element = ElementTree.fromstring(plain_xml(shown, data), forbid_dtd=True)
    except (ParseError, defusedxml.DefusedXmlException, ValueError, LookupError) as error:
        raise damaged(shown) from error
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return root
    raise TooComplexError(
        f"{shown} nests more than {MAX_DEPTH} elements in one another; "
        "save it again from the program that made it."
    )


def plain_xml(shown: str, data: bytes) -> bytes:
    """Return XML in UTF-8 (or its subset, or Latin-1) and the usual namespaces.

    Raises `UnreadableFileError` where it defines a document type: no office program does, and
    entities come with it.
    """
    if data.startswith(_UTF16):
        try:
            text = data.decode("utf-16" if data[0] > 0xF0 else _wide(data))
        except UnicodeDecodeError as error:
            raise damaged(shown) from error
        data = _XML_DECLARATION.sub(b"", text.encode("utf-8", "replace"), count=1)
    declaration = _XML_DECLARATION.match(data.removeprefix(b"\xef\xbb\xbf"))
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    if encoding is not None and encoding[1].lower() not in _ENCODINGS:
        raise damaged(shown)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise damaged(shown)
    for strict, usual in _STRICT:
        if strict in data:
            data = data.replace(strict, usual)
    return data


def _wide(data: bytes) -> str:
    return "utf-16-le" if data[0] else "utf-16-be"


def damaged(shown: str) -> UnreadableFileError:
    """Return the error for a file that is not what its format asks for."""
    return UnreadableFileError(
        f"{shown} is damaged and cannot be read; open it and save it again."
    )


def protected(shown: str) -> ProtectedFileError:
    """Return the error for a file that opens with a password only."""
    return ProtectedFileError(
        f"{shown} is protected by a password; save it without one and send it again."
    )


def raise_inflated(shown: str) -> NoReturn:
    """Refuse a file that inflates to more than a document holds."""
    raise FileTooLargeError(
        f"{shown} unpacks to far more than a document holds; "
        "split it, or save it again from the program that made it."
    )


def _raise_parts(shown: str) -> NoReturn:
    raise TooComplexError(
        f"{shown} holds more than {MAX_PARTS:,} parts; "
        "save it again from the program that made it."
    )
