"""The embedded Postgres, with real servers and real processes that come, go and are killed."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from filelock import FileLock

from store.embedded import EmbeddedPostgres, EmbeddedPostgresError, Postmaster
from store.postgres_host import Account, binaries_for, packaged_binaries, server_account

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until something that must happen is taken for missing
HOLDER = """
import sys
from pathlib import Path
from store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]))
print(server.start(), flush=True)
sys.stdin.readline()
server.release()
"""
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="concerns Postgres under root"
)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


class Holder:
    """Another process that starts or joins the server of `place` and holds it until told."""

    def __init__(self, place: "Place") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(place.home), str(place.shared)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            start_new_session=True,
        )

    def url(self) -> str:
        """Wait for the server's URL."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def let_go(self) -> int:
        """Let it release the server; return its exit status."""
        self.process.communicate("\n", timeout=PATIENCE)
        return self.process.returncode

    def kill(self) -> None:
        """Kill it as an out-of-memory killer would."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


class Place:
    """A home in a folder of its own, with a space in its path, and processes that use it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.home = folder / "a home"
        self.shared = folder / "shared"
        self._stack = stack

    def server(self) -> EmbeddedPostgres:
        """Return a way to the server for this process."""
        server = EmbeddedPostgres(self.home, self.shared)
        self._stack.callback(server.release)
        return server

    def holder(self) -> Holder:
        """Start another process that holds the server."""
        holder = Holder(self)
        self._stack.callback(holder.kill)
        return holder

    def postmaster(self) -> Postmaster:
        """Return the running server."""
        found = Postmaster.of(self.server().describe().data_folder)
        assert found is not None
        return found


@contextmanager
def a_folder() -> Iterator[Path]:
    """Give a folder that the server's account can reach, and leave no server or data behind."""
    folder = Path(tempfile.mkdtemp(prefix="footnote test "))
    folder.chmod(0o711)
    try:
        yield folder
        EmbeddedPostgres(folder / "a home", folder / "shared").remove()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty place."""
    with a_folder() as folder, ExitStack() as stack:
        yield Place(folder, stack)


@pytest.fixture(scope="module")
def furnished() -> Iterator[Path]:
    """A folder whose home has a cluster, so that a start takes a sixth of a second."""
    with a_folder() as folder:
        with EmbeddedPostgres(folder / "a home", folder / "shared"):
            pass
        yield folder


@pytest.fixture
def made(furnished: Path) -> Iterator[Place]:
    """A place with a cluster, stopped before and after."""
    with ExitStack() as stack:
        place = Place(furnished, stack)
        yield place
        with place.server():  # the last to leave stops what killed holders left running
            pass


def running(place: Place) -> bool:
    return place.server().describe().running


def execute(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


def test_a_first_start_gives_postgres_18_with_pgvector(place: Place) -> None:
    """A first start makes the database with the vector extension and UTF-8 letters."""
    url = place.server().start()
    query = (
        "SELECT '[1,2]'::vector <-> '[1,0]', current_setting('server_version_num')::int / 10000"
    )
    assert execute(url, query) == [(2.0, 18)]
    text = "SELECT to_tsvector('english', '“Items” — ÉTÉ')::text"
    assert execute(url, text) == [("'item':1 'été':2",)]
    status = place.server().describe()
    assert status.running
    assert status.pgvector_version == "0.8.5"
    assert status.version.startswith("18.")


def test_only_this_machine_with_the_password_gets_in(made: Place) -> None:
    """The server listens on 127.0.0.1 alone, and no command line or log tells the password."""
    url = made.server().start()
    password = url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "guess"))
    postmaster = psutil.Process(made.postmaster().pid)
    listening = [c.laddr.ip for c in postmaster.net_connections("all") if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    assert postmaster.net_connections("unix") == []
    assert password not in " ".join(postmaster.cmdline())
    assert password not in (made.home / "logs" / "postgres.log").read_text()
    secret = made.home / "secrets" / "postgres-password"
    assert secret.read_text() == password
    assert sys.platform == "win32" or stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_last_to_leave_stops_the_server(made: Place) -> None:
    """Two processes share one server; it stays while one of them needs it."""
    server = made.server()
    other = made.holder()
    url = other.url()
    assert server.start() == url
    assert other.let_go() == 0
    assert running(made)
    server.release()
    assert not running(made)


def test_a_killed_holder_does_not_count(made: Place) -> None:
    """After kill -9 of its holder the server serves the next one, who stops it on leaving."""
    holder = made.holder()
    url = holder.url()
    holder.kill()
    assert running(made)
    server = made.server()
    assert server.start() == url
    server.release()
    assert not running(made)


@on_posix
def test_everything_killed_at_once_comes_back(made: Place) -> None:
    """After kill -9 of holder and server the next start recovers what was committed."""
    holder = made.holder()
    url = holder.url()
    execute(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = made.postmaster().pid
    holder.kill()
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    server = made.server()
    assert server.start() == url, "a holder that survived must find it at the same address"
    assert execute(url, "SELECT answer FROM kept") == [(42,)]


def test_a_stale_record_with_a_number_in_use_is_no_obstacle(made: Place) -> None:
    """After a crash the recorded process number may be another program's; ours, here."""
    data = made.server().describe().data_folder
    stale = f"{os.getpid()}\n{data}\n1700000000\n1\n\n127.0.0.1\n  1 1\nready\n"
    (data / "postmaster.pid").write_text(stale)
    server_account(data).own(data / "postmaster.pid")
    assert not running(made)
    assert execute(made.server().start(), "SELECT 1") == [(1,)]


@on_posix
def test_ctrl_c_in_the_terminal_does_not_reach_the_server(made: Place) -> None:
    """An interrupt for the holder's whole process group leaves the server to its clients."""
    holder = made.holder()
    url = holder.url()
    os.killpg(holder.process.pid, signal.SIGINT)
    holder.process.communicate(timeout=PATIENCE)
    assert execute(url, "SELECT 1") == [(1,)]


def test_two_first_starts_at_once_make_one_database(place: Place) -> None:
    """Two processes that start in an empty home end up at one server."""
    first, second = place.holder(), place.holder()
    assert first.url() == second.url() != ""
    assert sorted(path.name for path in place.home.glob("*postgres*")) == ["postgres"]
    assert [first.let_go(), second.let_go()] == [0, 0]
    assert not running(place)


@on_posix
def test_a_first_start_cut_off_leaves_nothing_half_made(place: Place) -> None:
    """A process killed within initdb does not hinder the next start."""
    holder = place.holder()
    deadline = time.monotonic() + PATIENCE
    while not list(place.home.glob(".postgres-new-*/data")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(holder.process.pid, signal.SIGKILL)  # initdb too, as when the machine goes down
    holder.kill()
    assert not (place.home / "postgres").exists()
    assert execute(place.server().start(), "SELECT 1") == [(1,)]
    assert not list(place.home.glob(".postgres-new-*"))


def test_a_port_taken_in_between_is_replaced(made: Place) -> None:
    """The recorded port is used again only while it is free."""
    with made.server() as url:
        port = made.postmaster().port
        assert f":{port}/" in url
    data = made.server().describe().data_folder
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        stale = f"{2**22 - 1}\n{data}\n1700000000\n{port}\n\n127.0.0.1\n\nready\n"
        (data / "postmaster.pid").write_text(stale)
        server_account(data).own(data / "postmaster.pid")
        assert f":{port}/" not in made.server().start()


@as_root
def test_root_uses_an_existing_account_and_opens_no_folder(place: Place) -> None:
    """In a closed home root keeps the data in the shared folder, and changes nobody's rights."""
    closed = place.home.parent / "closed"
    closed.mkdir(mode=0o700)
    accounts = Path("/etc/passwd").read_bytes()
    place.home = closed / "home"
    with place.server() as url:
        assert execute(url, "SELECT 1") == [(1,)]
        status = place.server().describe()
        assert psutil.Process(place.postmaster().pid).username() == status.account
    assert status.account in {"postgres", "nobody"}
    assert status.data_folder.parent == place.shared / "clusters"
    assert (place.home / "postgres.location").read_text().strip() == str(status.data_folder)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert Path("/etc/passwd").read_bytes() == accounts
    place.server().remove()
    assert not status.data_folder.exists()


@as_root
def test_root_runs_as_whoever_owns_the_data(place: Place) -> None:
    """Data that came from elsewhere with another owner's number is served under that number."""
    with place.server():
        data = place.server().describe().data_folder
    for path in (data, *data.rglob("*")):
        os.chown(path, 4242, 4242)
    with place.server() as url:
        assert execute(url, "SELECT 1") == [(1,)]
        assert psutil.Process(place.postmaster().pid).uids().real == 4242


@as_root
def test_binaries_out_of_reach_are_copied_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the account cannot enter the environment, it runs a copy that is made once."""
    package = packaged_binaries().folder.parent
    closed = place.home.parent / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, copy_function=os.link)
    monkeypatch.syspath_prepend(str(closed))
    account = server_account(place.home)
    binaries = binaries_for(account, place.shared)
    made = place.shared.stat().st_mtime_ns
    assert binaries.folder.is_relative_to(place.shared)
    done = account.run([binaries.tool("initdb"), "--version"], PATIENCE)
    assert done.stdout.startswith(b"initdb (PostgreSQL) 18.")
    assert binaries_for(account, place.shared) == binaries
    assert place.shared.stat().st_mtime_ns == made


def test_a_database_of_another_version_is_refused(made: Place) -> None:
    """A cluster of another Postgres is left alone, and the error tells both versions."""
    version = made.server().describe().data_folder / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="made by Postgres 17 and this is 18"):
            made.server().start()
    finally:
        version.write_text("18\n")


def test_a_home_in_use_on_another_machine_is_refused(made: Place) -> None:
    """A living holder of another host is proof that its server is not visible from here."""
    with (
        FileLock(made.home / "run" / "holders" / "elsewhere~7~ab.lock"),
        pytest.raises(EmbeddedPostgresError, match="in use on elsewhere"),
    ):
        made.server().start()


def test_a_failed_start_quotes_the_log(made: Place) -> None:
    """When Postgres refuses its configuration, the error says what its log says."""
    configuration = made.server().describe().data_folder / "postgresql.conf"
    before = configuration.read_text()
    configuration.write_text(before + "\nwork_mem = 'plenty'\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"work_mem|configuration file"):
            made.server().start()
    finally:
        configuration.write_text(before)
    assert not running(made)


def test_a_lost_password_is_told(made: Place) -> None:
    """Without its password file the database cannot be opened, and the error names the file."""
    secret = made.home / "secrets" / "postgres-password"
    kept = secret.read_text()
    secret.unlink()
    try:
        with pytest.raises(EmbeddedPostgresError, match="restore that file"):
            made.server().start()
    finally:
        secret.touch(mode=0o600)
        secret.write_text(kept)
    assert not running(made)


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A home below a file gives a sentence that names FOOTNOTE_HOME."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="FOOTNOTE_HOME"):
        EmbeddedPostgres(tmp_path / "file" / "home").start()


def test_describing_makes_nothing(tmp_path: Path) -> None:
    """Asking what is there leaves no trace."""
    status = EmbeddedPostgres(tmp_path / "home").describe()
    assert not status.running
    assert list(tmp_path.iterdir()) == []


def test_removal_waits_for_nobody_else(made: Place) -> None:
    """Data that another process uses is not deleted."""
    holder = made.holder()
    url = holder.url()
    with pytest.raises(EmbeddedPostgresError, match="in use"):
        made.server().remove()
    assert execute(url, "SELECT 1") == [(1,)]
    assert holder.let_go() == 0


def test_an_account_that_cannot_pass_is_found_out(tmp_path: Path) -> None:
    """Whether an account may enter is tried, not reckoned."""
    assert Account("me").may_enter(tmp_path)
    assert not Account("me").may_enter(tmp_path / "nowhere")
