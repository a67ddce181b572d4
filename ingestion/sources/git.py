"""Repositories: the documents of a branch, at https and git addresses or in a folder here."""

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dulwich.client import HTTPUnauthorized
from dulwich.errors import NotGitRepository
from dulwich.objects import Commit
from dulwich.refs import Ref
from dulwich.repo import Repo

from ingestion.errors import printable
from ingestion.sources import Failure, Fetching, Found, Item, Seen, SourceError, Unchanged
from ingestion.sources.choice import Choice, Tally, check_options, shown, too_large
from ingestion.sources.fetch import FetchError, address
from ingestion.sources.git_remote import BROKEN, HEADS, Refs, remote_copy

OPTIONS = ("branch", "glob")
MAX_ENTRIES = 500_000  # files and folders of a branch that are looked through
MAX_DEPTH = 64  # folders within folders
BRANCHES_NAMED = 10  # in a sentence
LFS = b"version https://git-lfs.github.com/spec/"
_BLOB_PAGES = {
    "github": "/blob/HEAD/",
    "gitlab": "/-/blob/HEAD/",
    "bitbucket": "/src/HEAD/",
}
"""Where hosts of these names show a file of the branch that stands for HEAD."""


class GitScanner:
    """Reads the documents of a branch, by default the one that the repository opens with.

    Links and other repositories within are left out, and what is kept outside git (LFS) is told.
    A document's fingerprint is the id of its content, so what is known is not read again.
    """

    def __init__(self, uri: str, options: Mapping[str, str], config: Fetching) -> None:
        check_options("git", options, OPTIONS)
        self._uri = uri.strip()
        self._folder = _local(self._uri)
        if self._folder is None:
            _check_address(self._uri)
        self._branch = options.get("branch", "").strip()
        self._choice = Choice(options.get("glob", ""), bare_names=False)
        self._config = config

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return the branch's documents in order of their paths."""
        try:
            with self._opened() as (repo, commit):
                yield from self._documents(repo, commit, known)
        except NotGitRepository:
            raise SourceError("There is no git repository; check the address.") from None
        except HTTPUnauthorized:
            raise SourceError(
                "The repository is not there or not public; check the address, or watch a copy in"
                " a folder here."
            ) from None
        except FetchError as error:
            raise SourceError(str(error)) from error
        except BROKEN as error:
            raise SourceError(
                "The repository could not be read, for its host did not answer as it should;"
                " try again later."
            ) from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[Repo, Any]]:
        """Give the repository and the commit to read."""
        if self._folder is None:
            with remote_copy(self._uri, self._chosen, self._config) as opened:
                yield opened
        else:
            with Repo(self._folder) as repo:
                yield repo, self._chosen(repo.get_refs())

    def _chosen(self, refs: Refs) -> Any:
        """Return the commit of the branch. Raises SourceError, naming the branches there are."""
        wanted = HEADS + self._branch.encode() if self._branch else b"HEAD"
        if (commit := refs.get(Ref(wanted))) is not None:
            return commit
        there = sorted(
            ref[len(HEADS) :].decode("utf-8", "replace") for ref in refs if ref.startswith(HEADS)
        )
        if not there:
            raise SourceError("The repository is empty; it has no branch yet.")
        named = ", ".join(printable(name) for name in there[:BRANCHES_NAMED])
        more = " and others" if len(there) > BRANCHES_NAMED else ""
        missing = (
            f"no branch {printable(self._branch)}"
            if self._branch
            else "no branch of its own choice"
        )
        raise SourceError(f"The repository has {missing}; name one of {named}{more}.")

    def _documents(self, repo: Repo, commit: Any, known: Mapping[str, Seen]) -> Iterator[Found]:
        tally = Tally(self._config)
        for path, blob in _files(repo, commit):
            key = path.decode("utf-8", "replace")
            if not self._choice.takes(key):
                continue
            tally.count()
            seen = known.get(key)
            if key.encode() != path:
                yield Failure(key, f"{shown(key)} has a name that is not valid UTF-8; rename it.")
            elif seen is not None and seen.fingerprint == blob.decode():
                yield Unchanged(key, seen.fingerprint)
            else:
                yield self._read(repo, key, blob, tally)

    def _read(self, repo: Repo, key: str, blob: Any, tally: Tally) -> Found:
        if blob not in repo.object_store:  # its host left it out, as it was asked to
            return Failure(key, too_large(key, self._config.max_bytes))
        _, data = repo.object_store.get_raw(blob)
        if refusal := tally.refusal(key, len(data)):
            return refusal
        if data.startswith(LFS):
            return Failure(key, f"{shown(key)} is kept in Git LFS, which is not read.")
        tally.add(len(data))
        return Item(key, key, data, blob.decode(), self.link(key))

    def link(self, key: str) -> str | None:
        """Return where the file can be seen, on hosts that are known to show files."""
        parts = urlsplit(self._uri)
        host = (parts.hostname or "").split(".")[0]
        if self._folder is not None or parts.scheme != "https" or host not in _BLOB_PAGES:
            return None
        page = _BLOB_PAGES[host].replace("HEAD", quote(self._branch) or "HEAD")
        repository = f"https://{parts.netloc}{parts.path.rstrip('/').removesuffix('.git')}"
        return f"{repository}{page}{quote(key)}"


def _files(repo: Repo, commit: Any) -> Iterator[tuple[bytes, Any]]:
    """Return paths and ids of the regular files of a commit."""
    there = repo.object_store[commit]
    if not isinstance(there, Commit):
        raise SourceError("The branch leads to no commit; name another.")
    entries = repo.object_store.iter_tree_contents(
        there.tree, include_trees=True, max_depth=MAX_DEPTH
    )
    for count, entry in enumerate(entries):
        if count > MAX_ENTRIES:
            raise SourceError(f"The branch has more than {MAX_ENTRIES:,} files; watch another.")
        if entry.path is not None and entry.mode is not None and stat.S_ISREG(entry.mode):
            yield entry.path, entry.sha


def _local(uri: str) -> Path | None:
    """Return the folder that an address names, None for one elsewhere."""
    if uri.startswith("file://"):
        uri = uri.removeprefix("file://")
    path = Path(uri).expanduser()
    return path if path.is_absolute() and "\0" not in uri else None


def _check_address(uri: str) -> None:
    """Raise SourceError for an address that is not read."""
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme in ("http", "https"):
        address(uri)
    elif scheme == "git":
        address(uri.replace("git://", "http://", 1))  # the same parts
    else:
        raise SourceError(
            f"{shown(uri)} is not an address that repositories are read from; give one that begins"
            " with https:// or git://, or the whole path of a folder here."
        )
