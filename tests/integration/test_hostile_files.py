"""Files made to exhaust a reader, through the real parsers in a real child process."""

import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from ingestion.errors import DocumentError
from ingestion.sandbox import Limits, ParseLimitError, Sandbox

PATIENCE = 10.0  # seconds for one file
SHORT = 2.5  # seconds that a file may take where most would take all they are given
SLACK = 1.0  # seconds more for what is around it
MIB = 2**20  # bytes
WORD = "Halvermoor"
NEXT = b"# Returns\n\nGoods may be returned within 30 days."

_WORD_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PARAGRAPH = b"<w:p><w:r><w:t>Goods may be returned.</w:t></w:r></w:p>"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with its usual limits."""
    with Sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def hurried() -> Iterator[Sandbox]:
    """A sandbox that gives a file little time."""
    with Sandbox(Limits(seconds=SHORT, text_seconds_per_mib=0.1)) as made:
        yield made


def deflated(unit: bytes, times: int) -> bytes:
    """Return `unit` so many times, compressed without ever holding it all."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(unit) for _ in range(times)) + packer.flush()


def pdf(stream: bytes, filters: str = "/FlateDecode") -> bytes:
    """Return a PDF of one page whose content is `stream`, compressed as `filters` say."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page + b" /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Filter {filters} /Length {len(stream)} >>\nstream\n".encode()
        + stream
        + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    written = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(written)
    written += b"xref\n0 6\n0000000000 65535 f \n"
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(written)


def docx(before: bytes, unit: bytes, times: int, after: bytes = b"") -> bytes:
    """Return a Word file whose body is `unit` so many times."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        package.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{_RELATION}" Target="word/document.xml"/>'
            "</Relationships>",
        )
        with package.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(f'<w:document xmlns:w="{_WORD_NAMESPACE}"><w:body>'.encode() + before)
            for _ in range(times):
                part.write(unit)
            part.write(after + b"</w:body></w:document>")
    return stream.getvalue()


def many_parts() -> bytes:
    """Return a package of 100,000 empty parts."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as package:
        for number in range(100_000):
            package.writestr(f"word/{number}.xml", b"")
    return stream.getvalue()


REFUSED: dict[str, Callable[[], bytes]] = {
    "twice packed.pdf": lambda: pdf(
        zlib.compress(deflated(bytes(MIB), 1024)), "[/FlateDecode /FlateDecode]"
    ),
    "words.pdf": lambda: pdf(deflated(b"BT /F1 11 Tf 72 700 Td (Returns) Tj ET\n" * 25_000, 80)),
    "nested states.pdf": lambda: pdf(deflated(b"q " * 500_000, 100)),
    "one large part.docx": lambda: docx(b"", _PARAGRAPH * 10_000, 1_600),
    "many tables.docx": lambda: docx(
        b"<w:tbl><w:tr><w:tc>" * 20_000, _PARAGRAPH, 1, b"</w:tc></w:tr></w:tbl>" * 20_000
    ),
    "many parts.docx": many_parts,
    "nested.html": lambda: b"<html><body>" + b"<div>" * 500_000 + b"words",
    "quotes.md": lambda: b"> " * 200_000 + b"words",
    "lists.md": lambda: b"- " * 100_000 + b"words",
}
"""Files that are refused, however they are read."""

READ: dict[str, Callable[[], bytes]] = {
    "line.txt": lambda: f"{WORD} ".encode() * 900_000,
    "line.md": lambda: f"{WORD} ".encode() * 900_000,
    "line.html": lambda: b"<html><body><p>" + f"{WORD} ".encode() * 900_000,
    "letters.txt": lambda: WORD.encode() + b"a" * 9 * MIB,
    "spaces.txt": lambda: WORD.encode() + b" " * 9 * MIB + WORD.encode(),
    "backticks.md": lambda: WORD.encode() + b"".join(b" " + b"`" * n for n in range(1_500)),
    "blocks.txt": lambda: f"{WORD}\n\n".encode() * 50_000,
    "tables.html": lambda: f"<html><body>{WORD}".encode() + b"<table><tr><td>a" * 5_000,
}
"""Files that are long in one way, whose words are found."""

EITHER: dict[str, Callable[[], bytes]] = {
    "head.md": lambda: b"---\ntitle" + b" " * 200_000 + b"\n---\nwords",
    "brackets.md": lambda: b"[" * 100_000 + b"words" + b"](" * 100_000,
    "stars.md": lambda: b"words " + b"*a_ " * 200_000,
    "attributes.html": lambda: b"<html><body><p " + b"a=b " * 500_000 + b">words",
    "formatting.html": lambda: b"<html><body>" + b"<b><i>" * 50_000 + b"words",
    "references.md": lambda: b"".join(b"[r%d]: #x\n" % n for n in range(20_000)) + b"\n[r1] " * 9,
    "cells.md": lambda: b"|" * 50_000 + b"\n" + b"|-" * 50_000 + b"\n" + b"|a" * 50_000,
}
"""Files on which a careless expression or table would work for hours."""


@pytest.mark.parametrize("name", REFUSED)
def test_bomb_is_refused_in_time_and_the_next_file_is_read(sandbox: Sandbox, name: str) -> None:
    """What unpacks or nests without end costs ten seconds at most and one sentence."""
    data = REFUSED[name]()
    started = time.monotonic()
    with pytest.raises(DocumentError) as refusal:
        sandbox.parse(name, data)
    assert time.monotonic() - started < PATIENCE
    assert_one_sentence(str(refusal.value), name)
    assert sandbox.parse("returns.md", NEXT).title == "Returns"


@pytest.mark.parametrize("name", READ)
def test_long_file_is_read_in_time(sandbox: Sandbox, name: str) -> None:
    """A file that is one long line, or one long row of one thing, is read with its words."""
    data = READ[name]()
    started = time.monotonic()
    document = sandbox.parse(name, data)
    assert time.monotonic() - started < PATIENCE
    assert WORD in document.text


@pytest.mark.parametrize("name", EITHER)
def test_file_against_expressions_has_an_outcome_in_time(hurried: Sandbox, name: str) -> None:
    """What would hold up a reader for hours is read or refused when its time is over."""
    data = EITHER[name]()
    assert hurried.parse("returns.md", NEXT).title == "Returns"  # a child is there
    started = time.monotonic()
    refusal = None
    try:
        assert hurried.parse(name, data).text
    except DocumentError as error:
        refusal = str(error)
    assert time.monotonic() - started < SHORT + SLACK
    if refusal is not None:
        assert_one_sentence(refusal, name)


def test_memory_is_what_ends_a_deflate_bomb(sandbox: Sandbox) -> None:
    """The sentence for a gibibyte of zeros in a small file names memory; the next is read."""
    data = pdf(deflated(bytes(MIB), 1024))
    started = time.monotonic()
    with pytest.raises(ParseLimitError, match=r"^zeros.pdf needs more than 700 MB of memory"):
        sandbox.parse("zeros.pdf", data)
    assert time.monotonic() - started < PATIENCE
    assert sandbox.parse("returns.md", NEXT).title == "Returns"


def assert_one_sentence(sentence: str, name: str) -> None:
    """A refusal names the file, is one sentence, and fits in a message."""
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert len(sentence) < 300
