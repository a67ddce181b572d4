"""What commands say of input they cannot use: one sentence, a status, nothing half-written."""

import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from store.engine import connect
from tests.acceptance.processes import Finished, Footnote, wait_until


def documents_of(url: str) -> list[str]:
    """Return what is in force for a member, by the database itself."""
    with closing(Connected(url)) as database:
        return database.documents()


class Connected:
    """A look into the database beside the commands."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def documents(self) -> list[str]:
        """Return every version there is, superseded ones too."""
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT d.key || ' ' || v.number FROM document_versions v"
                " JOIN documents d ON d.id = v.document_id ORDER BY 1"
            )
            return list(rows.scalars())

    def wait_for_job(self, name: str) -> None:
        """Wait until a file's job is being worked on."""
        running = "SELECT count(*) FROM jobs WHERE state = 'running' AND payload->>'name' = %s"

        def seen() -> bool:
            with self._engine.connect() as connection:
                return bool(connection.exec_driver_sql(running, (name,)).scalar_one())

        wait_until(seen)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


def refused(done: Finished, words: str) -> None:
    """Hold a failure to its form: one sentence on standard error that holds `words`, no more."""
    assert done.code != 0
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith((".", "--help."))
    assert "Traceback" not in done.told
    assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["frobnicate"], "frobnicate", id="an unknown command"),
        pytest.param(["ask", "x", "--frob"], "--frob", id="an unknown option"),
        pytest.param(["ask"], "QUESTION", id="a missing argument"),
        pytest.param(["ask", "  "], "empty", id="an empty question"),
        pytest.param(["ask", "x" * 5000], "4000", id="a question without end"),
        pytest.param(["ask", "x", "--as-of", "soon"], "2025-06-01", id="no date"),
        pytest.param(["ask", "x", "--history", "nowhere.json"], "nowhere.json", id="no history"),
        pytest.param(["ask", "x", "--history", '[{"role": 1}]'], "JSON list", id="no turns"),
        pytest.param(["ingest", "nowhere.md"], "nowhere.md", id="an unknown path"),
        pytest.param(["ingest", "."], "no files", id="an empty folder"),
        pytest.param(["ingest", ".", "--audience", "all"], "everyone", id="no audience"),
        pytest.param(["trace", "f00"], "f00", id="an unknown answer"),
        pytest.param(["members", "show", "U0"], "U0", id="somebody unknown"),
        pytest.param(["eval", "answers", "nowhere"], "questions*.jsonl", id="no set"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_sentence(
    installed: Footnote, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """It says what is wrong and what to write, and exits with a status of its own."""
    refused(installed.run(*arguments, folder=tmp_path), words)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({"DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"}, "DATABASE_URL",
                     id="nobody answers"),
        pytest.param({"DATABASE_URL": "mysql://u:geheim@127.0.0.1/x"}, "postgresql://",
                     id="another database"),
        pytest.param({"DATABASE_URL": "geheim"}, "postgresql://", id="no address"),
        pytest.param({"FOOTNOTE_PORT": "geheim"}, "FOOTNOTE_PORT", id="no port"),
        pytest.param({"FOOTNOTE_PORT": "70000"}, "FOOTNOTE_PORT", id="a port too high"),
        pytest.param({"FOOTNOTE_BROKER": "geheim"}, "FOOTNOTE_BROKER", id="an unknown broker"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_one_sentence(
    installed: Footnote, variables: dict[str, str], words: str
) -> None:
    """The sentence names the setting, never its value."""
    done = Footnote(installed.home, installed.environment | variables).run("documents")

    refused(done, words)
    assert "geheim" not in done.told


def test_an_embedder_that_is_away_is_told(installed: Footnote) -> None:
    """The sentence names the setting that chose it."""
    away = {"OPENAI_EMBEDDING_MODEL": "none", "OPENAI_BASE_URL": "http://127.0.0.1:1"}
    done = Footnote(installed.home, installed.environment | away).run("ask", "thanks")

    refused(done, "OPENAI_EMBEDDING_MODEL")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"OPENAI_MODEL=x\nthis is no setting\n", "Line 2", id="a line of prose"),
        pytest.param(b"OPENAI_API_KEY='geheim\n", "Line 1", id="a quote that does not end"),
        pytest.param("OPENAI_MODEL=é".encode("latin-1"), "UTF-8", id="another encoding"),
    ],
)
def test_a_malformed_env_file_is_told_by_its_line(
    installed: Footnote, tmp_path: Path, content: bytes, words: str
) -> None:
    """Nothing of the line itself is printed: it may hold a secret."""
    env = tmp_path / ".env"
    env.write_bytes(content)
    done = installed.run("documents", FOOTNOTE_ENV_FILE=str(env))

    refused(done, words)
    assert "geheim" not in done.told


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Commands and `up` name FOOTNOTE_HOME; nothing is left where the home should have been."""
    (tmp_path / "file").write_text("here is no folder", "utf-8")
    blocked = Footnote(tmp_path / "file" / "home")

    refused(blocked.run("documents"), "FOOTNOTE_HOME")
    refused(blocked.run("up"), "FOOTNOTE_HOME")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


BAD_FILES = {
    "empty.md": b"",
    "blank.txt": b" \n\n ",
    "picture.md": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(64),
    "program.txt": b"MZ\x90\x00" + bytes(range(256)) * 4,
    "letter.docx": b"PK\x03\x04" + bytes(range(256)) * 4,
    "paper.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "huge.txt": b"word " * (5 * 1024 * 1024),
}


def test_files_that_are_no_policies_are_refused_one_by_one(
    library: Footnote, tmp_path: Path, processes_database_url: str
) -> None:
    """Each has its sentence; the good one among them is taken; nothing of the bad is stored."""
    for name, data in BAD_FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.md").write_text("# Umbrellas\n\nUmbrellas are lent for a week.", "utf-8")
    before = documents_of(processes_database_url)

    done = library.run("ingest", tmp_path)
    again = library.run("ingest", tmp_path, "--json")

    assert done.code == again.code == 1
    assert "Traceback" not in done.told
    refusals = [line for line in done.err.splitlines() if line.startswith("  ✗ ")]
    assert len(refusals) == len(BAD_FILES)
    assert not [name for name in BAD_FILES if not any(name in line for line in refusals)]
    assert all(line.endswith(".") for line in refusals)
    assert done.out.strip() == "8 files: 1 new, 0 unchanged, 7 refused"
    errors = [file["file"] for file in again.json()["files"] if "error" in file]
    assert sorted(errors) == sorted(BAD_FILES)
    assert documents_of(processes_database_url) == sorted([*before, "good.md 1"])


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_in_the_middle_of_a_file_leaves_nothing_of_it(
    library: Footnote, tmp_path: Path, processes_database_url: str
) -> None:
    """The command ends at once with the status shells expect; no half version is there."""
    parts = [f"## Rule {n}\n\n" + f"Rule {n} is read at desk {n}. " * 20 for n in range(400)]
    (tmp_path / "long.md").write_text("# Long\n\n" + "\n\n".join(parts), "utf-8")
    before = documents_of(processes_database_url)
    running = library.start("ingest", str(tmp_path / "long.md"))
    with closing(Connected(processes_database_url)) as database:
        database.wait_for_job("long.md")
    code, seconds = running.stop(signal.SIGINT)

    assert code == 130
    assert seconds < 10
    assert "Traceback" not in running.told
    assert documents_of(processes_database_url) == before
