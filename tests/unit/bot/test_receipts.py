"""What is said of shared files, within Slack's limits."""

from typing import Any

from bot.blocks import BLOCKS_LIMIT, MESSAGE_LIMIT, size
from bot.incoming import FILES_LIMIT, Shared
from bot.receipts import receipt
from ingestion.uploads import FileState
from tests.acceptance.slack_face import links

REPORT: dict[str, Any] = {
    "file": "returns.md",
    "title": "Returns policy",
    "version": 2,
    "version_id": 7,
    "new_version": True,
    "chunks": 8,
    "embedded": 3,
    "effective_from": "2026-12-01T00:00:00+00:00",
    "hidden_characters": 0,
    "warnings": [],
}


def done(name: str = "returns.md", **changes: Any) -> FileState:
    """A file that was read."""
    return FileState(name, "succeeded", report=REPORT | {"file": name} | changes)


def shown(value: Any) -> str:
    """The words of blocks, run together."""
    if isinstance(value, list | tuple):
        return "|".join(map(shown, value))
    if not isinstance(value, dict):
        return ""
    own = value["text"] if isinstance(value.get("text"), str) else ""
    return own + "".join(shown(item) for item in value.values() if isinstance(item, list))


def test_files_under_way_are_named() -> None:
    """Those still to be fetched as well as those that are read, with how far that is."""
    reading = FileState("a.md", "running", done=12, total=40)
    message = receipt([reading], [Shared("F2", "b.pdf")], None)
    assert message.text == "Reading a.md, b.pdf…"
    assert "a.md: 12 of 40 new passages embedded" in shown(message.blocks)


def test_what_has_ended_is_told_while_others_are_read() -> None:
    """Nobody waits for the slowest file to hear of the first."""
    message = receipt([done(), FileState("b.md", "queued")], (), None)
    assert message.text == "Reading b.md…"
    assert "✓ returns.md: version 2 of Returns policy" in shown(message.blocks)


def test_a_new_version_links_to_its_page_where_people_can_reach_it() -> None:
    """Neither a version that reads the same nor an address of this machine is a link."""
    page = "https://policies.example.com"
    assert links(receipt([done()], (), page).blocks) == [f"{page}/documents/7"]
    assert links(receipt([done(new_version=False)], (), page).blocks) == []
    assert links(receipt([done()], (), "http://127.0.0.1:8400").blocks) == []
    assert links(receipt([done()], (), None).blocks) == []


def test_names_and_titles_are_literal() -> None:
    """A file cannot address anybody or make a link."""
    name = "<!channel> <https://evil.example|x>.md"
    for message in (
        receipt([], [Shared("F1", name)], None),
        receipt([done(name, title=name)], (), None),
        receipt([FileState(name, "failed", error=f"{name} is a program.")], (), None),
    ):
        assert "<" not in message.text
        assert "mrkdwn" not in str(message.blocks)
        assert links(message.blocks) == []


def test_an_error_that_names_no_file_gets_its_name() -> None:
    """As when a worker was ended again and again."""
    file = FileState("a.md", "failed", error="The process that ran this was ended three times.")
    assert shown(receipt([file], (), None).blocks).startswith("✗ a.md: The process")


def test_the_longest_outcome_fits_one_message() -> None:
    """Notes go first: the message is changed in place, so there is room in one only."""
    long = "& < wording " * 60
    changes = [{"summary": long, "section": [], "kind": "changed"}] * 50
    files = [
        done("&" * 80, title=long, warnings=[long] * 40, changes=changes)
        for _ in range(FILES_LIMIT)
    ]
    message = receipt(files, (), "https://policies.example.com")
    assert sum(map(size, message.blocks)) <= MESSAGE_LIMIT
    assert len(message.blocks) <= BLOCKS_LIMIT
    assert shown(message.blocks).count("✓") == FILES_LIMIT
    assert len(message.text.encode()) <= 4_000


def test_an_upload_without_files_is_told_as_such() -> None:
    """Its jobs may have been removed before anybody was told."""
    assert "share them again" in receipt([], (), None).text
