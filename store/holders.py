"""Who needs a shared server: one file per process, locked while it needs it."""

import secrets
import socket
from os import getpid
from pathlib import Path

from filelock import FileLock, Timeout


class Holders:
    """The holders of one server, as files in `folder`.

    The kernel drops a file's lock when its process ends in whatever way, so nobody is counted who
    is gone. Joining, leaving and counting want a lock around them: the caller's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: FileLock | None = None

    @property
    def joined(self) -> bool:
        """Whether this object holds."""
        return self._own is not None

    def join(self) -> None:
        """Begin to hold; joining twice is joining once."""
        if self._own is None:
            name = f"{socket.gethostname()}~{getpid()}~{secrets.token_hex(4)}.lock"
            own = FileLock(self._folder / name, timeout=0, thread_local=False)
            own.acquire()
            self._own = own

    def leave(self) -> None:
        """Hold no longer."""
        if self._own is not None:
            self._own.release()
            Path(self._own.lock_file).unlink(missing_ok=True)
            self._own = None

    def others(self) -> list[str]:
        """Return the host name of each living holder but this one; sweep what dead ones left."""
        hosts = []
        for path in self._folder.glob("*.lock"):
            if self._own is not None and path == Path(self._own.lock_file):
                continue
            probe = FileLock(path, timeout=0, thread_local=False)
            try:
                probe.acquire()
            except Timeout:
                hosts.append(path.name.partition("~")[0])
            else:
                probe.release()
                path.unlink(missing_ok=True)
        return hosts
