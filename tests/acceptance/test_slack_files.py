"""Documents shared with the bot: over real HTTP, in a real database, with jobs done beside it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from bot.incoming import Shared
from bot.uploads import Intake, Place
from core.errors import FootnoteError
from ingestion.ingest import Ingester
from ingestion.jobs import INGEST_FILE, run_file_job
from store.access import KNOWLEDGE_ADMIN, OPERATOR_ACCESS
from store.audit import read_audit
from store.outbox import relay
from store.search import versions_in_force
from store.uploads import open_upload, untold_uploads
from tests.acceptance.slack_face import SETTLED, Answerer, KeptMembers, running, settle, words
from tests.fakes.slack import Message, SharedFile, SlackServer

PAGE = "https://policies.example.com"
RETURNS = b"# Returns policy\n\n## Sale items\n\nSale items can be returned within 14 days.\n"
PROGRAM = b"MZ\x90\x00" + bytes(range(256)) * 8
PATIENCE = 30.0  # seconds for two small files

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def intake(engine: Engine, workspace_id: int) -> Intake:
    """Where the shared files of this test are kept."""
    return Intake(engine, workspace_id, PAGE)


@pytest.fixture
def admin(slack: SlackServer) -> str:
    """An admin of the workspace."""
    return slack.add_user("carol", is_admin=True).id


@pytest.fixture
def bot(
    slack: SlackServer, answerer: Answerer, members: KeptMembers, engine: Engine
) -> Iterator[None]:
    """The running bot, which takes files."""
    with running(slack, engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE):
        yield


@contextmanager
def working(ingester: Ingester) -> Iterator[None]:
    """Do the jobs that are announced, as a worker does, until the block ends."""
    stop = threading.Event()

    def send(task: str, arguments: dict[str, int], _queue: str) -> None:
        if task == INGEST_FILE:
            with suppress(FootnoteError):  # it stands in the job's row
                run_file_job(ingester, arguments["job_id"])

    def work() -> None:
        while not stop.wait(0.05):
            relay(ingester.engine, send)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def worker(ingester: Ingester) -> Iterator[None]:
    """A worker."""
    with working(ingester):
        yield


def told(slack: SlackServer, engine: Engine, channel: str, thread: str) -> Message:
    """The one message about an upload, once it has ended."""
    slack.wait_for_messages(channel, thread, timeout=PATIENCE)
    deadline = threading.Event()
    for _ in range(int(PATIENCE / 0.1)):
        if not untold_uploads(engine, 1) and not _waiting(engine):
            break
        deadline.wait(0.1)
    (message,) = slack.replies(channel, thread)
    return message


def _waiting(engine: Engine) -> int:
    """How many posts are still to be sent."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM posts WHERE state IN ('waiting', 'posting')")
            ).scalar_one()
        )


def titles(engine: Engine, workspace_id: int) -> list[str]:
    """The titles of what is answered from."""
    found = versions_in_force(engine, workspace_id, OPERATOR_ACCESS, datetime.now(UTC))
    return [version.title for version in found]


@pytest.mark.usefixtures("bot", "worker")
def test_each_file_of_a_message_gets_its_outcome(
    slack: SlackServer, admin: str, answerer: Answerer, engine: Engine, workspace_id: int
) -> None:
    """An admin shares two files: one is indexed, one refused, and one message tells of both."""
    place = slack.dm(admin)
    files = [
        slack.keep_file(place, admin, "returns-2026.md", RETURNS),
        slack.keep_file(place, admin, "logo.exe.pdf", PROGRAM),
    ]
    ts = slack.share(place, admin, *files, text="the new ones, effective soon?")

    reply = told(slack, engine, place, ts)
    good, _, bad = words(reply).partition("✗ ")
    assert good.startswith("✓ returns-2026.md: version 1 of Returns policy, in force from ")
    assert f"{PAGE}/documents/" in str(reply.blocks)
    assert "logo.exe.pdf" in bad
    assert titles(engine, workspace_id) == ["Returns policy"]
    assert answerer.asked == []  # what is written beside files is no question
    assert {token for _, token in slack.downloads} == {slack.bot_token}


@pytest.mark.usefixtures("bot", "worker")
def test_what_is_shared_in_a_private_channel_stays_in_it(
    slack: SlackServer, admin: str, engine: Engine, workspace_id: int
) -> None:
    """The outcome says who may read it, and nobody elsewhere is answered from it."""
    board = slack.add_channel("board", [admin], kind="group").id
    file = slack.keep_file(board, admin, "returns.md", RETURNS)
    ts = slack.share(board, admin, file, text=slack.mention(""))
    reply = told(slack, engine, board, ts)
    assert f"audience now channel:{board}" in words(reply)
    assert titles(engine, workspace_id) == []


@pytest.mark.usefixtures("bot", "worker")
def test_a_second_version_is_told_with_what_changed(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """A mention with a file works in a channel, where the outcome names the section."""
    slack.join(slack.general, admin)
    for days, count in ((b"14", 1), (b"30", 2)):
        data = RETURNS.replace(b"14", days)
        file = slack.keep_file(slack.general, admin, "returns.md", data)
        ts = slack.share(slack.general, admin, file, text=slack.mention(""))
        reply = told(slack, engine, slack.general, ts)
        assert f"version {count} of Returns policy" in words(reply)
    assert "changed: Sale items (14 → 30 days)" in words(reply)


@pytest.mark.usefixtures("bot", "worker")
def test_the_thread_is_told_at_once_what_is_read(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """The first words name the file; the same message then becomes the outcome."""
    place = slack.dm(admin)
    slack.fail("files.info", "hang", seconds=1.0)
    file = slack.keep_file(place, admin, "returns.md", RETURNS)
    ts = slack.share(place, admin, file)
    (first,) = slack.wait_for_messages(place, ts)
    assert words(first) == "Reading returns.md…"
    last = told(slack, engine, place, ts)
    assert last.ts == first.ts
    assert "version 1" in words(last)


@pytest.mark.parametrize("text", ["", "can I return a sale item?"])
@pytest.mark.usefixtures("bot")
def test_others_are_refused_and_recorded(
    slack: SlackServer, answerer: Answerer, intake: Intake, text: str
) -> None:
    """Nothing is downloaded; the sender is told what to do, and a question is answered."""
    place = slack.dm(slack.alice)
    file = slack.keep_file(place, slack.alice, "mine.md", RETURNS)
    ts = slack.share(place, slack.alice, file, text=text)

    replies = slack.wait_for_messages(place, ts, count=2 if text else 1)
    assert words(replies[0]).startswith("Only knowledge admins can add documents: ask ")
    assert [question.text for question in answerer.asked] == ([text] if text else [])
    (entry,) = read_audit(intake.engine, intake.workspace_id)
    assert (entry.actor, entry.action) == (slack.alice, "upload refused")
    assert entry.detail["files"] == ["mine.md"]
    assert slack.downloads == []
    assert slack.calls("files.info") == []


@pytest.mark.parametrize(
    ("details", "role", "taken"),
    [
        pytest.param({"is_owner": True}, False, True, id="owner"),
        pytest.param({}, True, True, id="knowledge admin"),
        pytest.param({"is_restricted": True}, True, False, id="guest with a role"),
        pytest.param({"is_admin": True, "team_id": "T0OTHER001"}, False, False, id="elsewhere"),
    ],
)
@pytest.mark.usefixtures("bot")
def test_who_may_add_documents(
    slack: SlackServer,
    members: KeptMembers,
    engine: Engine,
    details: dict[str, object],
    role: bool,
    taken: bool,
) -> None:
    """Those who run this workspace and those with the role, if they are full members."""
    person = slack.add_user("dave", **details).id
    members.given[person] = frozenset({KNOWLEDGE_ADMIN}) if role else frozenset()
    place = slack.dm(person)
    ts = slack.share(place, person, slack.keep_file(place, person, "a.md", RETURNS))
    (reply,) = slack.wait_for_messages(place, ts)
    assert words(reply).startswith("Reading a.md…" if taken else "Only knowledge admins")
    assert len(untold_uploads(engine, 1)) == taken


@pytest.mark.usefixtures("bot", "worker")
def test_a_message_delivered_again_is_one_upload(
    slack: SlackServer, admin: str, engine: Engine, intake: Intake
) -> None:
    """Retries of an event add neither a job nor a message."""
    place = slack.dm(admin)
    slack.duplicate_next_event(times=3)
    ts = slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
    told(slack, engine, place, ts)
    settle(slack)
    assert len(slack.replies(place, ts)) == 1
    assert [entry.action for entry in read_audit(engine, intake.workspace_id)] == [
        "documents uploaded"
    ]


def test_a_bot_that_is_restarted_tells_the_outcome_once(
    slack: SlackServer,
    admin: str,
    answerer: Answerer,
    members: KeptMembers,
    intake: Intake,
    ingester: Ingester,
) -> None:
    """What one bot began, the next one tells, in the same message; a third has nothing to say."""
    place = slack.dm(admin)
    with running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE):
        ts = slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
        slack.wait_for_messages(place, ts)
    with (
        running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE),
        working(ingester),
    ):
        assert "version 1" in words(told(slack, intake.engine, place, ts))
    said = len(slack.calls("chat.update"))
    with running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE):
        threading.Event().wait(SETTLED)
    assert len(slack.calls("chat.postMessage")) == 1
    assert len(slack.calls("chat.update")) == said


def test_what_was_written_down_before_a_bot_died_is_fetched_by_the_next(
    slack: SlackServer,
    admin: str,
    answerer: Answerer,
    members: KeptMembers,
    intake: Intake,
    ingester: Ingester,
) -> None:
    """No file is lost between a message and its download."""
    place = slack.dm(admin)
    file = slack.keep_file(place, admin, "a.md", RETURNS)
    ts = slack.share(place, admin, file)
    wanted = Place(place, ts, wanted=(Shared(file.id, file.name),))
    with intake.engine.begin() as connection:
        open_upload(connection, intake.workspace_id, admin, "0", reply=wanted.to_json())
    with (
        running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE),
        working(ingester),
    ):
        assert "a.md: version 1" in words(told(slack, intake.engine, place, ts))


def test_two_bots_tell_an_outcome_once(
    slack: SlackServer,
    admin: str,
    answerer: Answerer,
    members: KeptMembers,
    intake: Intake,
    ingester: Ingester,
) -> None:
    """Whichever holds the upload tells it; the file is fetched once, too."""
    place = slack.dm(admin)
    with running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE):
        with (
            running(slack, intake.engine, answerer, members, FOOTNOTE_PUBLIC_URL=PAGE),
            working(ingester),
        ):
            ts = slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
            told(slack, intake.engine, place, ts)
        threading.Event().wait(SETTLED)
    assert len(slack.calls("chat.postMessage")) == 1
    assert len(slack.downloads) == 1


@pytest.mark.usefixtures("bot", "worker")
def test_an_upload_that_nobody_can_be_told_of_is_let_be(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """As when the channel was archived meanwhile."""
    place = slack.dm(admin)
    slack.fail("chat.postMessage", "is_archived")
    slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
    slack.wait_for_calls("chat.postMessage")
    for _ in range(int(PATIENCE / 0.1)):
        if not untold_uploads(engine, 1) and not _waiting(engine):
            break
        threading.Event().wait(0.1)
    assert untold_uploads(engine, 1) == []
    assert _waiting(engine) == 0


@pytest.mark.usefixtures("bot", "worker")
def test_an_outcome_whose_message_is_gone_is_posted_anew(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """Somebody deleted what the bot had said: the outcome is told all the same."""
    place = slack.dm(admin)
    slack.fail("files.info", "hang", seconds=1.0)
    ts = slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
    (first,) = slack.wait_for_messages(place, ts)
    slack.delete(place, first.ts)
    last = told(slack, engine, place, ts)
    assert last.ts != first.ts
    assert "version 1" in words(last)


def _signed_out(slack: SlackServer, place: str, user: str) -> SharedFile:
    slack.fail("file", "sign_in")
    page = b"<html><body><h1>Hours</h1><p>We open at nine.</p></body></html>"
    return slack.keep_file(place, user, "a.html", page, mimetype="text/html")


def _elsewhere(slack: SlackServer, place: str, user: str) -> SharedFile:
    details: dict[str, Any] = {
        "mode": "external",
        "is_external": True,
        "external_type": "gdrive",
    }
    address = "https://docs.google.com/document/d/1"
    return slack.keep_file(place, user, "Plan", b"", url_private=address, **details)


def _hidden(slack: SlackServer, place: str, user: str) -> SharedFile:
    return slack.keep_file(place, user, "old.md", RETURNS, mode="hidden_by_limit")


def _huge(slack: SlackServer, place: str, user: str) -> SharedFile:
    return slack.keep_file(place, user, "huge.md", RETURNS, size=200 * 2**20)


def _deleted(slack: SlackServer, place: str, user: str) -> SharedFile:
    file = slack.keep_file(place, user, "gone.md", RETURNS)
    slack.delete_file(file)
    return file


def _astray(slack: SlackServer, place: str, user: str) -> SharedFile:
    address = "https://slack.com.evil.example/a.md"
    return slack.keep_file(place, user, "a.md", RETURNS, url_private_download=address)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        pytest.param(_signed_out, "did not hand a.html out to this bot", id="sign-in page"),
        pytest.param(_elsewhere, "Plan is kept in Google Drive, not in Slack", id="elsewhere"),
        pytest.param(_hidden, "old.md is hidden by the limit", id="hidden"),
        pytest.param(_huge, "huge.md is 200.0 MiB, more than the 100 MiB", id="too large"),
        pytest.param(_deleted, "was deleted in Slack", id="deleted"),
        pytest.param(_astray, "not kept at one of Slack's own addresses", id="another host"),
    ],
)
@pytest.mark.usefixtures("bot", "worker")
def test_what_cannot_be_fetched_is_refused_in_words(
    slack: SlackServer,
    admin: str,
    engine: Engine,
    workspace_id: int,
    share: Callable[[SlackServer, str, str], SharedFile],
    said: str,
) -> None:
    """Each cause is named, and nothing is indexed."""
    place = slack.dm(admin)
    ts = slack.share(place, admin, share(slack, place, admin))
    assert said in words(told(slack, engine, place, ts))
    assert titles(engine, workspace_id) == []


@pytest.mark.usefixtures("bot", "worker")
def test_a_file_of_which_only_the_id_is_told_is_asked_about(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """As in channels shared with other organisations."""
    place = slack.dm(admin)
    file = slack.keep_file(place, admin, "returns.md", RETURNS, told_whole=False)
    ts = slack.share(place, admin, file)
    assert "returns.md: version 1" in words(told(slack, engine, place, ts))


@pytest.mark.usefixtures("bot", "worker")
def test_a_download_that_stumbles_is_tried_again(
    slack: SlackServer, admin: str, engine: Engine
) -> None:
    """A broken connection and a busy server do not lose a file."""
    place = slack.dm(admin)
    slack.fail("file", "drop")
    slack.fail("file", "429", seconds=1)
    ts = slack.share(place, admin, slack.keep_file(place, admin, "a.md", RETURNS))
    assert "version 1" in words(told(slack, engine, place, ts))
