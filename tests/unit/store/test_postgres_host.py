"""What the machine offers the embedded Postgres."""

import os
import sys
from pathlib import Path

import pytest

from store.postgres_host import Account, make_folder, mentions_avx2, packaged_binaries


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        pytest.param("flags\t\t: fpu sse4_2 avx avx2 bmi2\n", True, id="Linux with it"),
        pytest.param("flags\t\t: fpu sse4_2 avx\n", False, id="Linux without it"),
        pytest.param("GenuineIntel\nRDWRFSGS BMI1 AVX2 SMEP\n", True, id="macOS on Intel"),
        pytest.param("", None, id="a machine that does not tell"),
    ],
)
def test_avx2_is_read_from_the_system_s_description(described: str, expected: bool | None) -> None:
    """A CPU counts as unfit only where its features are listed and AVX2 is not among them."""
    assert mentions_avx2(described) is expected


def test_the_packaged_postgres_tells_its_versions() -> None:
    """Doctor names the versions that the binaries themselves give."""
    binaries = packaged_binaries()
    assert binaries.major == "18"
    assert binaries.version().startswith("18.")
    assert binaries.pgvector_version().startswith("0.")


def test_programs_run_without_the_caller_s_libpq_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGPORT and the like in the caller's environment do not reach Postgres' programs."""
    monkeypatch.setenv("PGPORT", "1")
    script = "import os; print(os.environ.get('PGPORT'), os.getcwd())"
    done = Account("me").run([sys.executable, "-c", script], timeout=20)
    assert done.stdout.decode().split() == ["None", str(Path(os.sep).absolute())]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_folder_s_mode_is_set_only_by_who_makes_it(tmp_path: Path) -> None:
    """A new folder gets its mode whatever the umask; one that was there keeps its own."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o750)
    make_folder(theirs, 0o711)
    make_folder(tmp_path / "between" / "ours", 0o711)
    assert theirs.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "between" / "ours").stat().st_mode & 0o777 == 0o711
