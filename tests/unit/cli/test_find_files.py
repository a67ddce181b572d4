"""Which files `ingest` takes, and which it leaves out or refuses before reading on."""

import os
import sys
from pathlib import Path

import pytest

from cli.ingest import find_files, summary, unnamed_twins
from core.errors import NotFoundError

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def written(path: Path, words: str = "# Rules\n\nBe kind.") -> Path:
    """Write a file with its folders; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, "utf-8")
    return path


@posix
def test_links_out_of_the_folder_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Linked files and folders outside are told and not taken; a link inside is."""
    inside = written(tmp_path / "given" / "rules.md")
    outside = written(tmp_path / "other" / "secret.md")
    (inside.parent / "file.md").symlink_to(outside)
    (inside.parent / "folder").symlink_to(outside.parent)
    (inside.parent / "same.md").symlink_to(inside)

    names = [name for _, name in find_files([inside.parent])]

    told = capsys.readouterr().err
    assert names == ["rules.md", "same.md"]
    assert told.count("leads out of") == 2
    assert "file.md" in told
    assert "folder" in told


@posix
def test_a_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    """What was named is taken, wherever it leads."""
    written(tmp_path / "real" / "rules.md")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert [name for _, name in find_files([tmp_path / "link"])] == ["rules.md"]


@posix
def test_what_is_neither_file_nor_folder_is_told(tmp_path: Path) -> None:
    """A pipe is there, but nothing to ingest."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFoundError, match="is not a file or a folder"):
        list(find_files([tmp_path / "pipe"]))


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The sentence names the path."""
    with pytest.raises(NotFoundError, match=r"nowhere\.md is not there"):
        list(find_files([tmp_path / "nowhere.md"]))


def test_files_of_one_name_are_no_versions_of_each_other(tmp_path: Path) -> None:
    """The later is refused by a sentence that names both paths and the way out."""
    first, later = written(tmp_path / "a" / "index.md"), written(tmp_path / "b" / "index.md")
    refused = unnamed_twins(list(find_files([first.parent, later.parent])))
    assert list(refused) == [later]
    assert all(str(path) in refused[later]["error"] for path in (first, later))
    assert "document:" in refused[later]["error"]


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(("a", "b"), id="both name their document"),
        pytest.param(("a",), id="the first does"),
        pytest.param(("b",), id="the later does"),
    ],
)
def test_files_that_name_their_document_may_share_a_name(
    named: tuple[str, ...], tmp_path: Path
) -> None:
    """Front matter says what they are versions of."""
    for folder in ("a", "b"):
        head = "---\ndocument: rules\n---\n" if folder in named else ""
        written(tmp_path / folder / "index.md", f"{head}# Rules\n\nBe kind.")
    assert unnamed_twins(list(find_files([tmp_path / "a", tmp_path / "b"]))) == {}


def test_a_file_given_twice_is_not_refused(tmp_path: Path) -> None:
    """It reads the same the second time."""
    path = written(tmp_path / "a" / "index.md")
    assert unnamed_twins(list(find_files([path, path.parent]))) == {}


def test_a_new_version_s_line_counts_its_passages() -> None:
    """One passage is counted as one, and that nothing was embedded anew is no failure."""
    line = summary(
        {
            "file": "a.md",
            "title": "A",
            "version": 2,
            "new_version": True,
            "chunks": 1,
            "embedded": 0,
            "effective_from": "2026-09-01T00:00:00+00:00",
            "hidden_characters": 0,
            "warnings": [],
            "audience_now": ["group:BOARD"],
        }
    )
    assert line.endswith("1 passage, 0 newly embedded; audience now group:BOARD")
