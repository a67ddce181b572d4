"""`finetune dataset` at the terminal: built, listed, shown, exported, verified, tried."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.acceptance.processes import Footnote
from tests.integration.finetune.approved import approve, said

pytestmark = pytest.mark.timeout(180)
TALKS = (
    ("My laptop hums at night", "Poor thing! Let it rest with the lid closed."),
    ("Where do I find the <b>quiet</b> room?", "Up the stairs and past the palm, just follow it."),
    ("Thanks for the plant on my desk", "It was lonely here, so thank you for the home!"),
    ("Is the canteen nice?", "It smells of soup and good moods in there."),
)


@pytest.fixture
def footnote(tmp_path: Path, database_url: str) -> Footnote:
    """An installation of this test's own, with a database server."""
    return Footnote(tmp_path / "home", {"DATABASE_URL": database_url})


def test_a_dataset_from_its_transcripts_to_a_file(
    footnote: Footnote, engine: Engine, workspace_id: int, tmp_path: Path
) -> None:
    """The report tells rows and what was left out; the files hold the rows, private to one."""
    for number, talk in enumerate(TALKS):
        approve(engine, workspace_id, f"t{number}", said(*talk), day=number)
    facts = said("How long?", "You have 14 days.")
    approve(engine, workspace_id, "facts", facts, redactions={"NAME": 2})

    page = tmp_path / "report.html"
    built = footnote.run(
        "finetune", "dataset", "build", "--name", "voice", "--validation-share", "0.25",
        "--html", page,
    )  # fmt: skip
    assert built.code == 0, built.told
    assert "Dataset 1: voice, sft" in built.out
    assert "3 rows to train on and 1 to validate with, made of 4 approved" in built.out
    assert "tone: it states a number or a date" in built.out
    assert "Not found are" in built.out
    assert "&lt;b&gt;quiet&lt;/b&gt;" in page.read_text("utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600

    again = footnote.run("finetune", "dataset", "build", "--validation-share", "0.25", "--json")
    shown = footnote.run("finetune", "dataset", "show", "1", "--rows", "2", "--json").json()
    assert again.json()["sha256"] == shown["sha256"] == shown["manifest"]["sha256"]
    assert len(shown["examples"]) == 2
    listed = footnote.run("finetune", "dataset", "list").out
    assert listed.startswith("   1  voice ")
    assert listed.count("\n") == 1

    out = tmp_path / "files"
    exported = footnote.run("finetune", "dataset", "export", "1", "--out", out)
    assert exported.code == 0, exported.told
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text("utf-8").splitlines()]
    assert [row["messages"][-1] for row in rows] == [
        {"role": "assistant", "content": reply} for _, reply in TALKS[:3]
    ]
    assert set(rows[0]) == {"messages"}
    assert stat.S_IMODE((out / "validation.jsonl").stat().st_mode) == 0o600

    assert footnote.run("finetune", "dataset", "verify", "1").code == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE dataset_rows SET split = 'train'"))
    verified = footnote.run("finetune", "dataset", "verify", "1")
    assert (verified.code, verified.out) == (
        1,
        "Dataset 1 is not what was built: its rows were changed in the database.\n",
    )


def test_what_cannot_be_built_is_one_sentence(
    footnote: Footnote, engine: Engine, workspace_id: int, tmp_path: Path
) -> None:
    """Without transcripts, with a bad gate's set, with words that cannot be a row."""
    build = ("finetune", "dataset", "build")
    assert footnote.run(*build).err == (
        "Error: No transcript is approved yet, and 0 wait; approve some with `footnote transcripts"
        " review`.\n"
    )
    bad = approve(engine, workspace_id, "b", said("[NAME_1]", "[EMAIL_1]"))
    assert footnote.run(*build).err == (
        f"Error: Transcript {bad.id} holds placeholders alone; reopen it and reject it."
        " --skip-bad leaves them out and says so in the report.\n"
    )
    gate = tmp_path / "gate.jsonl"
    gate.write_text("{}\n", encoding="utf-8")
    assert "holds no questions or messages" in footnote.run(*build, "--gate-set", gate).err
    missing = footnote.run("finetune", "dataset", "show", "9")
    assert missing.err.startswith("Error: There is no dataset 9; ")
    assert footnote.run("finetune", "dataset", "list").out.startswith("No dataset is built yet")


def test_a_file_is_tried_and_kept_nowhere(
    footnote: Footnote, engine: Engine, tmp_path: Path
) -> None:
    """Its rows are redacted and counted; neither transcripts nor a dataset are left behind."""
    file = tmp_path / "talks.jsonl"
    messages = [
        {"role": "customer", "text": "Hi, I am Rosalind Vane and my desk lamp flickers a lot"},
        {"role": "agent", "text": "Flickering lamps are our favourite, somebody is on the way!"},
    ]
    file.write_text(json.dumps({"id": "1", "messages": messages}) + "\n", encoding="utf-8")

    tried = footnote.run(
        "finetune", "dataset", "build", "--transcripts", file, "--html", tmp_path / "trial.html"
    )

    assert tried.code == 0, tried.told
    assert "A trial with talks.jsonl, sft: kept nowhere." in tried.out
    assert "1 rows to train on" in tried.out
    page = (tmp_path / "trial.html").read_text("utf-8")
    assert "Rosalind" not in page
    assert "[NAME_1]" in page
    with engine.connect() as connection:
        for table in ("transcripts", "datasets", "dataset_rows"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
