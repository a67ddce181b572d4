"""Reads files in a child process: what a file does there costs that process, never this one."""

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from core.errors import ServiceUnavailableError
from core.logs import logger
from ingestion.errors import DocumentError, FileTooLargeError, display_name, printable
from ingestion.sandbox_documents import document_from_json
from ingestion.sandbox_frames import MAX_DOCUMENT, MAX_PICTURE, FrameError
from ingestion.sandbox_process import Answer, Child, EndedError, Reason
from ingestion.sniff import refuse_size
from store.documents import ParsedDocument

PARSER = "ingestion.parse:parse"
PAINTER = "ingestion.page_picture:page_picture"
WEARY = 600.0  # seconds of computing in a child's life after which it is replaced
SMALL_BURDEN = 0.2  # of the memory allowed: more may be held from files read before
MIN_RETRY = 1.0  # seconds that must be left to try a file once more
MAX_SENTENCE = 1_000  # characters of a refusal
MAX_PLACES = 8  # of a failure, in the log
PNG = b"\x89PNG\r\n\x1a\n"

Result = TypeVar("Result")

log = logger(__name__)


class ParseLimitError(DocumentError):
    """Reading the file took more memory or time than a document may, or ended the reader."""


class SandboxError(ServiceUnavailableError):
    """The process that reads files cannot be started."""


@dataclass(frozen=True)
class Limits:
    """What reading one file may take, and how long a child is kept.

    The seconds are several times what honest files took on a server's core: Markdown 1 s a MiB,
    2.5 where it is as large as a text may be; a PDF of 1,000 pages of text in 2 MiB 8 s.
    """

    memory: int = 700 * 2**20  # bytes; with its own a worker stays below 1 GB
    weary_memory: int = 300 * 2**20  # bytes that a child may still hold when a file is done
    seconds: float = 9.0  # for any file, so that a small hostile one is refused within 10
    text_seconds_per_mib: float = 5.0
    seconds_per_mib: float = 40.0  # of PDF and Office files, whose content is compressed
    most_seconds: float = 120.0
    files: int = 200  # read by one child

    def seconds_for(self, data: bytes) -> float:
        """Return how long a file may take."""
        packed = data.startswith(b"PK") or b"%PDF-" in data[:1024]
        each = self.seconds_per_mib if packed else self.text_seconds_per_mib
        return min(max(self.seconds, each * len(data) / 2**20), self.most_seconds)


LIMITS = Limits()


class Sandbox:
    """One child process that reads file after file; a context manager, safe for threads.

    The child starts with the first file. It is replaced when something went wrong in it, when it
    has read `limits.files` files, or holds too much. After a fork each process has a child of its
    own. `parser` and `painter` are what the child calls, as `module:name`, with the arguments of
    `ingestion.parse.parse` and `ingestion.page_picture.page_picture`.
    """

    def __init__(
        self, limits: Limits = LIMITS, *, parser: str = PARSER, painter: str = PAINTER
    ) -> None:
        self.limits = limits
        self._functions = (parser, painter)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._end_child: weakref.finalize[[], Sandbox] | None = None  # also at this one's own end
        _SANDBOXES.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def parse(self, name: str, data: bytes) -> ParsedDocument:
        """Read one file as `ingestion.parse.parse` does, with the same errors.

        Raises `ParseLimitError` too, and `SandboxError` when no child can be started.
        """
        shown = display_name(name)
        refuse_size(shown, len(data))
        words = _Words(shown, "read", self.limits.memory)
        request = {"task": "parse", "name": shown}
        return self._ask(words, request, data, MAX_DOCUMENT, document_from_json)

    def page_picture(
        self,
        data: bytes,
        page: int,
        spans: Sequence[tuple[int, int]],
        *,
        width: int = 1000,
        crop: bool = False,
        name: str = "The document",
    ) -> bytes:
        """Return a PNG of a page (from 1), as `ingestion.page_picture.page_picture` does.

        Raises what `parse` raises.
        """
        shown = display_name(name)
        refuse_size(shown, len(data))
        words = _Words(f"Page {page} of {shown}", "draw", self.limits.memory)
        request = {
            "task": "picture",
            "page": page,
            "spans": [*map(list, spans)],
            "options": {"width": width, "crop": crop, "name": shown},
        }
        return self._ask(words, request, data, MAX_PICTURE, _checked_picture)

    def close(self) -> None:
        """End the child; another file would start another."""
        with self._lock:
            self._discard()

    def forget(self) -> None:
        """Leave the child to the process that started it; called in a process just forked."""
        self._lock = threading.Lock()  # a thread that held the old one is not here
        child, self._child = self._child, None
        if child is not None and self._end_child is not None:
            self._end_child.detach()
            child.leave()

    def _ask(
        self,
        words: "_Words",
        request: Mapping[str, object],
        data: bytes,
        most: int,
        checked: Callable[[bytes], Result],
    ) -> Result:
        seconds = self.limits.seconds_for(data)
        with self._lock:
            try:
                answer = self._answer(request, data, seconds, most)
                outcome = words.outcome(answer, checked)
                self._retire()
            except EndedError as ended:
                self._discard()
                log.warning("the reader of files ended", reason=ended.reason, how=str(ended))
                outcome = words.limit(ended.reason, seconds)
            except BaseException:  # else the answer would be taken for the next file's
                self._discard()
                raise
        if isinstance(outcome, DocumentError):
            raise outcome
        return outcome

    def _answer(
        self, request: Mapping[str, object], data: bytes, seconds: float, most: int
    ) -> Answer:
        """Return a child's answer.

        What ended a child that had read other files may be their doing: the file is tried once
        more, in a child of its own and in the time that is left.
        """
        child = self._ready()
        used, burden, began = child.served > 0, child.memory, time.monotonic()
        try:
            return child.ask(request, data, seconds, most)
        except EndedError as ended:
            left = seconds - (time.monotonic() - began)
            small = ended.reason == "memory" and burden < SMALL_BURDEN * self.limits.memory
            if not used or small or ended.reason == "time" or left < MIN_RETRY:
                raise
        self._discard()
        return self._ready().ask(request, data, left, most)

    def _ready(self) -> Child:
        """Return the child, a new one if there is none that lives."""
        if self._child is not None and self._child.lives:
            return self._child
        self._discard()
        try:
            self._child = Child(self._functions, self.limits.memory)
            self._end_child = weakref.finalize(self, self._child.end)
            self._child.await_start()
        except (OSError, EndedError) as error:
            raise SandboxError(
                "The process that reads files does not start; see that this machine has memory "
                "left, then try again."
            ) from error
        return self._child

    def _retire(self) -> None:
        """End a child that has done enough."""
        child = self._child
        if child is not None and (
            child.served >= self.limits.files
            or child.memory > self.limits.weary_memory
            or child.worked > WEARY
        ):
            self._discard()

    def _discard(self) -> None:
        self._child = None
        if self._end_child is not None:
            self._end_child()  # does so once


_SANDBOXES: "weakref.WeakSet[Sandbox]" = weakref.WeakSet()


def _forget_all() -> None:
    for sandbox in list(_SANDBOXES):
        sandbox.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@dataclass(frozen=True)
class _Words:
    """What is asked of a child, in words for a person."""

    subject: str
    verb: str
    memory: int  # bytes

    def outcome(
        self, answer: Answer, checked: Callable[[bytes], Result]
    ) -> Result | DocumentError:
        """Return the result, or why there is none; raise EndedError where the child failed."""
        head, body = answer
        match head.get("outcome"):
            case "done":
                try:
                    return checked(body)
                except FrameError as error:
                    raise EndedError("crash", f"it answered {error}") from error
            case "refused":
                return _refusal(head)
            case "large":
                return FileTooLargeError(f"{self.subject} holds too many words; split it.")
            case "memory":
                raise EndedError("memory", "it was refused more memory")
            case "failed":
                raise EndedError("crash", _failure(head))
        raise EndedError("crash", "it answered what was not asked")

    def limit(self, reason: Reason, seconds: float) -> ParseLimitError:
        """Return the error for a file that ended a child."""
        if reason == "crash":
            return ParseLimitError(
                f"{self.subject} crashes the reader; it is damaged or not what it says it is; "
                "open it and save it again."
            )
        took = f"took longer than {seconds:.0f} s"
        needs = f"needs more than {self.memory // 2**20} MB of memory"
        return ParseLimitError(
            f"{self.subject} {took if reason == 'time' else needs} to {self.verb}; "
            "split it, or save it again from the program that made it."
        )


def _refusal(head: Mapping[str, object]) -> DocumentError:
    """Return the error that the child raised, if it is one of ours."""
    kinds = {kind.__name__: kind for kind in DocumentError.__subclasses__()}
    kind = kinds.get(str(head.get("error")), DocumentError)
    return kind(printable(str(head.get("sentence")))[:MAX_SENTENCE])


def _failure(head: Mapping[str, object]) -> str:
    """Return the kind and the places of an error that nobody expected."""
    places = head.get("at")
    shown = " ".join(map(str, places[-MAX_PLACES:])) if isinstance(places, list) else ""
    return printable(f"{head.get('error')} at {shown}")[:MAX_SENTENCE]


def _checked_picture(data: bytes) -> bytes:
    if not data.startswith(PNG):
        raise FrameError("a picture that is no PNG")
    return data
