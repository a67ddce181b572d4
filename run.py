#!/usr/bin/env python3
"""Start Footnote with `python3 run.py up`, check it with `python3 run.py test`.

Needs Python and nothing else: it makes `.venv` beside itself from the locked requirements, once,
and runs every command in there. The whole file keeps to the grammar of Python 3.6, so that an old
Python says the sentence below instead of "invalid syntax".
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - that is the point
    sys.exit(
        "Footnote needs Python 3.11 or newer, and this is Python "
        + ".".join(str(part) for part in sys.version_info[:3])
        + "; install a newer one and start run.py with it."
    )

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
STAMP = VENV / "footnote.json"  # what is installed; absent while that is uncertain
PENDING = VENV / "footnote.pending"  # an installation began and has not ended
LOG = VENV / "install.log"
REDRAW = 0.2  # seconds between two pictures of the progress on a terminal
REPORT = 10.0  # seconds between two lines of progress elsewhere
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
TERMINATED = 143  # exit status after SIGTERM
# What `up` imports, compiled to bytecode once at installation. Compiling all that is installed, as
# pip would, takes four times as long and 100 MB that nothing ever reads.
WARMED = (
    "alembic.command celery.apps.worker celery.apps.beat fastapi jinja2 langchain_openai "
    "langgraph.graph nupunkt onnx onnxruntime openai pgvector.sqlalchemy psycopg psycopg_pool "
    "redis rich.progress slack_bolt.adapter.socket_mode sqlalchemy.orm tokenizers uvicorn"
)
PIP_OPTIONS = (
    "--disable-pip-version-check",
    "--no-input",
    "--no-compile",
    "--progress-bar=off",
)
COMPILING = "compiling"  # what comes after the counting
LINE_WIDTH = 66  # characters of the progress line
NAME_WIDTH = 39  # characters; the column where details begin
WINDOWS_LOCK_PLACE = 1 << 30  # byte to lock, far behind the file's end so that it stays readable

USAGE = """\
usage: python3 run.py [COMMAND] [ARGUMENT ...]

  up           start everything: database, worker, local page, Slack when configured (default)
  test [...]   install what the tests need and run them; arguments go to pytest

  check        run the linters, the type checker and the import rules
  soak [...]   run the long campaigns; arguments go to pytest
  install X    add what is not installed at first: formats (pptx, xlsx), cloud (s3, gs, sftp ...),
               train (fine-tuning on this machine)
  COMMAND ...  any other command of Footnote: ask, ingest, doctor ...

`python3 run.py help` lists all commands; each has its own --help.
"""

# Tests run in several processes, but not where only few are asked for, or somebody watches them.
ONE_PROCESS = tuple(
    "-k -n -s -h -V no:xdist --capture=no --co --fixtures --help --last-failed --lf --markers "
    "--numprocesses --pdb --setup- --sw --stepwise --trace --version".split()
)
MOST_PROCESSES = 6  # each may take 1 GB: a Postgres, a reader of files, commands that it starts

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CHECKS = (
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("mypy", ("-m", "mypy")),
    ("import rules", ("-c", LINT_IMPORTS)),
)
FAILURES = (  # what pip's log says, and what to tell instead; the first match wins
    (
        r"No space left on device|Errno 28\b|disk is full",
        "the disk is full; free about 2 GB and run it again",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a downloaded package is not the locked one; check who serves your packages",
    ),
    (
        r"Failed to establish a new connection|NewConnectionError|name resolution|getaddrinfo"
        r"|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|ProxyError"
        r"|Connection to \S+ timed out|CERTIFICATE_VERIFY_FAILED|SSLError",
        "packages cannot be downloaded; check the network, the proxy and pip's configuration, "
        "then run it again",
    ),
    (
        r"No matching distribution found for (\S+)",
        "pip finds no {0} for this platform and Python; "
        "check pip's configuration, or try another Python (3.11 or newer)",
    ),
)


class RunError(Exception):
    """Something that stops run.py; the message is one plain sentence that says what to do."""


@dataclass(frozen=True)
class Profile:
    """A set of packages: what pip is told, and which profiles' packages are among them."""

    name: str
    source: str  # the file that decides what is wanted, relative to the checkout
    pip: tuple[str, ...]
    covers: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return a hash that changes when the wanted packages do."""
        wanted = (ROOT / self.source).read_bytes() + repr(self.pip).encode()
        return hashlib.sha256(wanted).hexdigest()

    def arguments(self) -> list[str]:
        """Return pip's arguments with the source's place filled in."""
        return [part.replace("{source}", str(ROOT / self.source)) for part in self.pip]


LOCKED = ("--no-deps", "--require-hashes", "-r", "{source}")
BASE = Profile("base", "requirements/base.lock", LOCKED)
FORMATS = Profile("formats", "requirements/formats.lock", LOCKED, covers=("base",))
CLOUD = Profile("cloud", "requirements/cloud.lock", LOCKED, covers=("base",))
TEST = Profile("test", "requirements/test.lock", LOCKED, covers=("base", "formats"))
TRAIN = Profile("train", "requirements/train.lock", LOCKED, covers=("base",))
PROFILES = (BASE, FORMATS, CLOUD, TEST, TRAIN)
EXTRAS = {"formats": FORMATS, "cloud": CLOUD, "train": TRAIN}
# In no lock: it has a build for each accelerator, of which the largest take gigabytes.
NO_TORCH = (
    "torch is left, since its build depends on the machine: `{python} -m pip install torch` takes "
    "the one for NVIDIA cards, and the same with --index-url and the address of PyTorch's CPU "
    "builds a small one (docs/howto/train-locally.md)."
)


# What people see


def say(text: str, end: str = "\n") -> None:
    """Print to standard error, so that a command's own output can be piped."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + end)
    sys.stderr.flush()


def symbol(fancy: str, plain: str) -> str:
    """Return `fancy` where standard error can show it."""
    try:
        fancy.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return plain
    return fancy


def outcome(good: bool, name: str, detail: str) -> str:
    """Return a line such as `  ✓ mypy          12 s`."""
    mark = symbol("✓", "ok") if good else symbol("✗", "failed")
    return f"  {mark} {name:<{NAME_WIDTH}}{detail}"


class Progress:
    """Counts packages from what pip prints and shows the count, on one line on a terminal."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.heard: list[str] = []
        self.doing = "downloading"
        self._collected = 0
        self._before = self._present()
        self._began = time.monotonic()
        self._shown = self._began
        self._terminal = sys.stderr.isatty()

    @property
    def changing(self) -> bool:
        """Whether pip has begun to touch what is installed."""
        return self.doing != "downloading"

    def hear(self, line: str) -> None:
        """Take one line of pip's output into account."""
        self.heard.append(line.rstrip())
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self._collected += 1
        elif line.startswith("Ignoring "):  # a package of the lock for other platforms
            self.expected -= 1
        elif line.startswith("Installing collected packages: "):
            self.doing = "installing"
            self.expected = line.count(",") + 1

    def describe(self) -> str:
        """Return a text such as `downloading 57 of 131 packages, 12 s`."""
        done = self._present() - self._before if self.changing else self._collected
        seconds = time.monotonic() - self._began
        if self.doing == COMPILING:
            return f"{self.doing}, {seconds:.0f} s"
        shown = max(0, min(done, self.expected))
        return f"{self.doing} {shown} of {self.expected} packages, {seconds:.0f} s"

    def follow(self, child: "subprocess.Popen[bytes]") -> None:
        """Show the state until `child` has ended; end it if we are to stop before."""
        try:
            while child.poll() is None:
                self._show()
                time.sleep(REDRAW)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            if self._terminal:
                say("\r" + " " * LINE_WIDTH + "\r", end="")

    def _show(self) -> None:
        now = time.monotonic()
        if self._terminal:
            frames = symbol("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
            frame = frames[int(now / REDRAW) % len(frames)]
            say(f"\r  {frame} {self.describe()}".ljust(LINE_WIDTH), end="")
        elif now - self._shown >= REPORT:
            self._shown = now
            say(f"    {self.describe()}")

    def _present(self) -> int:
        return sum(1 for _ in site_packages().glob("*.dist-info"))


# The environment


def read_stamp() -> dict[str, Any]:
    """Return what is known to be installed; empty when nothing is certain."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def interpreter() -> list[object]:
    """Return what changes when the environment's Python is replaced or gone."""
    try:
        real = PYTHON.resolve(strict=True)
        return [str(real), real.stat().st_mtime_ns]
    except OSError:
        return []


def satisfied(profile: Profile) -> bool:
    """Whether the environment is known to have all packages of `profile`."""
    stamp = read_stamp()
    if stamp.get("root") != str(ROOT) or stamp.get("python") != interpreter():
        return False
    has = stamp.get("profiles", {})
    enough = [one for one in PROFILES if one is profile or profile.name in one.covers]
    return any(one.name in has and has[one.name] == one.fingerprint() for one in enough)


def ensure(profile: Profile) -> None:
    """Make the environment have `profile`; costs nothing when it has it already."""
    if satisfied(profile):
        return
    with alone() as lock:
        if not satisfied(profile):
            try:
                prepare(profile, lock)
            except OSError as error:
                raise RunError(
                    f"Footnote keeps its environment in {VENV}, and that failed "
                    f"({error.strerror or error}); make the folder writable and give it 2 GB, "
                    "or copy the checkout to a place where that is so."
                ) from error


def prepare(profile: Profile, lock: IO[bytes]) -> None:
    """Bring the environment up to `profile`, anew if the last attempt was cut off."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    began = time.monotonic()
    stamp = read_stamp()
    if PENDING.exists() or not works():
        make_environment()
        stamp = {}
    has = dict(stamp.get("profiles", {}))
    # An environment only grows: one that has the test packages keeps them.
    wider = [one for one in PROFILES if one.name in has and profile.name in one.covers]
    chosen = wider[0] if wider else profile
    PENDING.write_text(json.dumps(stamp), encoding="utf-8")
    STAMP.unlink(missing_ok=True)
    # Every command finds the checkout's packages from any folder, and no other folder's.
    (site_packages() / "footnote.pth").write_text(f"{ROOT}\n")
    write_launcher()
    install(chosen, lock)
    has[chosen.name] = chosen.fingerprint()
    stamp = {"root": str(ROOT), "python": interpreter(), "profiles": has}
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    PENDING.unlink()
    detail = f"{size(VENV) / 1e6:.0f} MB, {time.monotonic() - began:.0f} s (once)"
    say(outcome(True, "environment ready", detail))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_launcher() -> None:
    """Put a `footnote` beside the environment's Python, for who wants it on their PATH."""
    if sys.platform == "win32":
        PYTHON.with_name("footnote.cmd").write_text(f'@"{PYTHON}" -P -m cli %*\n')
        return
    launcher = PYTHON.with_name("footnote")
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -P -m cli "$@"\n')
    launcher.chmod(0o755)


def works() -> bool:
    """Whether the environment has a Python that is new enough and can run pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([PYTHON, "-P", "-c", probe], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make_environment() -> None:
    """Make `.venv` from nothing; raises RunError where this Python lacks the means."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise RunError(
            "this Python cannot make virtual environments; on Debian and Ubuntu run "
            "`sudo apt install python3-venv`, then run it again."
        )
    say(f"    making the environment in {VENV} (once; 0.9 GB)")
    if VENV.exists():
        for path in VENV.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    VENV.mkdir(exist_ok=True)
    PENDING.write_text("{}", encoding="utf-8")
    python = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [python, "-m", "venv", str(VENV)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=environment(),
    )
    LOG.write_bytes(done.stdout)
    if done.returncode:
        told = done.stdout.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise RunError(f"the environment could not be made ({told[-1]}); see {LOG}.")


def install(profile: Profile, lock: IO[bytes]) -> None:
    """Let pip install `profile`; raises RunError with the reason and the log's place."""
    wanted = (ROOT / profile.source).read_text(encoding="utf-8")
    progress = Progress(len(re.findall(r"^[A-Za-z0-9].*==", wanted, re.MULTILINE)))
    pip = subprocess.Popen(
        [PYTHON, "-P", "-m", "pip", "install", *PIP_OPTIONS, *profile.arguments()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A configured "user" install would miss the environment.
        env={**environment(), "PIP_USER": "0", "PYTHONUTF8": "1"},
        # If we are killed, pip keeps the lock until it has ended too.
        pass_fds=() if sys.platform == "win32" else (lock.fileno(),),
    )
    reader = threading.Thread(target=listen, args=(pip, progress), daemon=True)
    reader.start()
    try:
        progress.follow(pip)
    finally:
        reader.join()
        if pip.returncode and not progress.changing:
            restore()
    if pip.returncode:
        raise RunError(f"{complaint(progress.heard)} (log: {LOG}).")
    progress.doing = COMPILING
    script = f"import importlib\nfor name in {WARMED.split()}: importlib.import_module(name)"
    variables = {k: v for k, v in environment().items() if k != "PYTHONDONTWRITEBYTECODE"}
    with LOG.open("ab") as log:
        progress.follow(
            subprocess.Popen([PYTHON, "-P", "-c", script], env=variables, stdout=log, stderr=log)
        )


def listen(pip: "subprocess.Popen[bytes]", progress: Progress) -> None:
    """Copy pip's output to the log and let `progress` hear it."""
    with LOG.open("wb", buffering=0) as log:
        for line in pip.stdout or ():
            progress.hear(line.decode(errors="replace"))
            with contextlib.suppress(OSError):  # a full disk must not leave pip unheard
                log.write(line)


def restore() -> None:
    """Make the environment count as it did before an installation that changed nothing."""
    stamp = PENDING.read_text(encoding="utf-8")
    if stamp != "{}":
        STAMP.write_text(stamp, encoding="utf-8")
    PENDING.unlink()


def complaint(told: list[str]) -> str:
    """Return in plain words why pip failed, from the lines it printed."""
    for pattern, words in FAILURES:
        found = re.search(pattern, "\n".join(told), re.IGNORECASE)
        if found:
            return words.format(*found.groups())
    errors = [line[7:] for line in told if line.startswith("ERROR: ")]
    return f"pip could not install the packages ({errors[-1] if errors else 'it gave no reason'})"


def site_packages() -> Path:
    """Return where the environment's packages lie."""
    pattern = "Lib/site-packages" if sys.platform == "win32" else "lib/python3*/site-packages"
    return next(VENV.glob(pattern), VENV)


def size(folder: Path) -> int:
    """Return the bytes of all files under `folder`."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))


@contextlib.contextmanager
def alone() -> Iterator[IO[bytes]]:
    """Be the only run.py that changes the environment; waits for another one."""
    # The lock is on this very file: it is there even where nothing can be written.
    with Path(__file__).open("rb") as lock:
        if not try_lock(lock):
            say("    another run.py is preparing the environment; waiting for it")
            while not try_lock(lock):
                time.sleep(REDRAW)
        yield lock


def try_lock(lock: IO[bytes]) -> bool:
    """Lock without waiting; true also where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            os.lseek(lock.fileno(), WINDOWS_LOCK_PLACE, os.SEEK_SET)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


# Commands


def environment() -> dict[str, str]:
    """Return the variables for our Python: its packages come from `.venv` and nowhere else."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "PYTHONSAFEPATH": "1"}


def become(*arguments: str) -> int:
    """Run the environment's Python in our place, so that signals and the exit status are its own.

    Windows cannot do that: there we wait, and leave Ctrl-C to the child, which gets it too.
    """
    command = [str(PYTHON), "-P", *arguments]
    if sys.platform != "win32":
        os.execve(command[0], command, environment())  # noqa: S606 - a shell would be in the way
    child = subprocess.Popen(command, env=environment())
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def pytest_arguments(arguments: list[str]) -> list[str]:
    """Return `arguments` with what pytest needs to find the tests from any folder."""
    if Path.cwd() == ROOT:
        return arguments
    here = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    named = any(Path(one.partition("::")[0]).exists() for one in arguments if one)
    return [*here, *arguments] if named else [*here, *arguments, str(ROOT / "tests")]


def several_processes(arguments: list[str]) -> list[str]:
    """Return what makes pytest run in several processes, nothing where one is enough.

    A file's tests stay together, in the order they have: they share what is made for the file.
    """
    if any(one.startswith(ONE_PROCESS) or "::" in one or Path(one).is_file() for one in arguments):
        return []
    # Half the tests wait most of their time, hence more than there are processors.
    count = min((os.cpu_count() or 1) + 2, MOST_PROCESSES)
    return ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder"]


def check() -> int:
    """Run every check, also after one has failed, and print each one's outcome."""
    failed = 0
    for name, arguments in CHECKS:
        began = time.monotonic()
        done = subprocess.run(
            [PYTHON, "-P", *arguments],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        say(outcome(done.returncode == 0, name, f"{time.monotonic() - began:.1f} s"))
        if done.returncode:
            failed = 1
            say(done.stdout.decode(errors="replace").rstrip())
    return failed


def install_extras(names: list[str]) -> int:
    """Add the named packages to the environment."""
    if not names or not set(names) <= set(EXTRAS):
        raise RunError(f"say what to install: {' or '.join(EXTRAS)}.")
    for name in names:
        ensure(EXTRAS[name])
        say(outcome(True, f"{name} installed", ""))
    if "train" in names and not (site_packages() / "torch").exists():
        say(f"    {NO_TORCH.format(python=shlex.quote(str(PYTHON)))}")
    return 0


def dispatch(command: str, rest: list[str]) -> int:
    """Run one command and return its exit status."""
    if command in ("-h", "--help") or (command == "install" and {"-h", "--help"} & set(rest)):
        print(USAGE, end="")
        return 0
    if command == "install":
        return install_extras(rest)
    ensure(TEST if command in ("test", "check", "soak") else BASE)
    if command == "check":
        return check()
    if command in ("test", "soak"):
        # Some containers forbid it to save space: then each process compiles all that it imports.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if command == "test":
        return become("-m", "pytest", *several_processes(rest), *pytest_arguments(rest))
    if command == "soak":
        return become("-m", "pytest", "-m", "soak", "--timeout=0", *pytest_arguments(rest))
    return become("-m", "cli", "--help" if command == "help" else command, *rest)


def main() -> NoReturn:
    """Run what the command line says."""
    command, *rest = sys.argv[1:] or ["up"]
    try:
        status = dispatch(command, rest)
    except RunError as error:
        say(f"Footnote cannot start: {error}")
        status = 1
    except KeyboardInterrupt:
        say("\nstopped; run it again to continue")
        status = INTERRUPTED
    sys.exit(status)


if __name__ == "__main__":
    main()
