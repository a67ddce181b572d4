"""Folders on this machine."""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from ingestion.errors import printable
from ingestion.sources import Failure, Fetching, Found, Item, Seen, SourceError, Unchanged
from ingestion.sources.choice import Choice, Tally, check_options, hidden, shown

OPTIONS = ("glob",)
READ_TWICE = 2  # attempts at a file that changes while it is read
MAX_DEPTH = 64  # folders within folders
# A pipe put in a file's place must not hold the scan up, a link must not lead out.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class _ChangingError(Exception):
    """The file changed while it was read."""


@dataclass(frozen=True)
class _Place:
    """A file: its path in the source, and where it is when links within are followed."""

    key: str
    path: Path


class FolderScanner:
    """Reads the documents in a folder and the folders in it.

    Hidden files are left out, links that lead out of the folder too; a link to a folder is not
    followed. Sentences name paths within the folder only.
    """

    def __init__(self, uri: str, options: Mapping[str, str], config: Fetching) -> None:
        check_options("folder", options, OPTIONS)
        self._root = _path(uri)
        if "\0" in uri or not self._root.is_absolute():
            raise SourceError(
                f"{printable(uri)} is no whole path of a folder; write it from / on."
            )
        self._choice = Choice(options.get("glob", ""))
        self._config = config

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return the documents there are, in order of their paths."""
        root = self._real_root()
        tally = Tally(self._config)
        for found in _walk(root, root, known):
            if isinstance(found, Failure):
                yield found
            elif self._choice.takes(found.key):
                tally.count()
                yield from self._look(found, known.get(found.key), tally)

    def _real_root(self) -> Path:
        try:
            root = self._root.resolve(strict=True)
            with os.scandir(root):
                return root
        except NotADirectoryError:
            raise SourceError("The path is not a folder; name one.") from None
        except FileNotFoundError:
            raise SourceError(
                "The folder is not there; check the path and whether its drive is mounted."
            ) from None
        except (OSError, RuntimeError):
            raise SourceError(
                "The folder cannot be opened; let the worker's account read it."
            ) from None

    def _look(self, place: _Place, seen: Seen | None, tally: Tally) -> Iterator[Found]:
        """Return one file as it is, if it is there at all."""
        try:
            stand = place.path.stat()
            fingerprint = self._fingerprint(stand)
            if seen is not None and seen.fingerprint == fingerprint is not None:
                yield Unchanged(place.key, fingerprint)
            elif refusal := tally.refusal(place.key, stand.st_size):
                yield refusal
            else:
                yield self._read(place, tally)
        except FileNotFoundError:
            return
        except _ChangingError:
            yield Failure(
                place.key,
                f"{shown(place.key)} changed while it was read; it is read at the next look.",
            )
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else "the disk reported an error"
            yield Failure(place.key, f"{shown(place.key)} cannot be read ({why}).")

    def _read(self, place: _Place, tally: Tally) -> Item:
        """Return a file whose bytes belong together. Raises OSError, _ChangingError."""
        for _ in range(READ_TWICE):
            data, before, after = _bytes_between_looks(place.path)
            if _stamp(before) == _stamp(after) and len(data) == after.st_size:
                tally.add(len(data))
                modified = datetime.fromtimestamp(after.st_mtime, UTC)
                return Item(
                    place.key,
                    place.key,
                    data,
                    self._fingerprint(after),
                    link=None,
                    modified=modified,
                )
        raise _ChangingError

    def _fingerprint(self, stand: os.stat_result) -> str | None:
        """Return what tells a change, None for a file that may be in the middle of one.

        The time of change is in it because a program can set the time of modification.
        """
        age = time.time() - max(stand.st_mtime, stand.st_ctime)
        return _stamp(stand) if age >= self._config.settled else None


def _path(uri: str) -> Path:
    """Return the folder that is meant, written as a path or as an address."""
    if uri.startswith("file://"):
        return Path(unquote(uri.removeprefix("file://")))
    try:
        return Path(uri).expanduser()
    except RuntimeError:  # there is no such user
        return Path()


def _walk(folder: Path, root: Path, known: Mapping[str, Seen]) -> Iterator[_Place | Failure]:
    """Return the regular files below a folder that are not hidden."""
    if len(folder.relative_to(root).parts) > MAX_DEPTH:
        key = _key(folder, root)
        yield Failure(key, f"{shown(key)} is too deep in folders; move it up.")
        return
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return  # removed since its parent was read
    except OSError:
        yield from _unreadable(_key(folder, root), known)
        return
    for entry in inside:
        if hidden(entry.name):
            continue
        path = folder / entry.name
        if entry.is_symlink():
            yield from _linked(path, root)
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, known)
        elif entry.is_file(follow_symlinks=False):
            yield _named(path, path, root)


def _linked(path: Path, root: Path) -> Iterator[_Place | Failure]:
    """Return the file that a link leads to, if that is in the folder and not hidden."""
    key = _key(path, root)
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return  # it leads nowhere, or to itself
    if not target.is_relative_to(root):
        yield Failure(key, f"{shown(key)} is a link that leads out of the folder: left out.")
    elif target.is_file() and not hidden(_key(target, root)):
        yield _named(path, target, root)


def _named(path: Path, target: Path, root: Path) -> _Place | Failure:
    key = path.relative_to(root).as_posix()
    if key != _key(path, root):
        told = _key(path, root)
        return Failure(told, f"{shown(told)} has a name that is not valid UTF-8; rename it.")
    return _Place(key, target)


def _key(path: Path, root: Path) -> str:
    """Return a path within the folder; bytes that are no UTF-8 become question marks."""
    return path.relative_to(root).as_posix().encode("utf-8", "replace").decode()


def _unreadable(folder: str, known: Mapping[str, Seen]) -> Iterator[Failure]:
    """Report a folder that cannot be opened, and what was known in it, so that it stays."""
    reason = f"The folder {shown(folder)} cannot be opened; let the worker's account read it."
    yield Failure(folder, reason)
    for key in known:
        if key.startswith(f"{folder}/"):
            yield Failure(key, reason)


def _bytes_between_looks(path: Path) -> tuple[bytes, os.stat_result, os.stat_result]:
    """Return a file's bytes, and how it stood before and after they were read."""
    with os.fdopen(os.open(path, OPEN_FLAGS), "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise _ChangingError
        data = file.read(before.st_size + 1)
        return data, before, os.fstat(file.fileno())


def _stamp(stand: os.stat_result) -> str:
    return f"{stand.st_mtime_ns}:{stand.st_ctime_ns}:{stand.st_size}"
