"""A Slack channel as a source: what is pinned and shared in it, over real HTTP."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job
from ingestion.sources import Failure, Item, Seen, SourceError, Unchanged
from ingestion.sources.slack import SlackScanner
from ingestion.watch import look
from store.documents import read_versions
from store.source_items import known_items
from store.sources import NewSource, add_source
from tests.fakes.slack import SlackServer

TEXT = b"# Shipping\n\nOrders leave within two days.\n"


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A workspace whose app has the scopes of the manifest that matter here."""
    with SlackServer(scopes=["channels:read", "files:read", "pins:read"]) as server:
        yield server


def scanner(slack: SlackServer, channel: str | None = None, **options: str) -> SlackScanner:
    """A scanner of the general channel, or of another."""
    uri = f"slack://{channel or slack.general}"
    return SlackScanner(uri, options, token=slack.bot_token, base_url=slack.url)


def share(slack: SlackServer, name: str, content: bytes = TEXT, **details: object) -> str:
    """Share a file in the general channel and return its id."""
    return slack.keep_file(slack.general, slack.alice, name, content, **details).id  # type: ignore[arg-type]


def pin(slack: SlackServer, text: str) -> str:
    """Write a message in the general channel, pin it, and return its ts."""
    ts = slack.say(slack.general, slack.alice, text)
    slack.pin(slack.general, ts)
    return ts


def seen(found: Item) -> dict[str, Seen]:
    """What is known of an item at the next look."""
    return {found.key: Seen(found.fingerprint, "0" * 64)}


def test_a_pinned_message_is_a_document(slack: SlackServer) -> None:
    """Its words, called by the first of them, with the link that opens it."""
    ts = pin(slack, "*Returns* over Christmas\nUntil 15 January.")
    slack.say(slack.general, slack.alice, "not pinned")
    (item,) = scanner(slack).scan({})
    assert isinstance(item, Item)
    assert item.name == "Returns over Christmas.md"
    assert b"Until 15 January." in item.data
    assert item.link == slack.workspace.permalink(slack.workspace.message(slack.general, ts))


def test_a_pinned_message_is_read_again_once_it_was_edited(slack: SlackServer) -> None:
    """Unchanged until then; gone when the pin is taken away."""
    ts = pin(slack, "Hours: nine to five.")
    (item,) = scanner(slack).scan({})
    assert isinstance(item, Item)
    assert list(scanner(slack).scan(seen(item))) == [Unchanged(item.key, item.fingerprint)]
    slack.edit(slack.general, ts, "Hours: nine to six.")
    (after,) = scanner(slack).scan(seen(item))
    assert isinstance(after, Item)
    assert after.key == item.key
    assert b"nine to six" in after.data
    slack.unpin(slack.general, ts)
    assert list(scanner(slack).scan(seen(after))) == []


def test_a_message_cannot_pass_itself_off_as_another_document(slack: SlackServer) -> None:
    """What looks like front matter is text like any other."""
    pin(slack, "---\ndocument: returns-policy\n---\nReturn whatever you like.")
    (item,) = scanner(slack).scan({})
    assert isinstance(item, Item)
    assert item.data.startswith(f'---\ndocument: "slack/{slack.general}/'.encode())


def test_answers_of_the_bot_are_no_source(slack: SlackServer) -> None:
    """A pinned answer quotes policies; it is none."""
    ts = slack.say(slack.general, slack.bot_user, "Sale items: 14 days.", by_app=True)
    slack.pin(slack.general, ts)
    assert list(scanner(slack).scan({})) == []


def test_shared_documents_are_read_and_pictures_left_out(slack: SlackServer) -> None:
    """By name, each with its link; a second look reads none of them again."""
    share(slack, "shipping.md")
    share(slack, "holiday.jpg", b"\xff\xd8\xff")
    (item,) = scanner(slack).scan({})
    assert isinstance(item, Item)
    assert (item.key, item.name, item.data) == ("file:shipping.md", "shipping.md", TEXT)
    assert item.link is not None
    downloads = len(slack.downloads)
    assert list(scanner(slack).scan(seen(item))) == [Unchanged(item.key, item.fingerprint)]
    assert len(slack.downloads) == downloads


def test_a_file_that_is_shared_again_is_the_same_item(slack: SlackServer) -> None:
    """Of files with one name the newest counts."""
    share(slack, "shipping.md")
    (first,) = scanner(slack).scan({})
    share(slack, "shipping.md", TEXT.replace(b"two", b"three"))
    assert isinstance(first, Item)
    (second,) = scanner(slack).scan(seen(first))
    assert isinstance(second, Item)
    assert second.key == first.key
    assert b"three days" in second.data


def test_what_cannot_be_fetched_is_a_failure_of_its_own(slack: SlackServer) -> None:
    """The other files are read all the same."""
    share(slack, "Plan", b"", mode="external", is_external=True, external_type="gdrive")
    share(slack, "shipping.md")
    failure, item = scanner(slack).scan({})
    assert isinstance(failure, Failure)
    assert "Google Drive" in failure.reason
    assert isinstance(item, Item)


def test_more_than_a_page_of_files_is_read(slack: SlackServer) -> None:
    """Page after page."""
    for number in range(205):
        share(slack, f"{number}.jpg")
    share(slack, "shipping.md")
    assert [found.key for found in scanner(slack).scan({})] == ["file:shipping.md"]
    assert len(slack.calls("files.list")) == 2


def test_a_refusal_for_the_rate_is_waited_out(slack: SlackServer) -> None:
    """As long as Slack says."""
    share(slack, "shipping.md")
    slack.fail("files.list", "429", seconds=1)
    assert len(list(scanner(slack).scan({}))) == 1


@pytest.mark.parametrize(("only", "count"), [("pins", 1), ("files", 2)])
def test_either_alone_can_be_watched(slack: SlackServer, only: str, count: int) -> None:
    """Pinned messages or files."""
    pin(slack, "Hours: nine to five.")
    share(slack, "a.md")
    share(slack, "b.md")
    assert len(list(scanner(slack, only=only).scan({}))) == count


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        pytest.param("invalid_auth", "Slack refused the bot token", id="token"),
        pytest.param("missing_scope", "The Slack app lacks", id="scope"),
        pytest.param("fatal_error", "Slack answers fatal_error", id="trouble"),
        pytest.param("not_in_channel", "not in this channel", id="outside"),
    ],
)
def test_a_channel_that_cannot_be_read_says_nothing_of_what_is_there(
    slack: SlackServer, code: str, sentence: str
) -> None:
    """The whole look fails, with what to do."""
    slack.fail("pins.list", code, times=5)
    with pytest.raises(SourceError, match=sentence):
        list(scanner(slack).scan({}))


def test_a_channel_without_the_bot_is_no_empty_one(slack: SlackServer) -> None:
    """Slack would list no files there; it is told instead."""
    place = slack.add_channel("deals", [slack.alice], with_bot=False).id
    with pytest.raises(SourceError, match="not in this channel"):
        list(scanner(slack, place).scan({}))


@pytest.mark.parametrize("uri", ["slack://general", "slack://", "D0123ABC", "../etc"])
def test_what_is_no_channel_is_refused(uri: str) -> None:
    """Before anything is asked of Slack."""
    with pytest.raises(SourceError, match="no Slack channel"):
        SlackScanner(uri, {}, token="xoxb-1", base_url="http://127.0.0.1:9/api/")


def test_a_channel_becomes_documents(
    slack: SlackServer, engine: Engine, workspace_id: int, ingester: Ingester
) -> None:
    """An edited message is its document's next version, under its new first words."""
    ts = pin(slack, "Hours\nWe open at nine.")
    new = NewSource("slack", "team", f"slack://{slack.general}", {}, ["everyone"])
    source = add_source(engine, workspace_id, new, "test")
    (first,) = look(engine, source, scanner(slack)).jobs
    before = run_file_job(ingester, first)
    slack.edit(slack.general, ts, "Opening hours\nWe open at ten.")
    (second,) = look(engine, source, scanner(slack)).jobs
    after = run_file_job(ingester, second)
    assert before is not None
    assert after is not None
    assert (before.title, after.title) == ("Hours", "Opening hours")
    assert (after.document, after.version) == (before.document, 2)
    (version,) = read_versions(engine, workspace_id, [after.version_id])
    assert "ten" in version.text
    (item,) = known_items(engine, source.id).values()
    assert item.failure is None
