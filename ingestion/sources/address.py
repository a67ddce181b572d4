"""Places that fsspec knows: s3, gs, abfs, sftp, ftp, webdav, github and the like."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ingestion.sources import Failure, Fetching, Found, Item, Seen, SourceError, Unchanged
from ingestion.sources.address_kinds import (
    KINDS,
    FileSystem,
    check_uri,
    package_errors,
    protocol_of,
)
from ingestion.sources.choice import Choice, Tally, check_options, shown
from ingestion.sources.guard import Guard

MAX_ENTRIES = 500_000  # files and folders that are looked through
MAX_DEPTH = 64  # folders within folders
UNSEEN = Seen(None, None)

Info = Mapping[str, Any]

_CHECKSUMS = ("ETag", "etag", "md5Hash", "content_md5", "sha", "checksum")
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "modify", "created")


class AddressScanner:
    """Reads the documents below an address, or the one file that it names.

    A host in the address is checked before it is used; services without a host in their
    addresses are those of their providers. Credentials come from the worker's environment.
    """

    def __init__(self, uri: str, options: Mapping[str, str], config: Fetching) -> None:
        self._uri = uri.strip()
        self._protocol = protocol_of(self._uri)
        self._kind = KINDS[self._protocol]
        check_options("address", options, ("glob", *self._kind.options))
        check_uri(self._uri, self._kind)
        self._options = {name: value for name, value in options.items() if name != "glob"}
        self._choice = Choice(options.get("glob", ""))
        self._guard = Guard(config.allowed_hosts, config.resolve)
        self._config = config

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return the documents there are, in order of their paths."""
        tally = Tally(self._config)
        with self._explained():
            filesystem, root = self._kind.open(self._uri, self._options, self._guard)
            files = sorted(_files(filesystem, root), key=lambda file: file[0])
        for key, path, info in files:
            if self._choice.takes(key):
                tally.count()
                fingerprint = _fingerprint(info, self._config.settled)
                if fingerprint is not None and fingerprint == known.get(key, UNSEEN).fingerprint:
                    yield Unchanged(key, fingerprint)
                else:
                    yield from _read(
                        filesystem, path, info, Item(key, key, b"", fingerprint), tally
                    )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a package raises into SourceError."""
        try:
            yield
        except ImportError:
            raise SourceError(
                f"Reading {self._protocol}:// needs python3 run.py install cloud."
            ) from None
        except FileNotFoundError:
            raise SourceError(f"There is nothing at {shown(self._uri)}; check it.") from None
        except PermissionError:
            raise SourceError(
                f"{shown(self._uri)} does not let this worker in; give its environment the"
                " credentials."
            ) from None
        except socket.gaierror:
            raise SourceError(f"The host of {shown(self._uri)} is not known; check it.") from None
        except package_errors() as error:
            raise SourceError(
                f"{shown(self._uri)} cannot be read ({type(error).__name__}); check the address"
                " and the credentials in the worker's environment."
            ) from error


def _files(filesystem: FileSystem, root: str) -> Iterator[tuple[str, str, Info]]:
    """Return key, path and details of each file."""
    if (info := filesystem.info(root))["type"] == "file":
        yield root.rstrip("/").rpartition("/")[2], root, info
        return
    count = 0
    start = root.strip("/")
    for _, folders, files in filesystem.walk(
        root, maxdepth=MAX_DEPTH, detail=True, on_error="raise"
    ):
        count += len(folders) + len(files)
        if count > MAX_ENTRIES:
            raise SourceError(f"There are more than {MAX_ENTRIES:,} files; watch a part of them.")
        for info in files.values():
            path = str(info["name"])
            key = path.strip("/").removeprefix(start).strip("/")
            if info.get("type") == "file" and key:
                yield key, path, info


def _read(
    filesystem: FileSystem, path: str, info: Info, item: Item, tally: Tally
) -> Iterator[Found]:
    """Return an item with its bytes, if it is still there."""
    key = item.key
    if refusal := tally.refusal(key, int(info.get("size") or 0)):
        yield refusal
        return
    try:
        with filesystem.open(path, "rb") as file:
            data = file.read(tally.room + 1)
    except FileNotFoundError:
        return
    except package_errors() as error:
        yield Failure(key, f"{shown(key)} cannot be read ({type(error).__name__}).")
        return
    if refusal := tally.refusal(key, len(data)):
        yield refusal
        return
    tally.add(len(data))
    yield replace(item, data=data, modified=_modified(info))


def _fingerprint(info: Info, settled: float) -> str | None:
    """Return what tells a change: a checksum, else time and size.

    None where there is neither, or where the file was modified `settled` seconds ago or less:
    many places count whole seconds.
    """
    checksum = next((info[name] for name in _CHECKSUMS if info.get(name)), None)
    if checksum is not None:
        return str(checksum)
    modified = _modified(info)
    if modified is None or (datetime.now(UTC) - modified).total_seconds() < settled:
        return None
    return f"{modified.isoformat()} {info.get('size')}"


def _modified(info: Info) -> datetime | None:
    """Return when the file was modified, where that is told as a time."""
    time = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(time, int | float):
        return datetime.fromtimestamp(time, UTC)
    if isinstance(time, str):
        with contextlib.suppress(ValueError):
            time = datetime.fromisoformat(time)
    if not isinstance(time, datetime):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
