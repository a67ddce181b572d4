"""A document's life at the terminal: versions, what they changed, deleted, brought back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.processes import COMMAND, PATIENCE, Footnote, installation, wait_until

PARKING = """\
---
title: Parking policy
document: parking
effective_from: {since}
---

# Parking policy

## Bicycles

Bicycles may stand behind building C for up to {days} days.

## Cars

{cars}
"""
CARS = "Cars need a permit from the front desk."
QUESTION = "How many days may bicycles stand behind building C?"


@pytest.fixture
def footnote(embedder_cache: Path, database_url: str) -> Iterator[Footnote]:
    """An installation with two versions of one policy."""
    with installation(embedder_cache, DATABASE_URL=database_url) as made:
        folder = made.home / "policies"
        folder.mkdir()
        (folder / "1.md").write_text(PARKING.format(since="2025-01-01", days=3, cars=CARS))
        outside = "Cars stay outside the gate."
        (folder / "2.md").write_text(PARKING.format(since="2026-01-01", days=14, cars=outside))
        done = made.run("ingest", folder, "--author", "Ann")
        assert done.code == 0, done.told
        yield made


def documents(footnote: Footnote, *arguments: str) -> Any:
    """Run one of the commands on documents with --json; return what it printed."""
    done = footnote.run("documents", *arguments, "--json")
    assert done.code == 0, done.told
    return done.json()


def answered(footnote: Footnote) -> tuple[str, str]:
    """Ask how long bicycles may stand; return the answer's outcome and its words."""
    answer = footnote.run("ask", QUESTION, "--json").json()
    return answer["outcome"], answer["answer"]


def test_what_changed_is_told_when_it_comes_and_later(footnote: Footnote) -> None:
    """By ingest, by diff and by history; show has a version's dates and words."""
    file = footnote.home / "later.md"
    file.write_text(PARKING.format(since="2026-01-01", days=30, cars=CARS), "utf-8")
    told = footnote.run(
        "ingest", file, "--effective-from", "2099-01-01", "--title", "Parking rules"
    ).told
    assert "version 3 of Parking rules, in force from 2099-01-01" in told
    assert "changed: Bicycles (14 → 30 days), Cars (wording)" in told

    diff = footnote.run("documents", "diff", "parking").out
    assert "v1 → v2, in force since 2026-01-01" in diff
    assert "Bicycles (3 → 14 days)\n  - Bicycles may stand behind building C for up to 3" in diff
    assert "v2 → v3, in force from 2099-01-01" in diff
    assert "\x1b" not in diff
    (chosen,) = documents(footnote, "diff", "parking", "--from", "1", "--to", "3")["comparisons"]
    assert [change["summary"] for change in chosen["changes"]] == ["Bicycles (3 → 30 days)"]

    rows = documents(footnote, "history", "parking policy")["history"]
    assert [(row["version"], row["in_force"], row["author"]) for row in rows[1:]] == [
        (2, True, "Ann"),
        (1, False, "Ann"),
    ]
    assert rows[0]["author"].startswith("terminal (")
    assert rows[1]["changes"] == ["Bicycles (3 → 14 days)", "Cars (wording)"]

    shown = documents(footnote, "show", "parking", "--as-of", "2025-06-01", "--text")
    assert (shown["shown"]["version"], shown["in_force"]) == (1, True)
    assert CARS in shown["shown"]["text"]


def test_a_deleted_document_answers_no_more_and_what_quoted_it_opens(footnote: Footnote) -> None:
    """It needs a yes; a trace and the page show the old words; then it is brought back whole."""
    first = footnote.run("ask", QUESTION, "--json").json()
    (citation,) = first["claims"][0]["citations"]
    assert "14 days" in citation["quote"]
    refused = footnote.run("documents", "delete", "parking")
    assert (refused.code, "add --yes" in refused.err) == (1, True)

    assert documents(footnote, "delete", "parking", "--yes")["deleted"] is True

    assert answered(footnote)[0] == "refused"
    assert citation["quote"] in footnote.run("trace", first["id"], "--json").json()["answer"]
    assert "up to 14 days" in page_of(footnote, citation["link"])
    (listed,) = documents(footnote, "list", "--all")["documents"]
    assert listed["deleted_by"].startswith("terminal (")

    assert documents(footnote, "restore", "parking")["in_force"] is True
    outcome, words = answered(footnote)
    assert (outcome, "14 days" in words) == ("answered", True)


def page_of(footnote: Footnote, link: str) -> str:
    """Open a citation's link on the page, and return what it shows."""
    port = int(footnote.environment["FOOTNOTE_PORT"])
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def is_open() -> bool:
        with suppress(ConnectionRefusedError):
            connection.connect()
            return True
        return False

    running = footnote.start("web")
    try:
        wait_until(is_open)
        connection.request("GET", urlsplit(link).path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
        running.stop()


def test_an_earlier_version_s_words_count_again(footnote: Footnote) -> None:
    """As a new version that says whose words it has; what it replaced stays in the history."""
    restored = documents(footnote, "restore", "parking", "--version", "1")
    assert (restored["restored_as"], restored["version"], restored["in_force"]) == (3, 3, True)

    outcome, words = answered(footnote)
    assert (outcome, "3 days" in words) == ("answered", True)
    told = footnote.run("documents", "history", "parking").out
    assert "words of v1" in told
    assert "Bicycles (14 → 3 days), Cars (wording)" in told
    later = footnote.run(
        "documents", "restore", "parking", "--version", "2", "--effective-from", "2099-01-01"
    )
    assert "in force from 2099-01-01" in later.out
    assert "Version 3 is in force now." in later.out


def test_a_document_that_cannot_be_meant_is_told(footnote: Footnote) -> None:
    """An unknown one with the nearest name, a title of two with both keys, a missing version."""
    other = footnote.home / "other.md"
    other.write_text(PARKING.format(since="2026-01-01", days=5, cars=CARS), "utf-8")
    footnote.run("ingest", other, "--document", "annex/parking")

    unknown = footnote.run("documents", "show", "parkin")
    twice = footnote.run("documents", "delete", "Parking policy", "--yes")
    missing = footnote.run("documents", "show", "parking", "--version", "7")

    assert {unknown.code, twice.code, missing.code} == {1}
    assert "There is no document parkin; did you mean parking?" in unknown.err
    assert "name one by its key: parking, annex/parking." in twice.err
    assert "Parking policy has no version 7; there is 1, 2." in missing.err


@pytest.mark.skipif(sys.platform == "win32", reason="opens a POSIX terminal")
def test_a_person_is_asked_before_a_document_is_deleted(footnote: Footnote) -> None:
    """At a terminal, with the number of versions; only a yes deletes it."""
    for said, left in (("n", 1), ("y", 0)):
        asked = at_a_terminal(footnote, said, "documents", "delete", "parking")
        assert b"Delete Parking policy (parking), 2 versions?" in asked
        assert len(documents(footnote)["documents"]) == left


def at_a_terminal(footnote: Footnote, said: str, *arguments: str) -> bytes:
    """Run a command whose input is a terminal; return what it told beside its result."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{said}\n".encode())
        return subprocess.run(
            [*COMMAND, *arguments],
            stdin=theirs,
            capture_output=True,
            env=footnote.variables(),
            timeout=PATIENCE,
            check=False,
        ).stderr
    finally:
        os.close(theirs)
        os.close(ours)
