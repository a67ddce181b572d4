"""What a file is: told from its bytes; the name is a hint, or says that it is no document."""

import codecs
import re
import zipfile
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal

from ingestion.errors import (
    BinaryFileError,
    EmptyFileError,
    FileTooLargeError,
    ProtectedFileError,
    UndecodableFileError,
    UnsupportedFileError,
    display_name,
)

Kind = Literal["markdown", "html", "plain", "csv", "email"]
BinaryKind = Literal["pdf", "docx", "pptx", "xlsx", "odt"]

MAX_TEXT_SIZE = 10 * 1024 * 1024  # bytes of a Markdown, HTML or text file: three bibles
MAX_FILE_SIZE = 100 * 1024 * 1024  # bytes of any file
SNIFFED = 4096  # characters or bytes looked at to tell a type
MAX_TYPE = 200  # bytes in which a ZIP file says what it is
MAX_DIRECTORY = 20_000  # entries of a ZIP file's directory that are looked at
MAX_CONTROL_SHARE = 0.05  # of control characters in text
MAX_ACCENTED_SHARE = 0.3  # of letters outside ASCII, in text read as Windows-1252

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROGRAMS = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a bitmap picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"RIFF", "a sound, film or WebP picture"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound"),
    (b"fLaC", "a sound"),
    (b"\x1a\x45\xdf\xa3", "a film"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"\x00\x01\x00\x00\x00", "a font"),
)
_PACKAGES: tuple[tuple[bytes, BinaryKind], ...] = (
    (b"application/vnd.oasis.opendocument.text", "odt"),
    (b"word/", "docx"),
    (b"xl/", "xlsx"),
    (b"ppt/", "pptx"),
)
"""What stands uncompressed in a ZIP file of that kind: its type, or the folder of its parts."""
_DIRECTORY_ENTRY = b"PK\x01\x02"
_OTHER_PACKAGES = (
    (b"application/vnd.oasis.opendocument", "an OpenDocument file other than a text"),
    (b"application/epub+zip", "an EPUB book"),
)
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML_START = re.compile(r"\s*<\?xml\b")
_TAG = re.compile(
    r"</?(?:p|div|h[1-6]|ul|ol|li|table|tr|td|span|br|section|article)\b[^>]*>", re.I
)
_FRONT_MATTER_START = re.compile(r"---[ \t]*\r?\n\s*[\w -]+:[^\n]*\n(?:[^\n]*\n){0,200}?---")
_MARKDOWN_START = re.compile(r"\s*(?:---[ \t]*\r?\n\s*[\w -]+:|#{1,6}[ \t]+\S)")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_EXTENSIONS: dict[str, Kind] = {
    "md": "markdown", "markdown": "markdown", "mdown": "markdown",
    "html": "html", "htm": "html", "xhtml": "html",
    "txt": "plain", "text": "plain", "csv": "csv", "eml": "email",
}  # fmt: skip
# "terms v1.2" and "Policy 3.1 Returns" have no ending; ".env" and "terms.txt~" have one.
_ENDING = re.compile(r"\.([^\W\d_]\S{0,15})\Z")
_KIND_NAMES: dict[Kind, str] = {
    "markdown": "Markdown", "html": "HTML", "plain": "plain text", "csv": "a table (CSV)",
    "email": "an e-mail",
}  # fmt: skip
_WRITTEN_ENDINGS = frozenset({"md", "markdown", "mdown", "html", "htm", "xhtml", "csv"})
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n")
# A memo has "From:" and "Subject:" too; only programs write these.
_PROGRAM_HEADERS = frozenset(
    [b"received", b"message-id", b"mime-version", b"return-path", b"content-type"]
)
_MAIL_HEADERS = frozenset([b"from", b"to", b"cc", b"subject", b"date", b"sender"])


@dataclass(frozen=True)
class Decoded:
    """A file's characters, what they are, and what a person should know of how they were read.

    An e-mail says itself how each part of it is encoded: its characters are its bytes (Latin-1).
    """

    text: str
    kind: Kind
    warnings: tuple[str, ...] = ()


def decode(name: str, data: bytes) -> tuple[str, Kind]:
    """Return a file's text and type; `read` says the same and adds warnings."""
    decoded = read(name, data)
    return decoded.text, decoded.kind


def read(name: str, data: bytes) -> Decoded:
    """Tell what a file is and decode it.

    Raises `EmptyFileError`, `FileTooLargeError`, `BinaryFileError`, `UnsupportedFileError` or
    `UndecodableFileError`, each with a sentence that names the file.
    """
    shown = display_name(name)
    refuse_size(shown, len(data), MAX_TEXT_SIZE)
    _refuse_binary(shown, data)
    _refuse_ending(shown)
    if is_email(data) and _extension(shown) not in _WRITTEN_ENDINGS:
        return _with_ending_warning(shown, Decoded(data.decode("latin-1"), "email"))
    text, warnings = _decode(shown, data)
    if not text.strip("\ufeff\x00 \t\r\n\f\v"):
        raise EmptyFileError(f"{shown} is empty; send a file with text in it.")
    return _with_ending_warning(shown, Decoded(text, _kind(shown, text), warnings))


def _with_ending_warning(shown: str, decoded: Decoded) -> Decoded:
    if _EXTENSIONS.get(_extension(shown), decoded.kind) == decoded.kind:
        return decoded
    warning = f"{shown} holds {_KIND_NAMES[decoded.kind]}, whatever its ending says."
    return replace(decoded, warnings=(*decoded.warnings, warning))


def refuse_size(shown: str, size: int, limit: int = MAX_FILE_SIZE) -> None:
    """Raise EmptyFileError or FileTooLargeError for a file of `size` bytes, if it is either."""
    if size == 0:
        raise EmptyFileError(f"{shown} is empty; send a file with text in it.")
    if size > limit:
        what = "a text file" if limit == MAX_TEXT_SIZE else "a file"
        raise FileTooLargeError(
            f"{shown} is {size / 2**20:.1f} MiB, more than the "
            f"{limit // 2**20} MiB that {what} may have; split it."
        )


def binary_kind(name: str, data: bytes) -> BinaryKind | None:
    """Return what kind of document with a format of its own this is, None for all else.

    Raises UnsupportedFileError for one that is not read, BinaryFileError for another ZIP file.
    """
    shown = display_name(name)
    refuse_size(shown, len(data))
    found = None
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        if (kind := _package_kind(data)) is not None:
            return kind
        found = next((kind for part, kind in _OTHER_PACKAGES if part in data[:SNIFFED]), None)
        if found is None:
            raise BinaryFileError(f"{shown} is a ZIP archive; unpack it and send the files in it.")
    elif data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if _ENCRYPTED_PACKAGE in data:
            raise ProtectedFileError(
                f"{shown} is protected by a password; save it without one and send it again."
            )
        found = "an old Office document (.doc, .xls or .ppt)"
    elif data.startswith(b"{\\rtf"):
        found = "a rich text (RTF) document"
    elif data.startswith(b"%!PS"):
        found = "a PostScript document"
    if found is not None:
        raise UnsupportedFileError(
            f"{shown} is {found}, which is not read; save it as PDF, Word (.docx), Markdown or"
            " plain text."
        )
    return None


def _package_kind(data: bytes) -> BinaryKind | None:
    """Return what a ZIP file holds, told by its type and parts, not by files inside them."""
    directory = _directory(data)
    declared, names = directory if directory is not None else (data[:SNIFFED], None)
    if _PACKAGES[0][0] in declared:
        return _PACKAGES[0][1]
    for folder, kind in _PACKAGES[1:]:
        if folder in data if names is None else any(n.startswith(folder) for n in names):
            return kind
    return None


def _directory(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """Return what a ZIP file says it is, and its parts; None where that cannot be read."""
    if data.count(_DIRECTORY_ENTRY) > MAX_DIRECTORY:
        return None
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            declared = b""
            if "mimetype" in names:
                with archive.open("mimetype") as part:
                    declared = part.read(MAX_TYPE)
            return declared, [name.encode("utf-8", "replace") for name in names]
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError):
        return None


def is_email(data: bytes) -> bool:
    """Return whether this is an e-mail as programs keep it: it opens with their headers."""
    names: set[bytes] = set()
    position = 0
    while (header := _HEADER.match(data, position, SNIFFED * 16)) is not None:
        names.add(header[1].lower())
        position = header.end()
    return bool(names & _PROGRAM_HEADERS) and len(names & _MAIL_HEADERS) >= 2


def _refuse_binary(shown: str, data: bytes) -> None:
    if data.startswith(tuple(bom for bom, _ in _BOMS)):
        return
    has_nul = b"\x00" in data
    for magic, kind in _PROGRAMS:
        # Two or three letters may begin a text: a zero byte settles it.
        if data.startswith(magic) and (len(magic) > 4 or has_nul or max(magic) > 127):
            raise BinaryFileError(f"{shown} is {kind}, not a document; send the text of it.")
    if data[4:8] == b"ftyp":
        raise BinaryFileError(f"{shown} is a film, not a document; send the text of it.")
    if has_nul and _wide(data):
        raise UndecodableFileError(
            f"{shown} looks like UTF-16 without its mark; save it as UTF-8 and send it again."
        )
    if has_nul:
        raise BinaryFileError(
            f"{shown} is not a text file (it holds zero bytes); send a document instead."
        )


def _refuse_ending(shown: str) -> None:
    """Refuse data and code, which are text but no policies."""
    ending = _extension(shown)
    if ending and ending not in _EXTENSIONS:
        raise UnsupportedFileError(
            f"{shown} ends in .{ending}, which is not read; save it as PDF, Word (.docx), "
            "Markdown, text or HTML."
        )


def _wide(data: bytes) -> bool:
    """Return whether every other byte is zero, as in Western text in UTF-16."""
    sample = data[:SNIFFED]
    half = len(sample) // 2
    zeros = (sample[::2].count(0), sample[1::2].count(0))
    return half > 1 and max(zeros) > 0.8 * half and min(zeros) < 0.1 * half


def _decode(shown: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decode_as(shown, data, encoding), ()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_old(shown, data, error)
    _refuse_control(shown, text)
    return text, ()


def _decode_as(shown: str, data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableFileError(
            f"{shown} is not valid {encoding.upper().removesuffix('-SIG')} at byte "
            f"{error.start:,}; save it as UTF-8 and send it again."
        ) from None
    _refuse_control(shown, text)
    return text


def _decode_old(shown: str, data: bytes, error: UnicodeDecodeError) -> tuple[str, tuple[str, ...]]:
    """Decode what is not UTF-8: as the page declares, else as Windows-1252 if that reads well."""
    if (declared := _CHARSET.search(data[:SNIFFED])) is not None:
        encoding = declared[1].decode("ascii").lower()
        if encoding not in ("utf-8", "utf8") and (text := _try(data, encoding)) is not None:
            _refuse_control(shown, text)
            return text, ()
    repaired = data.decode("utf-8", errors="replace")
    bad = repaired.count("\ufffd")
    good = sum(1 for c in repaired if ord(c) > 127) - bad
    text = _try(data, "cp1252")
    if text is None or good > bad or _accented_share(text) > MAX_ACCENTED_SHARE:
        raise UndecodableFileError(
            f"{shown} is not valid UTF-8 (byte {error.start:,} cannot be read); "
            "save it as UTF-8 and send it again."
        )
    _refuse_control(shown, text)
    return text, (f"{shown} is not UTF-8; it was read as Windows-1252.",)


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _accented_share(text: str) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum(1 for c in letters if not c.isascii()) / max(len(letters), 1)


def _refuse_control(shown: str, text: str) -> None:
    if "\x00" in text or len(_CONTROL.findall(text)) > MAX_CONTROL_SHARE * len(text) + 40:
        raise BinaryFileError(
            f"{shown} is not a text file (it is full of control characters); "
            "send a document instead."
        )


def _kind(shown: str, text: str) -> Kind:
    """Return what the text is: an HTML page says so itself, the rest goes by name, then looks."""
    start = text[:SNIFFED].lstrip("\ufeff")
    expected = _EXTENSIONS.get(_extension(shown))
    if _HTML_START.match(start):
        return "html"
    if _XML_START.match(start):
        raise UnsupportedFileError(
            f"{shown} is an XML file, which is not read yet by this version; "
            "save it as Markdown, HTML or plain text."
        )
    if expected == "html" and not _TAG.search(text):
        return "markdown" if _MARKDOWN_START.match(start) else "plain"
    if expected == "plain" and _FRONT_MATTER_START.match(start):
        return "markdown"
    if expected is not None and expected != "email":  # an e-mail has been known by its headers
        return expected
    if start.lstrip().startswith("<") and len(_TAG.findall(start)) >= 2:
        return "html"
    return "markdown" if _MARKDOWN_START.match(start) else "plain"


def _extension(name: str) -> str:
    ending = _ENDING.search(display_name(name).rstrip("."))
    return ending[1].rpartition(".")[2].lower() if ending else ""
