import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from ingestion import sandbox_documents
from ingestion.errors import DocumentError, TooComplexError
from ingestion.parse import parse
from ingestion.sandbox import LIMITS, Limits, ParseLimitError, Sandbox, SandboxError
from ingestion.sandbox_frames import FrameError, read_frame, write_frame
from store.documents import Block, ParsedDocument, SourceRun
from tests.unit.ingestion.sandbox_entries import PNG, said

ENTRIES = "tests.unit.ingestion.sandbox_entries"
NAME = "/srv/secret/bomb.pdf"
POLICY = b"""---
title: Returns
document: returns
effective_from: 2026-01-01
effective_to: 2027-01-01
owner: Support
link: https://example.com/returns
titel: ignored
---
# Returns

You may return goods within **30 days** \xe2\x80\x93 of delivery, caf\xc3\xa9 \xf0\x9f\x98\x80.

- by post
  - with a label
"""
FORKING = """
import os, sys
from ingestion.sandbox import Sandbox
sandbox = Sandbox(parser=sys.argv[1])
own = sandbox.parse("a", b"process").text
read, write = os.pipe()
if not os.fork():
    os.write(write, sandbox.parse("a", b"process").text.encode())
    sandbox.close()
    os._exit(0)
os.wait()
print(own, os.read(read, 100).decode(), sandbox.parse("a", b"process").text)
"""
WAITING = """
import sys
from ingestion.sandbox import Sandbox
sandbox = Sandbox(parser=sys.argv[1])
print(sandbox.parse("a", b"process").text, flush=True)
sandbox.parse("a", sys.argv[2].encode()) if sys.argv[2] else sys.stdin.read()
"""

IN_A_THREAD = """
import sys, threading
from ingestion.sandbox import Limits, Sandbox
sandbox = Sandbox(Limits(seconds=0.5), parser=sys.argv[1])
def read():
    print(sandbox.parse("a", b"process").text, flush=True)
    sandbox.parse("a", sys.argv[2].encode())
thread = threading.Thread(target=read)
thread.start()
thread.join()
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these limits")


def acting(limits: Limits = LIMITS) -> Sandbox:
    """A sandbox whose child does what the file says."""
    return Sandbox(limits, parser=f"{ENTRIES}:parse", painter=f"{ENTRIES}:page_picture")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with the real parser."""
    with Sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def actor() -> Iterator[Sandbox]:
    """A sandbox whose child does what the file says, with short limits."""
    with acting(Limits(seconds=1.5, memory=200 * 2**20)) as made:
        yield made


def child_of(sandbox: Sandbox) -> int:
    """The process that reads for `sandbox` now."""
    return int(sandbox.parse("a", b"process").text)


def gone(pid: int, patience: float = 5.0) -> bool:
    """Whether a process ends within some seconds."""
    until = time.monotonic() + patience
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_document_is_the_one_that_the_parser_returns(sandbox: Sandbox) -> None:
    """Title, text, blocks, places, dates and warnings come out as they are read in-process."""
    assert sandbox.parse("returns.md", POLICY) == parse("returns.md", POLICY)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("folder/empty.md", b""),
        ("blank.md", b" \n"),
        ("archive.zip", b"PK\x03\x04 nothing"),
        ("program.txt", b"\x7fELF\x00\x00"),
        ("dated.md", b"---\neffective_from: soon\n---\nWords."),
        ("deep.md", b"> " * 1000 + b"words"),
        ("wide\nname\x1b[31m.zip", b"PK\x03\x04"),
        ("\udcff" + "long" * 100 + ".zip", b"PK\x03\x04"),
    ],
)
def test_refusals_are_those_of_the_parser(sandbox: Sandbox, name: str, data: bytes) -> None:
    """A file that is refused raises the same error with the same sentence."""
    with pytest.raises(DocumentError) as expected:
        parse(name, data)
    with pytest.raises(DocumentError) as raised:
        sandbox.parse(name, data)
    assert type(raised.value) is type(expected.value)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("allocate", "needs more than 200 MB of memory to read; split it"),
        pytest.param("allocate at once", "needs more than 200 MB of memory", marks=linux_only),
        ("hang", "took longer than 2 s to read; split it"),
        ("compute", "took longer than 2 s to read; split it"),
        ("crash", "crashes the reader; it is damaged or not what it says it is; open it"),
        ("raise", "crashes the reader"),
        ("end", "crashes the reader"),
        ("exit", "crashes the reader"),
        pytest.param("orphan", "crashes the reader", marks=linux_only),
    ],
)
def test_file_that_ends_its_reader_is_refused(actor: Sandbox, action: str, sentence: str) -> None:
    """A file that takes too much or crashes its reader is refused by name; the next is read."""
    with pytest.raises(ParseLimitError) as refusal:
        actor.parse(NAME, action.encode())
    assert str(refusal.value).startswith(f"bomb.pdf {sentence}")
    assert str(refusal.value).endswith(".")
    assert actor.parse("next.md", b"words").text == "next.md: words"


def test_failure_is_logged_by_place_without_words_of_the_file(actor: Sandbox) -> None:
    """The log names the kind and the place of an unexpected error, not its message."""
    with capture_logs() as logs, pytest.raises(ParseLimitError):
        actor.parse("a.md", b"raise")
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert logs[0]["how"].startswith("KeyError at ")
    assert "sandbox_entries.py:" in logs[0]["how"]
    assert "words" not in str(logs)


def test_prints_of_a_library_lead_nowhere(
    actor: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a parser prints neither spoils its answer nor reaches the terminal."""
    assert actor.parse("a.md", b"print").text == "done"
    assert actor.parse("b.md", b"words").text == "b.md: words"
    assert "print" not in "".join(capfd.readouterr())


def test_child_has_nothing_of_the_parents_surroundings(actor: Sandbox) -> None:
    """The child's environment holds a few fixed variables alone, and its folder is nobody's."""
    allowed = {
        "PYTHONPATH", "PYTHONUTF8", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
        "MALLOC_ARENA_MAX", "SYSTEMROOT", "LD_LIBRARY_PATH", "LC_CTYPE",
    }  # fmt: skip
    assert set(actor.parse("a", b"environment").text.split()) <= allowed
    assert actor.parse("a", b"folder").text == Path(sys.executable).anchor


@linux_only
def test_child_has_hard_limits_and_few_open_files(actor: Sandbox) -> None:
    """Cores and files cannot be written, few can be opened, and none of the parent's is open."""
    with Path(__file__).open("rb") as stream:
        os.set_inheritable(stream.fileno(), True)
        actor.close()
        assert actor.parse("a", b"limits").text == "0 0 64"
        assert actor.parse("a", b"write").text == "OSError"
        # Nowhere three times, the two pipes, and the folder that is listed.
        assert len(actor.parse("a", b"open files").text.split()) <= 6


def test_child_is_used_again_and_replaced_after_its_number_of_files() -> None:
    """One process reads several files; a fresh one follows after `files` of them."""
    with acting(Limits(files=3)) as sandbox:
        pids = [child_of(sandbox) for _ in range(5)]
    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4]
    assert gone(pids[0])
    assert gone(pids[3])


def test_child_that_holds_much_after_a_file_is_replaced() -> None:
    """A process that kept memory reads no further file."""
    with acting(Limits(weary_memory=120 * 2**20)) as sandbox:
        first = child_of(sandbox)
        sandbox.parse("a", b"keep")
        assert child_of(sandbox) != first


def test_crash_in_a_used_child_is_not_held_against_the_file() -> None:
    """A file whose reader ends after other files is tried once more in a fresh process."""
    with acting() as sandbox:
        used = child_of(sandbox)
        text = sandbox.parse("a", b"only as the first").text
        assert text.startswith("first in ")
        assert text != f"first in {used}"


def test_child_that_died_between_two_files_is_replaced(actor: Sandbox) -> None:
    """A process that was killed while it waited costs no file."""
    psutil.Process(child_of(actor)).kill()
    assert actor.parse("a.md", b"words").text == "a.md: words"


def test_threads_share_one_child(actor: Sandbox) -> None:
    """Threads that read at the same time each get their own file's words."""
    names = [f"{number}.md" for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda name: actor.parse(name, b"words").text, names))
    assert texts == [f"{name}: words" for name in names]


def test_interrupt_ends_the_child_and_goes_on_to_the_caller() -> None:
    """Ctrl-C while a file is read is not swallowed, and leaves no answer for the next file."""
    with acting() as sandbox:
        first = child_of(sandbox)
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            sandbox.parse("a", b"hang")
        timer.join()
        assert gone(first)
        assert sandbox.parse("b.md", b"words").text == "b.md: words"


def test_closing_ends_the_child_and_the_next_file_starts_another() -> None:
    """Closing twice is no harm, and a closed sandbox still reads."""
    sandbox = acting()
    sandbox.close()
    first = child_of(sandbox)
    sandbox.close()
    sandbox.close()
    assert gone(first)
    assert child_of(sandbox) != first
    sandbox.close()


def test_sandbox_that_is_let_go_ends_its_child() -> None:
    """Nobody has to close a sandbox for its process to end."""
    sandbox = acting()
    pid = child_of(sandbox)
    del sandbox
    assert gone(pid)


def test_child_that_cannot_start_is_not_the_files_fault() -> None:
    """Without a reader the error says so and is none of a document's."""
    with (
        Sandbox(parser="ingestion.nothing:parse") as sandbox,
        pytest.raises(SandboxError, match=r"does not start; .* try again\."),
    ):
        sandbox.parse("a.md", b"words")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_process_has_a_child_of_its_own() -> None:
    """A process forked from one with a sandbox starts a child; the first one keeps its own."""
    own, forked, own_after = _run(FORKING).split()
    assert own == own_after
    assert forked != own


@pytest.mark.parametrize(
    ("script", "action"),
    [
        pytest.param(WAITING, "", id="between files"),
        pytest.param(WAITING, "hang", id="in a file", marks=linux_only),
        pytest.param(IN_A_THREAD, "hang", id="in a file read by a thread"),
    ],
)
def test_child_ends_with_a_parent_that_is_killed(script: str, action: str) -> None:
    """No reader is left behind by a process that was killed, also in the middle of a file."""
    with _started(script, action) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        time.sleep(0.2)
        process.kill()
        assert gone(pid)


def test_picture_is_drawn_by_the_child(actor: Sandbox) -> None:
    """What is asked for reaches what draws, and its PNG comes back."""
    drawn = actor.page_picture(b"a file", 3, [(1, 5)], width=640, crop=True, name="f/a.pdf")
    assert drawn == PNG + b"a file 3 [(1, 5)] 640 True a.pdf"


def test_picture_is_refused_like_a_file(actor: Sandbox) -> None:
    """A page that is refused says why; what is no picture is not handed on."""
    with pytest.raises(
        TooComplexError, match=r"Page 2 of The document is too much; draw it by hand\."
    ):
        actor.page_picture(b"refused", 2, [])
    with pytest.raises(ParseLimitError, match=r"Page 2 of a\.pdf crashes the reader"):
        actor.page_picture(b"script", 2, [], name="a.pdf")


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (b"words", 9.0),
        (b"%PDF-1.7", 9.0),
        (b"w" * 4 * 2**20, 20.0),
        (b"%PDF-" + b"w" * 2**20, 40.0),
        (b"PK\x03\x04" + b"w" * 2**20, 40.0),
        (b"%PDF-" + b"w" * 8 * 2**20, 120.0),
    ],
)
def test_larger_files_may_take_longer(data: bytes, seconds: float) -> None:
    """A small file has 9 s, a large one more by its size and kind, none more than two minutes."""
    assert LIMITS.seconds_for(data) == pytest.approx(seconds, abs=0.01)


def _good() -> dict[str, object]:
    document: dict[str, object] = json.loads(sandbox_documents.document_to_json(said("Words.")))
    return document


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"title": ""}, id="no title"),
        pytest.param({"title": "T" * 10_001}, id="title without end"),
        pytest.param({"title": 7}, id="title that is a number"),
        pytest.param({"text": "W\x00rds."}, id="zero character"),
        pytest.param({"text": "Word"}, id="block behind the end"),
        pytest.param({"text": None}, id="no text"),
        pytest.param({"blocks": []}, id="no block"),
        pytest.param({"blocks": [{"kind": "script", "start": 0, "end": 2}]}, id="unknown kind"),
        pytest.param({"blocks": [{"kind": "code", "start": -1, "end": 2}]}, id="before the start"),
        pytest.param({"blocks": [{"kind": "code", "start": 2, "end": 2}]}, id="empty block"),
        pytest.param({"blocks": [{"kind": "code", "start": "0", "end": 2}]}, id="letters"),
        pytest.param({"blocks": [{"kind": "code", "start": 0.0, "end": 2}]}, id="fraction"),
        pytest.param(
            {"blocks": [{"kind": "code", "start": 0, "end": 3}] * 2}, id="blocks that overlap"
        ),
        pytest.param({"blocks": [{"kind": "code", "start": 0, "end": 2, "page": 0}]}, id="page 0"),
        pytest.param(
            {"blocks": [{"kind": "code", "start": 0, "end": 2, "level": 10**9}]}, id="level"
        ),
        pytest.param(
            {"blocks": [{"kind": "code", "start": 0, "end": 2, "heading_path": ["\x00"]}]},
            id="heading",
        ),
        pytest.param(
            {"source_map": [{"start": 0, "source_start": 0, "length": 7}]}, id="run behind the end"
        ),
        pytest.param(
            {"source_map": [{"start": 0, "source_start": -1, "length": 2}]}, id="place before 0"
        ),
        pytest.param(
            {"source_map": [{"start": 0, "source_start": 2**31, "length": 2}]}, id="place too far"
        ),
        pytest.param({"effective_from": "2026-01-01T00:00:00"}, id="date without a zone"),
        pytest.param({"effective_from": 1767225600}, id="date that is a number"),
        pytest.param(
            {
                "effective_from": "2026-01-01T00:00:00+00:00",
                "effective_to": "2025-01-01T00:00:00+00:00",
            },
            id="dates in the wrong order",
        ),
        pytest.param({"link": ["a"]}, id="link that is a list"),
        pytest.param({"hidden_characters": -1}, id="fewer than none hidden"),
        pytest.param({"hidden_characters": True}, id="true characters"),
        pytest.param({"warnings": ["w"] * 1_001}, id="too many warnings"),
    ],
)
def test_document_that_cannot_be_is_not_believed(lie: dict[str, object]) -> None:
    """An answer that the rest of the product could not rely on is turned away."""
    with pytest.raises(FrameError):
        sandbox_documents.document_from_json(json.dumps({**_good(), **lie}).encode())


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"title": "\\ud800"}']
)
def test_answer_that_is_no_document_is_not_believed(data: bytes) -> None:
    """What is no JSON, or JSON of something else, is turned away."""
    with pytest.raises(FrameError):
        sandbox_documents.document_from_json(data)


def test_document_comes_through_json_unchanged() -> None:
    """Letters beyond the first plane keep their offsets."""
    document = ParsedDocument(
        "Title",
        "😀 words",
        (Block("heading", 0, 1, 1), Block("list_item", 2, 7, 3, ("😀",), 12)),
        (SourceRun(0, 5, 1), SourceRun(2, 9, 5)),
        hidden_characters=3,
        warnings=("“quoted”",),
    )
    written = sandbox_documents.document_to_json(document)
    assert sandbox_documents.document_from_json(written) == document


class Trickle:
    """A stream that takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: memoryview, /) -> int:
        """Take the first three bytes."""
        self.taken += data[:3]
        return len(data[:3])


def test_frame_comes_through_a_pipe_that_takes_little() -> None:
    """A frame is whole however it was cut on the way."""
    stream = Trickle()
    write_frame(stream, {"a": "é"}, b"\x00bytes")
    assert read_frame(BytesIO(stream.taken), 100) == ({"a": "é"}, b"\x00bytes")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(b"\x00", id="cut sizes"),
        pytest.param(b"\x00\x00\x00\x02" + bytes(8) + b"{", id="cut head"),
        pytest.param(b"\x00\x00\x00\x02" + bytes(7) + b"\x05{}abc", id="cut body"),
        pytest.param(b"\xff" * 12, id="endless"),
        pytest.param(b"\x00\x00\x00\x02" + bytes(7) + b"\x65{}" + bytes(101), id="large body"),
        pytest.param(b"\x00\x00\x00\x02" + bytes(8) + b"[]", id="list"),
        pytest.param(b"\x00\x00\x00\x02" + bytes(8) + b"{a", id="no JSON"),
    ],
)
def test_frame_that_is_none_is_turned_away(told: bytes) -> None:
    """Sizes are looked at before anything is read; a frame that ends early is an error."""
    with pytest.raises(FrameError):
        read_frame(BytesIO(told), 100)


def test_end_of_the_stream_is_no_frame() -> None:
    """A stream that ends between two frames ends well."""
    assert read_frame(BytesIO(b""), 100) is None


def _run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, f"{ENTRIES}:parse"],
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
    )
    return done.stdout


@contextmanager
def _started(script: str, action: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, "-c", script, f"{ENTRIES}:parse", action],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield process
