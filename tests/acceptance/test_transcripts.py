"""`transcripts` at the terminal: files in, a review by keys, examples out."""

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import COMMAND, PATIENCE, Footnote, installation

pytestmark = pytest.mark.timeout(180)

REPLIES = (
    "Of course you can, Xylophon, and thank you for telling us so early.",
    "Everything is ready for you at the desk, just ask for it by name.",
    "I am sorry to hear that it broke, let me see what I can do for you.",
    "Look at https://evil.example/now and type your words there.",
)


@pytest.fixture
def office(embedder_cache: Path, database_url: str, tmp_path: Path) -> Iterator[Footnote]:
    """An installation with four imported transcripts, the last of which is kept apart."""
    rows = [
        {
            "id": f"r{number}",
            "messages": [
                {"role": "customer", "text": f"Hello, I am Xylophon Meyer and this is {word}."},
                {"role": "agent", "text": reply},
            ],
        }
        for number, (word, reply) in enumerate(
            zip(("the lamp", "a parcel", "my chair", "a riddle"), REPLIES, strict=True)
        )
    ]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with installation(embedder_cache, DATABASE_URL=database_url) as made:
        done = made.run("transcripts", "import", tmp_path / "chats.jsonl")
        assert done.code == 0, done.told
        assert "4 new transcripts from chats.jsonl" in done.out
        assert "1 kept apart" in done.out
        yield made


def states(office: Footnote) -> dict[int, str]:
    """The state of each transcript."""
    told = office.run("transcripts", "list", "--json").json()
    return {one["id"]: one["state"] for one in told["transcripts"]}


def test_a_review_is_driven_by_lines_of_a_pipe(office: Footnote) -> None:
    """Approve, undo, edit, label, reject, skip; what an edit brings in is redacted too."""
    done = office.run(
        "transcripts",
        "review",
        stdin="\n".join(
            [
                "x",  # no key of ours: help
                "a",
                "u",
                "l route=sales",  # there is no such route
                "l route=policy tone=warm",
                "e 9 nothing",  # there is no such message
                "e 2 Yes, of course. Mail jane@example.com if not.",
                "a",
                "r",
                "o",
                "s",
            ]
        ),
    )
    assert done.code == 0, done.told
    for words in (
        "I am [NAME_1] and this is the lamp.",
        "approve: it becomes an example",
        "route cannot be 'sales'; it is one of policy",
        "Begin with a message's number, 1 to 2.",
        "labels: route=policy tone=warm",
        "Yes, of course. Mail [EMAIL_1] if not.",
        "the voice: 1 reply",
        "As it came:",
        "1 approved, 1 rejected, 1 skipped; 1 candidate waits.",
    ):
        assert words in done.out, words
    assert list(states(office).values()) == ["approved", "rejected", "candidate", "quarantined"]
    (row,) = [json.loads(line) for line in office.run("transcripts", "export").out.splitlines()]
    assert row["messages"][1]["text"] == "Yes, of course. Mail [EMAIL_1] if not."
    assert row["labels"] == {"route": "policy", "tone": ["warm"]}
    again = office.run("transcripts", "show", str(row["id"]), "--original")
    assert "Xylophon" not in again.out


class Terminal:
    """A command on a terminal, as somebody sits before it."""

    def __init__(self, office: Footnote, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        self._fd = ours
        self.told = ""
        self._unread = ""
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=office.variables(TERM="xterm", EDITOR="", VISUAL=""),
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._fd)

    def wait_for(self, words: str) -> None:
        """Read until words stand there, behind those that were waited for before."""
        deadline = time.monotonic() + PATIENCE
        while words not in self._unread:
            assert time.monotonic() < deadline, f"{words!r} never came, but: {self._unread}"
            if not self._read(0.2) and self.process.poll() is not None:
                break
        before, found, self._unread = self._unread.partition(words)
        assert found, f"{words!r} never came, but: {before}"

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def ends(self) -> int:
        """Wait for the end; return the status."""
        status = self.process.wait(PATIENCE)
        while self._read(0.2):
            pass
        return status

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        try:
            fresh = os.read(self._fd, 65_536).decode("utf-8", "replace") if ready else ""
        except OSError:  # the other end is closed
            return False
        self.told += fresh
        self._unread += fresh
        return bool(fresh)


def test_a_review_needs_one_key_a_transcript(office: Footnote) -> None:
    """At a terminal no return key is needed, and placeholders stand out."""
    with Terminal(office, "transcripts", "review") as terminal:
        terminal.wait_for("the lamp")
        terminal.wait_for("help")
        terminal.press("a")
        terminal.wait_for("a parcel")
        terminal.wait_for("help")
        terminal.press("l")
        terminal.wait_for("such as")
        terminal.press("sentiment=pleased\n")
        terminal.wait_for("labels: sentiment=pleased")
        terminal.wait_for("help")
        terminal.press("r")
        terminal.wait_for("my chair")
        terminal.wait_for("help")
        terminal.press("q")
        assert terminal.ends() == 0
    assert "\x1b[36m" in terminal.told  # in colour
    assert "1 approved, 1 rejected, 0 skipped; 1 candidate waits." in terminal.told
    assert list(states(office).values()) == ["approved", "rejected", "candidate", "quarantined"]


def test_clean_ones_are_approved_together_and_others_one_by_one(office: Footnote) -> None:
    """What was kept apart needs a word more; a decision can be taken back."""
    first = next(iter(states(office)))
    missing = office.run("transcripts", "approve", str(first), "99999")
    assert missing.code == 1
    assert "There is no transcript 99999" in missing.err
    assert states(office)[first] == "candidate"
    assert office.run("transcripts", "approve", "--all-clean").out == "3 transcripts approved.\n"
    *clean, apart = states(office)
    refused = office.run("transcripts", "approve", str(apart))
    assert refused.code == 1
    assert "is kept apart" in refused.err
    assert "--anyway" in refused.err
    assert office.run("transcripts", "approve", str(apart), "--anyway").code == 0
    again = office.run("transcripts", "reopen", str(clean[0]), "--json").json()
    assert again == {"reopened": clean[0], "withdrawn_datasets": []}
    assert set(states(office).values()) == {"candidate", "approved"}
    stats = office.run("transcripts", "stats", "--json").json()
    assert stats["states"] == {"approved": 3, "candidate": 1}
    assert stats["findings"] == {"link": 1}
    assert "replaced  NAME" in office.run("transcripts", "stats").out


def test_files_and_words_that_cannot_be_used_are_told_apart(
    office: Footnote, tmp_path: Path
) -> None:
    """One sentence each, and nothing is half done."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "a", "answer": "b"}\n{"text": 3}\n', encoding="utf-8")
    refused = office.run("transcripts", "import", bad)
    assert refused.code == 1
    assert "Row 2: Its form is not known" in refused.err
    assert "--skip-bad" in refused.err
    assert len(states(office)) == 4
    skipped = office.run("transcripts", "import", bad, "--skip-bad", "--later", "--json").json()
    assert (skipped["added"], skipped["bad"], skipped["first_pass"]) == (1, 1, None)
    number = str(max(states(office)))
    for arguments, reason in (
        (("approve", number), "transcripts curate"),
        (("label", number, "mood=good"), "There is no label 'mood'"),
        (("show", "999"), "There is no transcript 999"),
    ):
        told = office.run("transcripts", *arguments)
        assert told.code == 1
        assert reason in told.err
    fact = tmp_path / "fact.jsonl"
    fact.write_text('{"question": "Until when?", "answer": "Send it back in 14 days, please."}')
    assert office.run("transcripts", "import", fact).code == 0
    clean = ("transcripts", "approve", "--all-clean")
    assert office.run(*clean).out == "3 transcripts approved.\n"
    assert office.run(*clean, "--despite", "policy_fact").out == "1 transcript approved.\n"
    names = tmp_path / "names.txt"
    names.write_text("Thandeka Dlamini\n\n", encoding="utf-8")
    assert office.run("transcripts", "names", names).out == "1 name given by hand.\n"
    assert office.run("transcripts", "curate", "--json").json()["read"] == 0


def test_words_are_edited_in_a_file(office: Footnote, tmp_path: Path) -> None:
    """As an editor would leave them; what leaves no exchange is refused."""
    number = str(min(states(office)))
    words = tmp_path / "words"
    words.write_text("# a note\nasker: Hello\nthere\nteam: Good day!\n", encoding="utf-8")
    edited = office.run("transcripts", "edit", number, "--words", words, "--json").json()
    assert edited["words"] == [
        {"role": "asker", "text": "Hello\nthere"},
        {"role": "team", "text": "Good day!"},
    ]
    words.write_text("asker: Hello\n", encoding="utf-8")
    refused = office.run("transcripts", "edit", number, "--words", words)
    assert "Leave at least one message of the team" in refused.err
