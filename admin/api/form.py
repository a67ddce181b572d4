"""Files and what is said of them, read from a multipart form onto disk within limits."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from admin.gate import UPLOAD_LIMIT
from admin.problems import TooLargeError, UnusableRequestError
from ingestion.errors import display_name, printable
from ingestion.ingest import Given, media_type
from ingestion.sniff import MAX_FILE_SIZE
from ingestion.uploads import MAX_FILES
from store.access import PRINCIPALS, is_principal
from store.publish import File

MAX_FIELDS = 100  # of text: one each, and many principals
MAX_FIELD = 10_000  # bytes of a field of text
MAX_VALUE = 500  # characters of a title, a link …; as in front matter
MAX_NAME = 255  # characters of a file's name
MIB = 2**20
AS_CURL = "send files as curl -F file=@policy.md does"

SINGLE = ("document", "title", "effective_from", "effective_to", "link")
AUDIENCE = "audience"
FIELDS = (*SINGLE, AUDIENCE)

BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
"""RFC 2046, 5.1.1."""


@dataclass(frozen=True)
class Received:
    """An upload as it came: files, still on disk, and what the sender says of them."""

    parts: tuple[UploadFile, ...]
    given: Given
    audience: tuple[str, ...] | None

    def files(self) -> list[File]:
        """Read the files into memory."""
        return [_file(part) for part in self.parts]


async def received(request: Request) -> AsyncGenerator[Received, None]:
    """Read an upload from a request, and drop what it left on disk when it is done with.

    Raises UnusableRequestError, TooLargeError.
    """
    form = await _form(request)
    try:
        yield read_form(form.multi_items())
    finally:
        await form.close()


async def _form(request: Request) -> FormData:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not BOUNDARY.fullmatch(boundary):
        raise UnusableRequestError(
            f"The files must come as multipart/form-data with a boundary; {AS_CURL}."
        )
    # Written anew, since a charset in the header would choose how names are decoded.
    headers = Headers(
        raw=[(b"content-type", b'multipart/form-data; boundary="' + boundary + b'"')]
    )
    async with aclosing(request.stream()) as stream:
        parser = _Parser(headers, stream, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD)
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise UnusableRequestError(
                f"This form cannot be read ({error.message.rstrip('.')}); {AS_CURL}."
            ) from error
        except ClientDisconnect as error:
            raise UnusableRequestError("The upload broke off; nothing was kept.") from error
    if not parser.complete:
        parser.drop()
        raise UnusableRequestError(f"This form breaks off before its end; {AS_CURL}.")
    return form


class _Parser(MultiPartParser):
    """Starlette's parser, which spools files to disk, with limits on their number and sizes."""

    _received = 0  # bytes of all files
    _size = 0  # bytes of the file under way
    complete = False  # whether the closing boundary came

    def on_end(self) -> None:
        """Note that nothing is missing."""
        self.complete = True

    def drop(self) -> None:
        """Remove what was spooled."""
        for file in self._files_to_close_on_error:
            file.close()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Count what a file takes before it is kept."""
        part = self._current_part.file
        if part is not None:
            self._size += end - start
            self._received += end - start
            if self._size > MAX_FILE_SIZE:
                name = display_name(part.filename or "")
                raise TooLargeError(
                    f"{name} is larger than the {MAX_FILE_SIZE // MIB} MiB that a file may have;"
                    " split it. Nothing was kept."
                )
            if self._received > UPLOAD_LIMIT:
                raise TooLargeError(
                    f"These files are larger than {UPLOAD_LIMIT // MIB} MiB together; send them in"
                    " several requests. Nothing was kept."
                )
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        """Count the files before another is opened."""
        super().on_headers_finished()
        self._size = 0
        if self._current_files > MAX_FILES:
            raise TooLargeError(
                f"Send at most {MAX_FILES} files at once, the others in another request."
                " Nothing was kept."
            )


def read_form(items: Sequence[tuple[str, UploadFile | str]]) -> Received:
    """Return what the fields of a form say. Raises UnusableRequestError."""
    parts = [value for _, value in items if isinstance(value, UploadFile)]
    parts = [part for part in parts if part.filename or part.size]  # a form's empty file field
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    _check_fields(fields)
    _check_files(parts)
    given = given_of({name: printable(fields[name][0]) for name in SINGLE if name in fields})
    for name in ("document", "title"):
        if getattr(given, name) and len(parts) > 1:
            raise UnusableRequestError(
                f"{name} belongs to one file; send each file that has one in its own request."
            )
    return Received(tuple(parts), given, audience_of(fields.get(AUDIENCE, [])))


def _check_fields(fields: Mapping[str, Sequence[str]]) -> None:
    for name, values in fields.items():
        shown = display_name(name)
        if name not in FIELDS:
            raise UnusableRequestError(
                f"{shown} is neither a file nor one of the fields {', '.join(FIELDS)}; {AS_CURL}."
            )
        if name in SINGLE and len(values) > 1:
            raise UnusableRequestError(f"Send {shown} once.")
        if name in SINGLE and len(values[0]) > MAX_VALUE:
            raise UnusableRequestError(f"Shorten {shown} to {MAX_VALUE} characters.")


def _check_files(parts: Sequence[UploadFile]) -> None:
    if not parts:
        raise UnusableRequestError(f"No file came; {AS_CURL}.")
    names = [file_name(part.filename or "") for part in parts]
    for name in names:
        if not name:
            raise UnusableRequestError("Send each file with its name.")
        if len(name) > MAX_NAME:
            raise UnusableRequestError(
                f"The name {display_name(name)} is too long; shorten it to {MAX_NAME} characters."
            )
        if names.count(name) > 1:
            raise UnusableRequestError(
                f"Several files go by the name {display_name(name)} and would become versions of"
                " one document; give each a name of its own."
            )


def file_name(sent: str) -> str:
    """Return the name under which a file is known: without its folders, printable."""
    return printable(sent.replace("\\", "/").rstrip("/").rpartition("/")[2])


def _file(part: UploadFile) -> File:
    name = file_name(part.filename or "")
    return File(name, media_type(name), part.file.read())


def given_of(values: Mapping[str, str]) -> Given:
    """Return what the sender says of the files; empty values say nothing.

    Raises UnusableRequestError for a date that is none, or an end before the beginning.
    """
    said: dict[str, Any] = {name: value for name, value in values.items() if value}
    for name in ("effective_from", "effective_to"):
        if name in said:
            said[name] = moment_of(name, said[name])
    given = Given(**said)
    if given.effective_from and given.effective_to and given.effective_to <= given.effective_from:
        raise UnusableRequestError("effective_to is not after effective_from; correct the dates.")
    return given


def moment_of(name: str, value: str) -> datetime:
    """Read an ISO date or time; without a zone it is UTC, without a time it is midnight."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:  # Overflow: the first day, in an eastern zone
        raise UnusableRequestError(
            f"{name} is “{value[:40]}”, which is not a date; write it as 2026-09-01."
        ) from error


def audience_of(values: Sequence[str]) -> tuple[str, ...] | None:
    """Return the principals of repeated or comma-separated values, None if there are none."""
    names = [name.strip() for value in values for name in value.split(",")]
    principals = tuple(dict.fromkeys(name for name in names if name))
    for principal in principals:
        if not is_principal(principal):
            raise UnusableRequestError(
                f"{display_name(principal)} is no audience; write {PRINCIPALS}."
            )
    return principals or None
