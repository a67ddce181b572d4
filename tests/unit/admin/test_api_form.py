"""What comes in an upload's form: read within limits, and refused in words."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from admin.api import form
from admin.api.form import audience_of, file_name, moment_of, received
from admin.gate import UPLOAD_LIMIT
from admin.problems import TooLargeError, UnusableRequestError
from ingestion.ingest import Given
from ingestion.sniff import MAX_FILE_SIZE
from ingestion.uploads import MAX_FILES
from store.publish import File

KIND = "multipart/form-data; boundary=b"
MIB = 2**20


def part(head: str, body: bytes = b"# Leave") -> bytes:
    """Return one part of a form, its Content-Disposition after "form-data; "."""
    disposition = f"Content-Disposition: form-data; {head}\r\n\r\n".encode("utf-8", "replace")
    return b"--b\r\n" + disposition + body + b"\r\n"


END = b"--b--\r\n"
FILE = part('name="file"; filename="leave.md"')


def field(name: str, value: str = "x") -> bytes:
    """Return a part that is a field of text."""
    return part(f'name="{name}"', value.encode("utf-8", "replace"))


SOUND = FILE + field("title", "Leave") + field("audience", "everyone") + END

Read = tuple[list[File], Given, tuple[str, ...] | None]


def read(pieces: Iterator[bytes] | bytes, kind: str | None = KIND) -> Read:
    """Return what is read out of a request with this body."""
    waiting = iter([pieces]) if isinstance(pieces, bytes) else pieces

    async def receive() -> Message:
        piece = next(waiting, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    headers = [] if kind is None else [(b"content-type", kind.encode("latin-1"))]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": headers}

    async def run() -> Read:
        reading = received(Request(scope, receive))
        try:
            one = await anext(reading)
            return one.files(), one.given, one.audience
        finally:
            await reading.aclose()

    return anyio.run(run)


def test_reads_files_and_fields() -> None:
    """A file is taken under any field's name; its type is guessed from its own."""
    body = FILE + part('name="x"; filename="C:\\\\plans\\\\terms.pdf"', b"%PDF-") + END
    files, said, audience = read(body)
    assert [(one.name, one.media_type, one.data) for one in files] == [
        ("leave.md", "text/markdown", b"# Leave"),
        ("terms.pdf", "application/pdf", b"%PDF-"),
    ]
    assert (said, audience) == (Given(), None)


def test_an_empty_file_field_of_a_form_is_no_file() -> None:
    """Browsers send one for a field in which nothing was chosen."""
    files, _, _ = read(FILE + part('name="file"; filename=""', b"") + END)
    assert [one.name for one in files] == ["leave.md"]


@pytest.mark.parametrize(
    "charset", ["undefined", "idna", "utf-16", "base64", "unicode_escape", "no-such", '"a\x01b"']
)
def test_a_charset_does_not_choose_how_names_are_read(charset: str) -> None:
    """Names are UTF-8, as every program sends them."""
    body = part('name="file"; filename="Ürlaub.md"') + END
    assert read(body, f"{KIND}; charset={charset}")[0][0].name == "Ürlaub.md"


REFUSED = [
    pytest.param(FILE + END, None, "multipart/form-data", id="no type"),
    pytest.param(FILE + END, "application/json", "multipart/form-data", id="another type"),
    pytest.param(FILE + END, "multipart/form-data", "boundary", id="no boundary"),
    pytest.param(FILE + END, f"multipart/form-data; boundary={'b' * 71}", "boundary", id="long"),
    pytest.param(FILE + END, 'multipart/form-data; boundary="b\xff"', "boundary", id="letters"),
    pytest.param(FILE + END, "multipart/form-data; boundary=c", "cannot be read", id="other"),
    pytest.param(b"", KIND, "breaks off", id="nothing"),
    pytest.param(FILE, KIND, "breaks off", id="no end"),
    pytest.param(FILE[:-9], KIND, "breaks off", id="half a file"),
    pytest.param(b"--b\r\n\r\n" + END, KIND, "cannot be read", id="no head"),
    pytest.param(
        b"--b\r\nx\x00: y\r\n\r\nz\r\n" + END, KIND, "cannot be read", id="NUL in a head"
    ),
    pytest.param(part("x=y") + END, KIND, "cannot be read", id="no field name"),
    pytest.param(part(f'name="file"; filename="{"n" * 9000}.md"') + END, KIND, "", id="huge head"),
    pytest.param(END, KIND, "", id="no part"),
    pytest.param(field("title") + END, KIND, "No file came", id="no file"),
    pytest.param(FILE + field("titel") + END, KIND, "titel is neither", id="misspelt"),
    pytest.param(field("file", "text") + END, KIND, "file is neither", id="text for a file"),
    pytest.param(FILE + field("title") * 2 + END, KIND, "title once", id="twice"),
    pytest.param(FILE + field("title", "x" * 501) + END, KIND, "500", id="long title"),
    pytest.param(FILE + field("title", "x" * 20_000) + END, KIND, "be read", id="huge field"),
    pytest.param(FILE + field("audience") * 101 + END, KIND, "cannot be read", id="many fields"),
    pytest.param(FILE + field("audience", "all") + END, KIND, "all is no audience", id="audience"),
    pytest.param(FILE + FILE + END, KIND, "Several files go by", id="twins"),
    pytest.param(part('name="file"; filename="///"') + END, KIND, "with its name", id="no name"),
    pytest.param(part(f'name="file"; filename="{"n" * 300}"') + END, KIND, "too long", id="name"),
    pytest.param(FILE + field("effective_from", "soon") + END, KIND, "not a date", id="date"),
    pytest.param(
        FILE + field("effective_from", "2026-01-02") + field("effective_to", "2026-01-01") + END,
        KIND,
        "not after",
        id="dates",
    ),
    pytest.param(
        FILE + part('name="file"; filename="b.md"') + field("document") + END,
        KIND,
        "document belongs to one file",
        id="one key for two",
    ),
    pytest.param(
        FILE + part('name="file"; filename="b.md"') + field("title") + END,
        KIND,
        "title belongs to one file",
        id="one title for two",
    ),
]


@pytest.mark.parametrize(("body", "kind", "told"), REFUSED)
def test_what_cannot_be_used_is_told(body: bytes, kind: str | None, told: str) -> None:
    """Each mistake has its sentence."""
    with pytest.raises(UnusableRequestError, match=rf"{told}.*\.$"):
        read(body, kind)


@given(position=st.integers(0, len(SOUND)), cut=st.integers(0, 20), anew=st.binary(max_size=20))
def test_damaged_forms_are_read_or_refused(position: int, cut: int, anew: bytes) -> None:
    """Whatever stands in the place of some bytes, nothing fails in another way."""
    damaged = SOUND[:position] + anew + SOUND[position + cut :]
    with suppress(UnusableRequestError):
        files, _, _ = read(damaged)
        assert all(one.name and one.name.isprintable() for one in files)


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_strange_types_are_read_or_refused(said: str) -> None:
    """Whatever a Content-Type says, nothing fails in another way."""
    with suppress(UnusableRequestError):
        read(SOUND, f"multipart/form-data;{said}")


def sent_in_pieces(head: bytes, size: int) -> Iterator[bytes]:
    """Return a part with so many bytes, a MiB at a time, and fail if it is read on."""
    yield head
    for _ in range(size // MIB):
        yield bytes(MIB)
    yield b"\r\n"


def many_files(count: int) -> Iterator[bytes]:
    """Return the parts of so many small files."""
    for number in range(count):
        yield part(f'name="file"; filename="{number}.md"')


def large_files() -> Iterator[bytes]:
    """Return files that are too large only together."""
    for number in range(UPLOAD_LIMIT // (90 * MIB) + 1):
        yield from sent_in_pieces(part(f'name="f"; filename="{number}"', b"")[:-2], 90 * MIB)


def unread(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the pieces, and fail where more is read."""
    yield from pieces
    pytest.fail("read on after the limit")


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        pytest.param(
            lambda: sent_in_pieces(FILE[:-2], MAX_FILE_SIZE),
            "leave.md is larger than the 100 MiB",
            id="a file",
        ),
        pytest.param(lambda: many_files(MAX_FILES + 1), "at most 100 files", id="many files"),
        pytest.param(large_files, "larger than 500 MiB together", id="together"),
    ],
)
def test_too_much_is_refused_while_it_comes(
    pieces: Callable[[], Iterator[bytes]], told: str
) -> None:
    """Nobody waits for the rest."""
    with pytest.raises(TooLargeError, match=told):
        read(unread(pieces()))


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.md", "plan.md"),
        ("a\x00b\u202etxt.md", "abtxt.md"),
        ("two\nlines.md", "two lines.md"),
        ("..", ".."),
        ("\ud800.md", ".md"),
        ("/", ""),
    ],
)
def test_a_name_is_display_text(sent: str, name: str) -> None:
    """No folders, nothing that a terminal or a database would choke on."""
    assert file_name(sent) == name


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-09-01", datetime(2026, 9, 1, tzinfo=UTC)),
        ("2026-09-01T12:30", datetime(2026, 9, 1, 12, 30, tzinfo=UTC)),
        ("2026-09-01T00:00+02:00", datetime(2026, 8, 31, 22, tzinfo=UTC)),
    ],
)
def test_dates_are_read_as_in_front_matter(value: str, moment: datetime) -> None:
    """Without a zone it is UTC, without a time midnight."""
    assert moment_of("effective_from", value) == moment


@pytest.mark.parametrize("value", ["01.09.2026", "2026-02-30", "0001-01-01T00:00+10:00", "-1"])
def test_what_is_no_date_is_told(value: str) -> None:
    """Neither another notation nor a day before all days."""
    with pytest.raises(UnusableRequestError, match="not a date; write it as 2026-09-01"):
        moment_of("effective_from", value)


def test_principals_are_repeated_or_separated_by_commas() -> None:
    """Both ways give the same, each once; nothing is no audience at all."""
    assert audience_of(["everyone, group:S1", "group:S1"]) == ("everyone", "group:S1")
    assert audience_of(["", " , "]) is None


@pytest.mark.parametrize("value", ["group:", "team:x", "EVERYONE", "group:a b", "group:\x00"])
def test_what_is_no_principal_is_told(value: str) -> None:
    """The sentence names the kinds there are."""
    with pytest.raises(UnusableRequestError, match="write everyone, external"):
        audience_of([value])


def test_the_sentences_show_how_a_file_is_sent() -> None:
    """Who sends none learns the shape that works."""
    with pytest.raises(UnusableRequestError, match=form.AS_CURL):
        read(END)
