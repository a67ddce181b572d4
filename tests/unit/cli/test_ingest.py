"""What `ingest` finds, and what it says."""

from pathlib import Path

import click
import pytest

from cli.audience import check_audience
from cli.ingest import find_files, read_name, refuse_one_name_for_many, summary, totals
from core.errors import ConfigurationError, NotFoundError
from ingestion.ingest import NOTHING_GIVEN, Given

DONE = {
    "file": "a.md",
    "document": "a",
    "title": "Returns",
    "version": 2,
    "new_version": True,
    "chunks": 8,
    "embedded": 3,
    "effective_from": "2026-09-01T00:00:00+00:00",
    "hidden_characters": 12,
    "warnings": ["A table was left out."],
}


def test_a_folder_gives_its_files_by_their_place_in_it(tmp_path: Path) -> None:
    """Names are within the folder, never a path of the machine; hidden ones are left out."""
    for name in ("b.md", "sub/a.md", ".git/config", ".hidden.md", "sub/.DS_Store"):
        path = tmp_path / "policies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", "utf-8")

    found = list(find_files([tmp_path / "policies"]))

    assert [name for _, name in found] == ["b.md", "sub/a.md"]


def test_a_file_is_called_by_its_own_name(tmp_path: Path) -> None:
    """The folders above it do not matter."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.md").write_text("x", "utf-8")

    assert [name for _, name in find_files([tmp_path / "deep" / "a.md"])] == ["a.md"]


def test_a_file_that_is_named_is_taken_even_if_hidden(tmp_path: Path) -> None:
    """Who names a file wants that file."""
    (tmp_path / ".policy.md").write_text("x", "utf-8")

    assert [name for _, name in find_files([tmp_path / ".policy.md"])] == [".policy.md"]


def test_nothing_to_ingest_is_told(tmp_path: Path) -> None:
    """A missing path and a folder without files are named."""
    with pytest.raises(NotFoundError, match=r"gone\.md is not there"):
        list(find_files([tmp_path / "gone.md"]))
    with pytest.raises(NotFoundError, match="holds no files"):
        list(find_files([tmp_path]))


def test_each_file_has_its_line() -> None:
    """New, unchanged and refused look different; warnings stand below."""
    first, *below = summary(DONE).splitlines()
    assert first.startswith("  ✓ a.md: version 2 of Returns, in force from 2026-09-01, 8 passages")
    assert below[0] == "      A table was left out."
    assert "12 characters" in below[1]
    same = DONE | {"new_version": False}
    assert summary(same) == "  = a.md: reads the same as version 2"
    assert summary({"file": "b.exe", "error": "b.exe is a program."}) == "  ✗ b.exe is a program."


def test_the_sum_counts_every_file_once() -> None:
    """Refused files are told only where there are any."""
    same, refused = DONE | {"new_version": False}, {"file": "b.exe", "error": "x"}

    assert totals([DONE, same]) == "2 files: 1 new, 1 unchanged"
    assert totals([DONE, same, refused]) == "3 files: 1 new, 1 unchanged, 1 refused"


@pytest.mark.parametrize("principal", ["everyone", "external", "channel:C1", "group:S1"])
def test_known_principals_are_taken(principal: str) -> None:
    """The kinds that documents may be for."""
    check_audience([principal])


@pytest.mark.parametrize("principal", ["all", "channel", "channel:", "user:U1", "", "Everyone"])
def test_other_principals_are_refused(principal: str) -> None:
    """A misspelt audience would hide a document from everybody."""
    with pytest.raises(click.BadParameter, match="everyone"):
        check_audience([principal])


def test_what_a_version_changed_is_told_below_its_line() -> None:
    """Section by section, with how many more there are where only some are kept."""
    changes = [{"summary": "Sale items (14 → 30 days)"}, {"summary": "Faulty goods (wording)"}]

    told = summary(DONE | {"changes": changes, "sections_changed": 60}).splitlines()

    assert (
        told[1] == "      changed: Sale items (14 → 30 days), Faulty goods (wording) and 58 more"
    )
    assert "changed" not in summary(DONE | {"changes": [], "sections_changed": 0})


@pytest.mark.parametrize("given", [Given(document="returns"), Given(title="Returns")])
def test_one_name_is_for_one_file(given: Given) -> None:
    """Several files with one key would be versions of each other by accident."""
    refuse_one_name_for_many(given, ["a.md"])
    refuse_one_name_for_many(NOTHING_GIVEN, ["a.md", "b.md"])
    with pytest.raises(ConfigurationError, match=r"these are 2 files; give one at a time"):
        refuse_one_name_for_many(given, ["a.md", "b.md"])


def test_a_name_is_read_as_a_file_s_own() -> None:
    """On one line, of what can be seen; one of nothing is refused."""
    assert read_name("--title", " Leave\n\x1bpolicy\u200b ") == "Leave policy"
    assert read_name("--title", None) is None
    assert len(read_name("--title", "x" * 10_000) or "") == 500
    with pytest.raises(ConfigurationError, match="--document is empty"):
        read_name("--document", " \u200b ")
