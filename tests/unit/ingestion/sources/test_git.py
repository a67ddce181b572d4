"""Repositories as sources, real ones made for each test and served over real connections."""

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend, TCPGitServer
from dulwich.web import WSGIRequestHandlerLogger, make_wsgi_chain

from ingestion.sources import Failure, Fetching, Seen, SourceError, open_scanner
from ingestion.sources.git import GitScanner
from ingestion.sources.git_remote import MAX_PACK_FILES
from ingestion.sources.guard import RefusedHostError
from tests.fakes.local_http import LocalServer, Reply
from tests.unit.ingestion.sources.places import (
    QUICK,
    failures,
    items,
    resolver,
    scan,
    seen,
    texts,
    unchanged,
)

FILE = 0o100644
LINK = stat.S_IFLNK
SUBMODULE = 0o160000
MAIN = "main"


class Repository:
    """A repository with branches of files; a later commit replaces all files of its branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = Repo.init_bare(folder, mkdir=True)
        self.repo.refs.set_symbolic_ref(Ref(b"HEAD"), Ref(b"refs/heads/main"))

    def commit(
        self,
        files: Mapping[str, str | bytes],
        branch: str = MAIN,
        others: Mapping[bytes, tuple[int, bytes]] | None = None,
    ) -> None:
        """Commit files by path, and other entries of the top folder by name."""
        commit = Commit()
        commit.tree = self._tree(files, others or {})
        commit.author = commit.committer = b"A Person <person@example.com>"
        commit.author_time = commit.commit_time = 1735725600
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b"Change policies"
        ref = Ref(b"refs/heads/" + branch.encode())
        commit.parents = [self.repo.refs[ref]] if ref in self.repo.refs else []
        self.repo.object_store.add_object(commit)
        self.repo.refs[ref] = commit.id

    def _tree(self, files: Mapping[str, str | bytes], others: Mapping[bytes, Any]) -> Any:
        tree = Tree()
        inside: dict[str, dict[str, str | bytes]] = {}
        for path, text in files.items():
            name, _, rest = path.partition("/")
            if rest:
                inside.setdefault(name, {})[rest] = text
            else:
                tree.add(name.encode(), FILE, self._blob(text))
        for name, within in inside.items():
            tree.add(name.encode(), stat.S_IFDIR, self._tree(within, {}))
        for entry, (mode, content) in others.items():
            known = mode == SUBMODULE
            tree.add(entry, mode, content if known else self._blob(content))
        self.repo.object_store.add_object(tree)
        return tree.id

    def _blob(self, text: str | bytes) -> Any:
        blob = Blob.from_string(text.encode() if isinstance(text, str) else text)
        self.repo.object_store.add_object(blob)
        return blob.id


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository of the test's own."""
    made = Repository(tmp_path / "origin.git")
    yield made
    made.repo.close()


@dataclass
class Served:
    """A repository's address over HTTP, and what was asked there."""

    uri: str
    asked: list[str] = field(default_factory=list)


class _Quiet(WSGIRequestHandlerLogger):
    """Logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Leave it out."""


@contextmanager
def over_http(repository: Repository) -> Iterator[Served]:
    """Serve a repository over HTTP while the block lasts."""
    repositories: dict[str, BackendRepo] = {"/policies.git": repository.repo}
    chain = make_wsgi_chain(DictBackend(repositories))
    place = Served("")

    def noting(environ: dict[str, Any], start: Any) -> Any:
        place.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return chain(environ, start)

    with make_server("127.0.0.1", 0, noting, WSGIServer, _Quiet) as server:
        place.uri = f"http://127.0.0.1:{server.server_port}/policies.git"
        with _running(server):
            yield place


@contextmanager
def over_tcp(repository: Repository) -> Iterator[str]:
    """Serve a repository over the git protocol while the block lasts."""
    repositories: dict[bytes, BackendRepo] = {b"/policies.git": repository.repo}
    with TCPGitServer(DictBackend(repositories), "127.0.0.1", 0) as server, _running(server):
        yield f"git://127.0.0.1:{server.server_address[1]}/policies.git"


@contextmanager
def _running(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def caching(tmp_path: Path) -> Fetching:
    """Limits with a folder for copies."""
    return replace(QUICK, cache=tmp_path / "cache")


def test_documents_of_the_branch_are_items(repository: Repository) -> None:
    """A document is known by its path and fingerprinted by git itself."""
    repository.commit({"returns.md": "30 days", "people/leave.txt": "25 days", "tool.py": "pass"})
    found = items(scan("git", str(repository.folder)))
    assert {key: item.data for key, item in found.items()} == {
        "people/leave.txt": b"25 days",
        "returns.md": b"30 days",
    }
    assert found["returns.md"].fingerprint == Blob.from_string(b"30 days").id.decode()


def test_only_what_changed_is_read(repository: Repository) -> None:
    """Content that git knows by the same id is not read again."""
    repository.commit({"a.md": "one", "b.md": "two"})
    known = seen(scan("git", str(repository.folder)))
    repository.commit({"a.md": "one", "b.md": "three", "c.md": "four"})
    found = scan("git", str(repository.folder), known)
    assert unchanged([one for one in found if one.key == "a.md"]) == ["a.md"]
    assert texts([one for one in found if one.key != "a.md"]) == {"b.md": "three", "c.md": "four"}


def test_a_repository_over_http_is_read(repository: Repository) -> None:
    """Without a cache it is fetched for the scan only."""
    repository.commit({"returns.md": "30 days"})
    with over_http(repository) as place:
        assert texts(scan("git", place.uri)) == {"returns.md": "30 days"}


def test_a_repository_over_the_git_protocol_is_read(repository: Repository) -> None:
    """The old protocol works too, over a guarded connection."""
    repository.commit({"returns.md": "30 days"})
    with over_tcp(repository) as uri:
        assert texts(scan("git", uri)) == {"returns.md": "30 days"}


def test_a_kept_copy_is_not_fetched_again(repository: Repository, caching: Fetching) -> None:
    """While the branch stands where it stood, only its references are asked for."""
    repository.commit({"a.md": "one"})
    with over_http(repository) as place:
        known = seen(scan("git", place.uri, config=caching))
        assert any(asked.startswith("POST") for asked in place.asked)
        place.asked.clear()
        assert unchanged(scan("git", place.uri, known, caching)) == ["a.md"]
        assert place.asked == ["GET /policies.git/info/refs"]


def test_a_kept_copy_gets_what_changed(repository: Repository, caching: Fetching) -> None:
    """Changes, additions and removals arrive, commit by commit."""
    with over_http(repository) as place:
        known: dict[str, Seen] = {}
        for number in range(4):
            repository.commit(
                {"same.md": "same", f"{number}.md": str(number), "a.md": f"{number}!"}
            )
            found = scan("git", place.uri, known, caching)
            changed = [one for one in found if one.key not in known or one.key == "a.md"]
            assert texts(changed) | {"same.md": "same"} == {
                "same.md": "same", f"{number}.md": str(number), "a.md": f"{number}!",
            }  # fmt: skip
            assert len(found) == 3
            known = seen(found)


def test_history_is_not_fetched(repository: Repository, caching: Fetching) -> None:
    """The copy holds the newest files only, however long the history."""
    for number in range(10):
        repository.commit({"a.md": f"{number}" * 1000})
    with over_http(repository) as place:
        scan("git", place.uri, config=caching)
    (folder,) = (path for path in (caching.cache or Path()).iterdir() if path.is_dir())
    with Repo(folder) as copy:
        assert len(list(copy.object_store)) == 3  # commit, tree, file


def test_a_damaged_copy_is_made_anew(repository: Repository, caching: Fetching) -> None:
    """The look that finds it fails, the next one succeeds."""
    repository.commit({"a.md": "one"})
    with over_http(repository) as place:
        scan("git", place.uri, config=caching)
        for pack in (caching.cache or Path()).rglob("*.pack"):
            pack.chmod(0o600)
            pack.write_bytes(b"PACK" + b"\xff" * (pack.stat().st_size - 4))
        with pytest.raises(SourceError):
            scan("git", place.uri, config=caching)
        assert texts(scan("git", place.uri, config=caching)) == {"a.md": "one"}


def test_a_branch_may_be_named(repository: Repository) -> None:
    """Another branch than the first has other words."""
    repository.commit({"a.md": "main"})
    repository.commit({"a.md": "draft"}, branch="drafts/2025")
    with over_http(repository) as place:
        assert texts(scan("git", place.uri, branch="drafts/2025")) == {"a.md": "draft"}
        assert texts(scan("git", place.uri)) == {"a.md": "main"}


def test_a_branch_that_is_not_there_is_told_with_those_that_are(repository: Repository) -> None:
    """People mistype, and branches are renamed."""
    repository.commit({"a.md": "main"})
    repository.commit({"a.md": "draft"}, branch="drafts")
    told = "no branch master; name one of drafts, main"
    with over_http(repository) as place, pytest.raises(SourceError, match=told):
        scan("git", place.uri, branch="master")
    with pytest.raises(SourceError, match=told):
        scan("git", str(repository.folder), branch="master")


def test_a_repository_without_a_commit_is_a_failure_of_the_source(repository: Repository) -> None:
    """It holds nothing, which is more likely a mistake than a wish."""
    with over_http(repository) as place, pytest.raises(SourceError, match="empty"):
        scan("git", place.uri)
    with pytest.raises(SourceError, match="empty"):
        scan("git", str(repository.folder))


def test_links_and_repositories_within_are_left_out(repository: Repository) -> None:
    """A link's content is a path, and another repository's files are not here."""
    others = {b"link.md": (LINK, b"/etc/passwd"), b"module.md": (SUBMODULE, b"a" * 40)}
    repository.commit({"a.md": "one"}, others=others)
    assert texts(scan("git", str(repository.folder))) == {"a.md": "one"}
    with over_http(repository) as place:
        assert texts(scan("git", place.uri)) == {"a.md": "one"}


def test_patterns_choose_files(repository: Repository) -> None:
    """A pattern chooses as in a folder; without one, names without an ending are programs'."""
    repository.commit({"docs/a.md": "a", "b.md": "b", "Makefile": "all:", ".github/c.md": "c"})
    assert set(texts(scan("git", str(repository.folder)))) == {"docs/a.md", "b.md"}
    assert set(texts(scan("git", str(repository.folder), glob="docs/**"))) == {"docs/a.md"}
    assert set(texts(scan("git", str(repository.folder), glob="Makefile"))) == {"Makefile"}


def test_a_large_file_is_a_failure(repository: Repository) -> None:
    """The other files are read."""
    repository.commit({"a.md": "one", "b.md": "x" * 2000})
    found = scan("git", str(repository.folder), config=replace(QUICK, max_bytes=1000))
    assert set(failures(found)) == {"b.md"}
    assert texts([one for one in found if not isinstance(one, Failure)]) == {"a.md": "one"}


def test_what_is_kept_outside_git_is_a_failure(repository: Repository) -> None:
    """A pointer is not the document."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    repository.commit({"a.pdf": pointer})
    assert "Git LFS" in failures(scan("git", str(repository.folder)))["a.pdf"]


def test_a_name_that_is_not_utf_8_is_a_failure(repository: Repository) -> None:
    """Such a name cannot be a key."""
    repository.commit({}, others={b"caf\xe9.md": (FILE, b"words")})
    (reason,) = failures(scan("git", str(repository.folder))).values()
    assert "not valid UTF-8" in reason


def test_a_repository_that_is_too_large_is_refused(repository: Repository) -> None:
    """The scan's limit holds while the files arrive."""
    repository.commit({"a.md": Random(1).randbytes(30_000)})
    with over_http(repository) as place, pytest.raises(SourceError, match="more than"):
        scan("git", place.uri, config=replace(QUICK, max_total=10_000))


def test_a_file_that_packs_well_is_not_unpacked(repository: Repository) -> None:
    """A few kilobytes may unpack to more than a worker has; the pack says so beforehand."""
    repository.commit({"a.md": "one", "b.md": b"x" * 5_000_000})
    few = replace(QUICK, max_bytes=1_000_000)
    with over_http(repository) as place, pytest.raises(SourceError, match="more than 2 MiB"):
        scan("git", place.uri, config=few)


def test_what_is_left_of_a_killed_worker_does_no_harm(
    repository: Repository, caching: Fetching
) -> None:
    """A copy that was half made when its maker died is made again."""
    repository.commit({"a.md": "one"})
    with over_http(repository) as place:
        scan("git", place.uri, config=caching)
        shutil.rmtree(next((caching.cache or Path()).glob("*/objects")))
        assert texts(scan("git", place.uri, config=caching)) == {"a.md": "one"}


def test_copies_that_nobody_uses_go(repository: Repository, caching: Fetching) -> None:
    """Sources are removed, and nobody tells the cache."""
    repository.commit({"a.md": "one"})
    unused = (caching.cache or Path()) / "unused"
    (unused / "objects").mkdir(parents=True)
    os.utime(unused, (0, 0))
    with over_http(repository) as place:
        scan("git", place.uri, config=caching)
        assert not unused.exists()
        assert texts(scan("git", place.uri, config=caching)) == {"a.md": "one"}


def test_a_copy_of_many_small_fetches_is_made_anew(
    repository: Repository, caching: Fetching
) -> None:
    """Each fetch leaves a file or two, which nothing else would tidy."""
    repository.commit({"a.md": "one"})
    with over_http(repository) as place:
        scan("git", place.uri, config=caching)
        packs = next((caching.cache or Path()).glob("*/objects/pack"))
        for number in range(MAX_PACK_FILES + 1):
            (packs / f"tmp_{number}").touch()
        assert texts(scan("git", place.uri, config=caching)) == {"a.md": "one"}
        assert len(list(packs.iterdir())) < 5


def test_too_many_files_are_refused(repository: Repository) -> None:
    """The sentence names the way out."""
    repository.commit({f"{number}.md": "words" for number in range(4)})
    with pytest.raises(SourceError, match="more than 3 files"):
        scan("git", str(repository.folder), config=replace(QUICK, max_items=3))


def test_a_tree_that_multiplies_itself_ends(repository: Repository) -> None:
    """Ten folders, each ten times in the one above, are a billion files in a kilobyte."""
    store = repository.repo.object_store
    tree = Tree()
    tree.add(b"a.txt", FILE, Blob.from_string(b"x").id)
    for _ in range(70):
        store.add_object(tree)
        above = Tree()
        for number in range(10):
            above.add(b"%d" % number, stat.S_IFDIR, tree.id)
        tree = above
    repository.commit({})
    store.add_object(tree)
    commit: Any = store[repository.repo.refs[Ref(b"refs/heads/main")]]
    commit.tree = tree.id
    store.add_object(commit)
    repository.repo.refs[Ref(b"refs/heads/main")] = commit.id
    with pytest.raises(SourceError):
        scan("git", str(repository.folder))


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        pytest.param("https://github.com/shop/policies.git",
                     "https://github.com/shop/policies/blob/HEAD/a%20b.md", id="GitHub"),
        pytest.param("https://gitlab.com/shop/hr/policies",
                     "https://gitlab.com/shop/hr/policies/-/blob/HEAD/a%20b.md", id="GitLab"),
        pytest.param("https://gitlab.shop.example/policies.git",
                     "https://gitlab.shop.example/policies/-/blob/HEAD/a%20b.md", id="own GitLab"),
        pytest.param("https://bitbucket.org/shop/policies",
                     "https://bitbucket.org/shop/policies/src/HEAD/a%20b.md", id="Bitbucket"),
        pytest.param("https://code.shop.example/policies.git", None, id="unknown host"),
        pytest.param("git://github.com/shop/policies.git", None, id="no pages"),
        pytest.param("/srv/github.com/policies.git", None, id="a folder"),
    ],
)  # fmt: skip
def test_files_are_linked_where_hosts_are_known_to_show_them(uri: str, link: str | None) -> None:
    """People open a document where it is kept."""
    assert GitScanner(uri, {}, QUICK).link("a b.md") == link


def test_a_link_names_the_branch_that_is_watched() -> None:
    """Another branch has other words."""
    scanner = GitScanner("https://github.com/shop/policies", {"branch": "next/1"}, QUICK)
    assert scanner.link("a.md") == "https://github.com/shop/policies/blob/next/1/a.md"


def test_redirects_of_a_repository_are_followed_and_judged(repository: Repository) -> None:
    """Hosts redirect renamed repositories; where they lead is judged like the first address."""
    repository.commit({"a.md": "one"})

    def to(target: str) -> Any:
        return lambda _: Reply(
            301, headers={"location": f"{target}/info/refs?service=git-upload-pack"}
        )

    with over_http(repository) as place, LocalServer(to(place.uri)) as old:
        assert texts(scan("git", f"{old.origin}/old.git")) == {"a.md": "one"}
    with LocalServer(to("http://169.254.169.254/x")) as old, pytest.raises(RefusedHostError):
        scan("git", f"{old.origin}/old.git")


@pytest.mark.parametrize("uri", ["http://git.test/a.git", "git://git.test/a.git"])
def test_a_private_host_is_refused(uri: str) -> None:
    """Both protocols go over guarded connections."""
    config = Fetching(resolve=resolver(git_test="10.0.0.1"))
    with pytest.raises(RefusedHostError, match=r"git\.test is not on the public internet"):
        scan("git", uri, config=config)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param(Reply(404), "no git repository", id="not found"),
        pytest.param(Reply(401, headers={"www-authenticate": "Basic"}), "not there or not public",
                     id="private"),
        pytest.param(Reply(500), "did not answer as it should", id="broken"),
        pytest.param(Reply(200, b"<html>", "text/html"), "did not answer as it should", id="page"),
        pytest.param(Reply(200, b"zzzz", "application/x-git-upload-pack-advertisement"),
                     "did not answer as it should", id="nonsense"),
        pytest.param(Reply(200, b"", "application/x-git-upload-pack-advertisement"),
                     "did not answer as it should|empty", id="nothing"),
    ],
)  # fmt: skip
def test_a_server_without_the_repository_is_a_failure_of_the_source(
    reply: Reply, message: str
) -> None:
    """Each is told in a sentence."""
    with LocalServer(lambda _: reply) as server, pytest.raises(SourceError, match=message):
        scan("git", f"{server.origin}/a.git")


def test_a_host_that_sends_references_without_end_is_cut_off() -> None:
    """What comes before the files is bounded in size, long before it is in time."""

    def references() -> Iterator[bytes]:
        yield b"001e# service=git-upload-pack\n0000"
        while True:
            yield (b"0042" + b"a" * 40 + b" refs/heads/" + b"b" * 9 + b"\n") * 100

    kind = "application/x-git-upload-pack-advertisement"
    few = replace(QUICK, max_total=100_000, patience=30)
    with LocalServer(lambda _: Reply(200, content_type=kind, stream=references())) as server:
        start = time.monotonic()
        with pytest.raises(SourceError, match="more than"):
            scan("git", f"{server.origin}/a.git", config=few)
        assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("ssh://git@github.com/shop/policies", "https:// or git://", id="ssh"),
        pytest.param("git@github.com:shop/policies.git", "https:// or git://", id="ssh, short"),
        pytest.param("https://token@github.com/shop/policies", "password", id="token"),
        pytest.param("policies", "whole path", id="relative path"),
        pytest.param("ext::sh -c touch% /tmp/x", "https:// or git://", id="a command"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused_at_once(uri: str, message: str) -> None:
    """Nothing is asked of anybody."""
    with pytest.raises(SourceError, match=message):
        list(open_scanner("git", uri, {}, Fetching(resolve=resolver())).scan({}))


def test_a_folder_without_a_repository_is_a_failure_of_the_source(tmp_path: Path) -> None:
    """Its path is not told."""
    with pytest.raises(SourceError, match="no git repository") as caught:
        scan("git", str(tmp_path))
    assert str(tmp_path) not in str(caught.value)
