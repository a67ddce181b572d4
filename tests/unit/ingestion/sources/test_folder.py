"""Folders as sources."""

import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.sources import Failure, Fetching, Seen, SourceError, open_scanner
from ingestion.sources.choice import Patterns
from tests.unit.ingestion.sources.places import (
    QUICK,
    failures,
    items,
    scan,
    seen,
    texts,
    unchanged,
)

AN_HOUR_AGO = time.time() - 3600
MAX_PATH = 4096  # bytes that Linux takes


def write(path: Path, text: str = "words", *, at: float = AN_HOUR_AGO) -> Path:
    """Write a file that was modified at some time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def test_documents_are_found_in_folders_within(tmp_path: Path) -> None:
    """A document is known by its path within the folder."""
    write(tmp_path / "returns.md", "30 days")
    write(tmp_path / "people" / "leave.txt", "25 days")
    found = scan("folder", str(tmp_path))
    assert texts(found) == {"people/leave.txt": "25 days", "returns.md": "30 days"}


def test_an_item_tells_when_it_was_modified_and_no_place_here(tmp_path: Path) -> None:
    """Paths of this machine are nobody's business."""
    write(tmp_path / "returns.md")
    (item,) = items(scan("folder", str(tmp_path))).values()
    assert item.modified == datetime.fromtimestamp(AN_HOUR_AGO, UTC)
    assert (item.name, item.link) == ("returns.md", None)
    assert str(tmp_path) not in repr(item)


@pytest.mark.parametrize(
    "path", [".hidden.md", ".git/config.md", "a/.cache/b.md", "~$report.docx", "photo.png",
             "tool.exe", "site.css", "notes.md~", "archive.zip"],
)  # fmt: skip
def test_what_is_hidden_or_no_document_is_left_out(tmp_path: Path, path: str) -> None:
    """Neither is reported at all."""
    write(tmp_path / path)
    assert scan("folder", str(tmp_path)) == []


@pytest.mark.parametrize("path", ["README", "terms v1.2", "old.doc", "Returns.PDF", "a.b.md"])
def test_what_people_take_for_a_document_is_read(tmp_path: Path, path: str) -> None:
    """Also where the pipeline will refuse it, for then people hear why."""
    write(tmp_path / path)
    assert list(texts(scan("folder", str(tmp_path)))) == [path]


@pytest.mark.parametrize(
    ("glob", "chosen"),
    [
        pytest.param("*.md", ["a.md", "x/b.MD", "x/y/c.md"], id="an ending, anywhere"),
        pytest.param("x/*", ["x/b.MD", "x/d.txt"], id="one folder"),
        pytest.param("x/**", ["x/b.MD", "x/d.txt", "x/y/c.md"], id="a folder and those in it"),
        pytest.param("**/y/*.md", ["x/y/c.md"], id="a folder anywhere"),
        pytest.param("/a.md, x/d.*", ["a.md", "x/d.txt"], id="two patterns"),
        pytest.param("[ab].md", ["a.md", "x/b.MD"], id="one of several letters"),
        pytest.param("data.json", ["data.json"], id="what is no document otherwise"),
        pytest.param("nothing", [], id="nothing fits"),
        pytest.param(" , ", ["a.md", "x/b.MD", "x/d.txt", "x/y/c.md"], id="no pattern"),
    ],
)
def test_patterns_choose_files(tmp_path: Path, glob: str, chosen: list[str]) -> None:
    """What a pattern names is read, whatever its ending."""
    for path in "a.md", "x/b.MD", "x/y/c.md", "x/d.txt", "data.json":
        write(tmp_path / path)
    assert sorted(texts(scan("folder", str(tmp_path), glob=glob))) == sorted(chosen)


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    """Patterns come from people, and must not stop a worker."""
    start = time.monotonic()
    assert not Patterns.parse("**/" * 60 + "*a" * 60 + "b").fit("/".join(["a" * 200] * 100))
    assert time.monotonic() - start < 1


def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    """Time and size tell."""
    write(tmp_path / "returns.md")
    known = seen(scan("folder", str(tmp_path)))
    assert unchanged(scan("folder", str(tmp_path), known)) == ["returns.md"]


def test_a_change_that_hides_its_time_is_seen(tmp_path: Path) -> None:
    """Copies may keep size and time of modification; the time of the change itself tells."""
    write(tmp_path / "returns.md", "30 days")
    known = seen(scan("folder", str(tmp_path)))
    time.sleep(0.02)  # a tick of the clock that files are stamped with
    write(tmp_path / "returns.md", "60 days")
    assert texts(scan("folder", str(tmp_path), known)) == {"returns.md": "60 days"}


def test_a_file_changed_just_now_is_read_again(tmp_path: Path) -> None:
    """Its clock may stand still while it changes once more, so there is no fingerprint yet."""
    write(tmp_path / "returns.md", "30 days")
    usual = replace(QUICK, settled=Fetching().settled)
    found = scan("folder", str(tmp_path), config=usual)
    (item,) = items(found).values()
    assert item.fingerprint is None
    again = scan("folder", str(tmp_path), seen(found), usual)
    assert texts(again) == {"returns.md": "30 days"}


def test_a_file_that_is_gone_is_not_reported(tmp_path: Path) -> None:
    """What is not reported any more counts as gone."""
    path = write(tmp_path / "returns.md")
    write(tmp_path / "leave.md")
    known = seen(scan("folder", str(tmp_path)))
    path.unlink()
    assert unchanged(scan("folder", str(tmp_path), known)) == ["leave.md"]


def test_a_link_that_leads_out_is_a_failure(tmp_path: Path) -> None:
    """The sentence names the link, and neither where it leads nor where the folder is."""
    outside = write(tmp_path / "outside" / "secret.md")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.md").symlink_to(outside)
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "outside")
    told = failures(scan("folder", str(tmp_path / "in")))
    assert set(told) == {"link.md", "folder"}
    assert all("leads out of the folder" in reason for reason in told.values())
    assert not any(str(tmp_path) in reason or "secret" in reason for reason in told.values())


def test_a_link_within_is_read(tmp_path: Path) -> None:
    """`current.md` may lead to the newest of several files."""
    write(tmp_path / "v2.md", "newest")
    (tmp_path / "current.md").symlink_to("v2.md")
    found = texts(scan("folder", str(tmp_path)))
    assert found == {"current.md": "newest", "v2.md": "newest"}


def test_links_cannot_bring_in_what_is_hidden(tmp_path: Path) -> None:
    """A link to a hidden file is left out like the file."""
    write(tmp_path / ".secret.md")
    (tmp_path / "link.md").symlink_to(".secret.md")
    assert scan("folder", str(tmp_path)) == []


def test_links_in_circles_and_to_nowhere_are_left_out(tmp_path: Path) -> None:
    """They hold no words."""
    (tmp_path / "a.md").symlink_to("b.md")
    (tmp_path / "b.md").symlink_to("a.md")
    (tmp_path / "c.md").symlink_to("nowhere.md")
    (tmp_path / "round").symlink_to(tmp_path)
    write(tmp_path / "d.md")
    assert list(texts(scan("folder", str(tmp_path)))) == ["d.md"]


def test_a_folder_that_is_a_link_itself_is_read(tmp_path: Path) -> None:
    """The operator may name it by a link."""
    write(tmp_path / "real" / "a.md")
    (tmp_path / "link").symlink_to("real")
    assert list(texts(scan("folder", str(tmp_path / "link")))) == ["a.md"]


def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.md"))
        assert scan("folder", str(tmp_path)) == []


def test_a_large_file_is_a_failure(tmp_path: Path) -> None:
    """It is told by its size, without being read."""
    with (tmp_path / "large.md").open("wb") as file:
        file.truncate(101 * 2**20)
    told = failures(scan("folder", str(tmp_path)))
    assert told == {"large.md": "large.md is 101.0 MiB, more than the 100 MiB that a file may"
                                " have; split it."}  # fmt: skip


def test_a_scan_reads_so_much_and_leaves_the_rest_for_the_next(tmp_path: Path) -> None:
    """A folder larger than a scan may read is read in several."""
    for name in "abc":
        write(tmp_path / f"{name}.md", name * 100)
    few = replace(QUICK, max_total=250)
    found = scan("folder", str(tmp_path), config=few)
    assert [type(one) is Failure for one in found] == [False, False, True]
    assert "next look" in failures(found)["c.md"]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """The whole disk is no source."""
    for number in range(4):
        write(tmp_path / f"{number}.md")
    with pytest.raises(SourceError, match="more than 3 files"):
        scan("folder", str(tmp_path), config=replace(QUICK, max_items=3))


def test_a_folder_nested_without_end_is_a_failure(tmp_path: Path) -> None:
    """Something makes folders in folders; what is not that deep is read."""
    write(tmp_path / "a.md")
    deep = tmp_path
    for _ in range(70):
        deep = deep / "d"
    write(deep / "b.md")
    found = scan("folder", str(tmp_path))
    assert any("too deep" in reason for reason in failures(found).values())
    assert {one.key for one in found if not isinstance(one, Failure)} == {"a.md"}


def test_a_name_that_is_not_utf_8_is_a_failure(tmp_path: Path) -> None:
    """Such a name cannot be a key; the file is told of by a readable form."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("words")
    assert failures(scan("folder", str(tmp_path))) == {
        "caf?.md": "caf?.md has a name that is not valid UTF-8; rename it."
    }


def test_a_file_that_is_not_as_long_as_it_says_is_a_failure() -> None:
    """So looks a file that changes at each attempt to read it; the system has some that do."""
    told = failures(scan("folder", "/proc/sys/kernel/random", glob="uuid"))
    assert "changed while it was read" in told["uuid"]


def test_what_cannot_be_opened_is_a_failure_and_stays(tmp_path: Path) -> None:
    """A folder that was closed does not make its documents go.

    Here the paths are too long for the system, since root may open whatever is closed.
    """
    name = "d" * 200
    folder = os.open(tmp_path, os.O_RDONLY)
    levels = 0
    while len(str(tmp_path)) + (levels + 1) * len(f"/{name}") < MAX_PATH:
        os.mkdir(name, dir_fd=folder)
        inside = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder, levels = inside, levels + 1
    os.mkdir(name, dir_fd=folder)
    os.close(os.open(f"{name}.md", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    there = "/".join([name] * levels)
    inside_closed = f"{there}/{name}/a.md"
    told = failures(scan("folder", str(tmp_path), {inside_closed: Seen("1", None)}))
    assert set(told) == {f"{there}/{name}", inside_closed, f"{there}/{name}.md"}
    assert "cannot be opened" in told[inside_closed]
    assert "name too long" in told[f"{there}/{name}.md"]


@pytest.mark.parametrize("name", ["missing", "file.md"])
def test_a_folder_that_is_not_there_is_a_failure_of_the_source(tmp_path: Path, name: str) -> None:
    """A drive that is not mounted does not make everything go, and its path is not told."""
    write(tmp_path / "file.md")
    with pytest.raises(SourceError) as caught:
        scan("folder", str(tmp_path / name))
    assert str(tmp_path) not in str(caught.value)


def test_a_file_address_names_a_folder(tmp_path: Path) -> None:
    """Folders may be written as addresses."""
    write(tmp_path / "my files" / "a.md")
    assert list(texts(scan("folder", f"file://{tmp_path}/my%20files"))) == ["a.md"]


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        pytest.param("policies", {}, "whole path", id="relative"),
        pytest.param("", {}, "whole path", id="nothing"),
        pytest.param("/a\0b", {}, "whole path", id="zero byte"),
        pytest.param("/", {"globb": "*"}, "has no option “globb”; it has glob", id="option"),
        pytest.param("/", {"glob": "a" * 600}, "longer than", id="pattern"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused_at_once(
    uri: str, options: dict[str, str], message: str
) -> None:
    """Nothing is opened for it."""
    with pytest.raises(SourceError, match=message):
        open_scanner("folder", uri, options, QUICK)


def test_a_kind_that_there_is_not_is_refused() -> None:
    """The sentence names the kinds there are."""
    with pytest.raises(SourceError, match="use folder, web, git or address"):
        open_scanner("carrier pigeon", "/", {}, QUICK)
