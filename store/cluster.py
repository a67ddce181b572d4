"""Making the embedded Postgres' cluster: where it may lie, its password, initdb."""

import re
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from store.postgres_host import (
    SHARED_ROOT,
    Account,
    Binaries,
    EmbeddedPostgresError,
    make_folder,
    server_account,
)

ROLE = "footnote"  # also the database; the only role of the cluster
INITDB_TIMEOUT = 120.0  # seconds; usually one
STAGING = ".postgres-new-"
# UTF-8 rules for letters come from the builtin provider; the text search parser still asks the
# C library, and under plain C it takes curly quotes and dashes for letters.
LETTER_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")


@dataclass(frozen=True)
class Cluster:
    """The database files of one home folder, owned by the account that the server runs as."""

    home: Path
    shared: Path = SHARED_ROOT

    @cached_property
    def account(self) -> Account:
        """The account that owns the cluster, or is to own it."""
        return server_account(self.data)

    @property
    def data(self) -> Path:
        """The data folder: in the home, or where `postgres.location` says."""
        try:
            return Path(self._location.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return self.home / "postgres"

    @property
    def exists(self) -> bool:
        """Whether the cluster has been made."""
        return (self.data / "PG_VERSION").exists()

    @property
    def major(self) -> str:
        """The major version of the Postgres that made it."""
        return (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()

    @property
    def _location(self) -> Path:
        return self.home / "postgres.location"

    @property
    def _password_file(self) -> Path:
        return self.home / "secrets" / "postgres-password"

    def url(self, port: int, database: str = ROLE) -> str:
        """Return the URL of `database` on a server at `port`.

        Raises EmbeddedPostgresError when the password is lost.
        """
        try:
            password = self._password_file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(
                f"The password of the database in {self.data} is gone from "
                f"{self._password_file}; restore that file, or move the database away to begin "
                "with an empty one."
            ) from error
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{database}"

    def make(self, binaries: Binaries) -> None:
        """Make the cluster beside its place and move it there when it is whole."""
        self.refuse_to_replace()
        place = self._choose_place()
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=place.parent))
        try:
            self.account.own(staging)
            self._run_initdb(binaries, staging)
            (staging / "data").rename(place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if place.parent != self.home:
            self._location.write_text(f"{place}\n", encoding="utf-8")

    def refuse_to_replace(self) -> None:
        """Raise EmbeddedPostgresError if there was a cluster elsewhere before, which is gone."""
        if self._location.exists():
            raise EmbeddedPostgresError(
                f"The database of this home was kept in {self.data}, which is gone; put it back, "
                f"or delete {self._location} to begin with an empty one."
            )

    def sweep(self) -> None:
        """Delete what interrupted attempts to make the cluster left in the home."""
        for leftover in self.home.glob(f"{STAGING}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def remove(self) -> None:
        """Delete the cluster and what points to it."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._location.unlink(missing_ok=True)
        self._password_file.unlink(missing_ok=True)

    def _choose_place(self) -> Path:
        """Return a folder for the cluster that the account can reach; opens nobody's folder."""
        if self.account.may_enter(self.home):
            return self.home / "postgres"
        clusters = self.shared / "clusters"
        try:
            make_folder(self.shared, 0o711)
            make_folder(clusters, 0o711)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The account {self.account.name} cannot reach {self.home}, and {clusters} cannot "
                f"be made ({error.strerror}); set FOOTNOTE_HOME to a folder that every account "
                "may pass through."
            ) from error
        # A token beside the hash: a home that was deleted and made again begins empty.
        name = sha256(str(self.home).encode()).hexdigest()[:10]
        return clusters / f"{name}-{secrets.token_hex(3)}"

    def _run_initdb(self, binaries: Binaries, staging: Path) -> None:
        password_file = staging / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._make_password(), encoding="utf-8")
        self.account.own(password_file)
        command = [binaries.tool("initdb"), "-D", str(staging / "data"), "-U", ROLE, "-E", "UTF8"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        told = ""
        for letters in LETTER_LOCALES:
            done = self.account.run([*command, f"--lc-ctype={letters}"], INITDB_TIMEOUT)
            if done.returncode == 0:
                return
            told = done.stdout.decode(errors="replace")
            if "invalid locale" not in told:
                break
        raise failure("The embedded Postgres could not be set up", told, staging.parent)

    def _make_password(self) -> str:
        """Return the password, making it once; readable by this account only."""
        if not self._password_file.exists():
            draft = self._password_file.with_suffix(".new")
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(32), encoding="utf-8")
            draft.replace(self._password_file)  # whole or not at all, also on a full disk
        return self._password_file.read_text(encoding="utf-8")


def failure(what: str, told: str, place: Path) -> EmbeddedPostgresError:
    """Return an error that says `what` failed and why, as far as Postgres has `told` it."""
    if "No space left on device" in told:
        return EmbeddedPostgresError(
            f"The disk of {place} is full; free some space and try again."
        )
    return EmbeddedPostgresError(f"{what}: {last_complaint(told)}.")


def last_complaint(told: str) -> str:
    """Return the last line of `told` that says what went wrong, without time and process."""
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["it left no word"]
    marked = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error):", line)]
    line = (marked or lines)[-1]
    return re.sub(r"^.*?\b(FATAL|PANIC|ERROR|error):\s*", "", line).rstrip(".")
