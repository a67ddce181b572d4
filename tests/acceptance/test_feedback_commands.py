"""`feedback` and `escalations` at the terminal."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from evaluation.cases import load_dataset
from store.engine import connect
from store.escalations import NewEscalation, claim_escalation, open_escalation
from store.feedback import explain, rate
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote

pytestmark = pytest.mark.timeout(180)
QUESTION = "Can I return a sale item after three weeks?"
SALE = "Items bought in a sale can be returned within 14 days of delivery."


@pytest.fixture
def shared(processes_database_url: str) -> Iterator[Engine]:
    """The database of the installation."""
    engine = connect(processes_database_url)
    yield engine
    engine.dispose()


def test_what_people_said_is_told_and_exported(
    library: Footnote, shared: Engine, tmp_path: Path
) -> None:
    """With reason, words and quotes; the export is a file of questions that `eval` reads."""
    answer = json.loads(library.run("ask", QUESTION, "--json").out)
    with shared.begin() as connection:
        rate(connection, answer["id"], "U1", -1)
        explain(connection, answer["id"], "U1", "wrong_fact", "not for gifts", SALE)

    told = library.run("feedback", "list", "--for", "documents")
    assert told.code == 0, told.told
    for words in ("wrong fact", QUESTION, "because: not for gifts", f"better: {SALE}", "1 down"):
        assert words in told.out
    rows = json.loads(library.run("feedback", "list", "--json").out)
    assert (
        rows["feedback"][0]["quoted"][0]["quote"] == answer["claims"][0]["citations"][0]["quote"]
    )

    (tmp_path / "docs").mkdir()
    exported = library.run("feedback", "export")
    (tmp_path / "questions.jsonl").write_text(exported.out, encoding="utf-8")
    (case,) = load_dataset(tmp_path).cases
    assert (case.question, case.quote) == (QUESTION, SALE)


def test_what_waits_for_a_person_is_listed(library: Footnote, shared: Engine) -> None:
    """With who asked, who has it and for how long; resolved ones apart."""
    workspace_id = ensure_workspace(shared)
    new = NewEscalation("T:C1:1", "U1", "May I\nreturn it?", "upset", "C1", "CLEADS")
    with shared.begin() as connection:
        opened = open_escalation(connection, workspace_id, new)
        assert opened is not None
        claim_escalation(connection, workspace_id, opened[0].id, "U2")

    told = library.run("escalations", "list").out
    assert "claimed by U2, 0 min  upset  U1 in C1 → CLEADS" in told
    assert "May I return it?" in told
    (row,) = json.loads(library.run("escalations", "list", "--json").out)["escalations"]
    assert (row["state"], row["claimed_by"], row["private"]) == ("claimed", "U2", False)
    assert library.run("escalations", "list", "--resolved").out == "No question is resolved yet.\n"
