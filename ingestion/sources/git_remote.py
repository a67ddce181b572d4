"""Copies of repositories elsewhere: guarded connections for dulwich, and what a branch holds."""

import contextlib
import os
import select
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from struct import error as StructError  # noqa: N812 - a class
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from dulwich.client import (
    FetchPackResult,
    GitClient,
    HttpGitClient,
    TCPGitClient,
)
from dulwich.errors import (
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    GitProtocolError,
    NotGitRepository,
    NotTreeError,
    ObjectMissing,
)
from dulwich.object_store import MaxTreeDepthExceeded
from dulwich.protocol import TCP_GIT_PORT, Protocol
from dulwich.refs import Ref
from dulwich.repo import Repo
from filelock import FileLock, Timeout
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProtocolError

from ingestion.sources import Fetching, SourceError
from ingestion.sources.choice import MIB
from ingestion.sources.fetch import MAX_REDIRECTS, REDIRECTS, address, guarded_pool, redirected
from ingestion.sources.git_pack import largest_object
from ingestion.sources.guard import GuardedPool

AGENT = "git/footnote-0.1"  # GitHub serves only agents that begin with git/
HEADS = b"refs/heads/"
WATCHED = Ref(HEADS + b"footnote-watched")  # keeps the copy's newest commit
MAX_PACK_FILES = 100  # of a copy; with more it is made anew, for nothing else tidies it
UNUSED = 30 * 86_400.0  # seconds after which a copy is removed
# Hosts leave larger files out of what they send, or else these are passed over one by one. Far
# larger ones are not even unpacked.
OVERSIZE = 2  # times the limit for a file
SPOOLED = 16 * 1024 * 1024  # bytes of a pack kept in memory, more goes to a file

# What dulwich raises for a repository or a server that is not as it should be.
BROKEN = (
    ApplyDeltaError, AssertionError, ChecksumMismatch, EOFError, FileFormatException,
    GitProtocolError, HTTPError, KeyError, IndexError, MaxTreeDepthExceeded, NotTreeError,
    ObjectMissing, OSError, StructError, ValueError, zlib.error,
)  # fmt: skip

Refs = Mapping[Ref, Any]
Wanted = Callable[..., list[Any]]
Choose = Callable[[Refs], Any]
"""Picks the commit to read among the branches there are. Raises SourceError."""


class _Answer:
    """A response that ends with an error once it has sent more than it may."""

    def __init__(self, response: BaseHTTPResponse, url: str, limit: int) -> None:
        self._response = response
        self._url = url
        self._limit = limit
        self._read = 0
        self.status = response.status
        self.headers = response.headers
        self.content_type: str | None = None  # dulwich sets these two
        self.redirect_location = ""

    def geturl(self) -> str:
        """Return where redirects led."""
        return self._url

    def read(self, size: int | None = None) -> bytes:
        """Return at most `size` bytes."""
        data = self._response.read(size)
        self._read += len(data)
        if self._read > self._limit:
            raise _too_much(self._limit)
        return data

    def close(self) -> None:
        """Give the connection up."""
        self._response.close()


class _Transport:
    """What dulwich takes for a pool: redirects are judged, and answers are bounded."""

    headers: Mapping[str, str] = {"user-agent": AGENT}

    def __init__(self, pool: GuardedPool, limit: int) -> None:
        self._pool = pool
        self._limit = limit

    def request(self, method: str, url: str, **settings: Any) -> _Answer:
        """Make a request; only what has no body is sent on to where a redirect leads."""
        parts = address(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._pool.request(method, parts.url, redirect=False, **settings)
            if response.status not in REDIRECTS or method != "GET":
                # The address is compared with the one asked for, so that must come back as it was.
                led_to = url if parts == address(url) else parts.url
                return _Answer(response, led_to, self._limit)
            response.close()
            parts = redirected(parts, {n.lower(): v for n, v in response.headers.items()})
        raise ProtocolError("too many redirects")


class _Unheard(GitClient):
    """Says nothing of hosts that cannot leave large files out; they send them."""

    @staticmethod
    def _warn_filter_objects() -> None:
        """Leave the warning out."""


class _HTTPClient(_Unheard, HttpGitClient):
    """Git over HTTP."""


class _TCPClient(_Unheard, TCPGitClient):
    """The git protocol over a guarded connection."""

    def __init__(self, host: str, port: int, pool: GuardedPool, timeout: float) -> None:
        super().__init__(host, port)
        self._pool = pool
        self._timeout = timeout

    def _connect(
        self,
        cmd: bytes,
        path: str | bytes,
        protocol_version: int | None = None,  # noqa: ARG002 - its callers pass it
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        """Open the connection; version 0 of the protocol is what every server speaks."""
        connection = self._pool.connect(self._host, self._port, self._timeout)
        incoming = connection.makefile("rb")

        def close() -> None:
            incoming.close()
            connection.close()

        def ready() -> bool:
            return bool(select.select([connection], [], [], 0)[0])

        protocol = Protocol(incoming.read, connection.sendall, close)
        self.protocol_version = 0
        asked = path if isinstance(path, bytes) else path.encode()
        protocol.send_cmd(b"git-" + cmd, asked, b"host=" + self._host.encode("idna"))
        return protocol, ready, None


@contextmanager
def remote_copy(uri: str, choose: Choose, config: Fetching) -> Iterator[tuple[Repo, Any]]:
    """Give a copy of a repository's newest files, and the commit chosen.

    The copy holds no history. It is kept in `config.cache` so that the next scan fetches what
    changed only; without a cache it goes when the block ends. One that turns out to be damaged
    goes too, for the next scan to make a new one.
    """
    with _folder(uri, config) as folder:
        try:
            with _copy(folder) as repo:
                yield repo, _update(repo, uri, choose, config)
        except (GitProtocolError, HTTPError, OSError):
            raise  # the host's or the network's fault
        except BROKEN:
            _empty(folder)
            raise


@contextmanager
def _folder(uri: str, config: Fetching) -> Iterator[Path]:
    """Give the folder of a copy, nobody else's meanwhile."""
    if config.cache is None:
        with tempfile.TemporaryDirectory(prefix="footnote-git-") as name:
            yield Path(name)
        return
    folder = config.cache / sha256(uri.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(f"{folder}.lock", timeout=config.patience):
            os.utime(folder)
            yield folder
    except Timeout:
        raise SourceError(
            "Another look at the same repository goes on; this one is made later."
        ) from None
    _forget_unused(config.cache)


def _forget_unused(cache: Path) -> None:
    """Remove copies that no scan has used for long: their sources are gone."""
    long_ago = time.time() - UNUSED
    for folder in cache.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < long_ago:
            with contextlib.suppress(Timeout), FileLock(f"{folder}.lock", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


def _copy(folder: Path) -> Repo:
    """Return the copy in a folder, an empty one where there is none or it is worn out."""
    packs = folder / "objects" / "pack"
    if packs.is_dir() and len(list(packs.iterdir())) > MAX_PACK_FILES:
        _empty(folder)
    try:
        return Repo(folder)
    except NotGitRepository:  # new, or left behind by a worker that was killed
        _empty(folder)
        return Repo.init_bare(folder)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _update(repo: Repo, uri: str, choose: Choose, config: Fetching) -> Any:
    """Fetch the chosen commit's files that the copy lacks; return the commit's id."""
    chosen: list[Any] = []

    def wanted(refs: Refs, depth: int | None = None) -> list[Any]:  # noqa: ARG001
        chosen.append(choose(refs))
        return [commit for commit in chosen if commit not in repo.object_store]

    with tempfile.SpooledTemporaryFile(SPOOLED) as pack:
        fetched = _fetch(repo, uri, wanted, pack, config)
        if not chosen:
            choose({})
        if pack.tell():
            _check(pack, config)
            repo.object_store.add_thin_pack(pack.read, None)
        repo.update_shallow(fetched.new_shallow, fetched.new_unshallow)
    repo.refs[WATCHED] = chosen[0]
    return chosen[0]


def _fetch(
    repo: Repo, uri: str, wanted: Wanted, pack: IO[bytes], config: Fetching
) -> FetchPackResult:
    """Write what a repository sends into a file. Raises SourceError once it takes too long."""
    with guarded_pool(config) as pool, pool.within(config.patience) as over:
        client, path = _client(uri, pool, config)
        try:
            return client.fetch_pack(
                path,
                wanted,
                repo.get_graph_walker(),
                _bounded(pack, config.max_total, over.is_set),
                depth=1,
                ref_prefix=[b"HEAD", HEADS],
                filter_spec=b"blob:limit=%d" % (config.max_bytes + 1),
            )
        except BROKEN:
            if over.is_set():
                raise SourceError(
                    f"The repository did not arrive within {config.patience:g} s."
                ) from None
            raise


def _check(pack: IO[bytes], config: Fetching) -> None:
    """Raise SourceError for a pack with an object too large to unpack; rewind the file."""
    pack.seek(0)
    if largest_object(pack) > OVERSIZE * config.max_bytes:
        raise SourceError(
            f"The repository has a file of more than {OVERSIZE * config.max_bytes / MIB:,.0f} MiB,"
            " and its host cannot leave it out; keep the documents in a repository of their own."
        )
    pack.seek(0)


def _too_much(limit: int) -> SourceError:
    """Return the error about a repository that is larger than what a scan fetches."""
    return SourceError(
        f"The repository's files are more than {limit / MIB:,.0f} MiB, which is the most that a"
        " look fetches; keep the documents in a repository of their own."
    )


def _bounded(pack: IO[bytes], limit: int, over: Callable[[], bool]) -> Callable[[bytes], int]:
    """Return what takes the pieces of a pack, up to a limit in size and time."""

    def write(piece: bytes) -> int:
        if pack.tell() + len(piece) > limit:
            raise _too_much(limit)
        if over():
            raise ProtocolError("too late")
        return pack.write(piece)

    return write


def _client(uri: str, pool: GuardedPool, config: Fetching) -> tuple[GitClient, str]:
    """Return what speaks with the repository's host, and the path there."""
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.scheme == "git":
        host, port = parts.hostname or "", parts.port or TCP_GIT_PORT
        return _TCPClient(host, port, pool, config.timeout), path
    transport: Any = _Transport(pool, config.max_total)
    base = f"{parts.scheme}://{parts.netloc}"
    return _HTTPClient(base, pool_manager=transport), parts.path
