"""`models` and `eval compare` at the terminal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.audit import read_audit
from store.engine import connect
from store.jobs import submit
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import SALE, SALE_QUESTION, SAMPLES
from tests.integration.gating import keep_dataset, keep_model, speak

pytestmark = pytest.mark.timeout(180)
ROLLBACK = 5.0  # seconds that a rollback may take


@pytest.fixture
def own_engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database of this test's own, with the team's voice in a dataset."""
    engine = connect(database_url)
    keep_dataset(engine, ensure_workspace(engine))
    yield engine
    engine.dispose()


@pytest.fixture
def footnote(installed: Footnote, database_url: str) -> Iterator[Footnote]:
    """The installation with that database and an address that knows the tests' models."""
    with OpenAIServer(fallback=speak) as server:
        environment = installed.environment | {
            "DATABASE_URL": database_url,
            "OPENAI_API_KEY": server.api_key,
            "OPENAI_BASE_URL": server.url,
            "OPENAI_MODEL": "another-voice",
        }
        yield Footnote(installed.home, environment)


def test_a_candidate_is_gated_tried_promoted_and_taken_back(
    footnote: Footnote, own_engine: Engine
) -> None:
    """Each step prints what answers now; a rollback takes seconds at most."""
    workspace_id = ensure_workspace(own_engine)
    model = keep_model(own_engine, workspace_id, "good")
    with own_engine.begin() as connection:
        submit(connection, workspace_id, "gate_model", f"model {model.id}", {"model_id": model.id})

    assert "waits for a worker" in footnote.run("models", "show", "good").out
    assert "candidate good" in " ".join(footnote.run("models", "list").out.split())
    early = footnote.run("models", "promote", "good")
    assert early.code == 1
    assert "good was not gated yet" in early.told

    gated = footnote.run("models", "gate", "good")
    assert gated.code == 0, gated.told
    assert "gate    voice +" in gated.out
    assert "facts changed 0 of 160" in gated.out
    assert "good: it answers 5 % of the conversations" in gated.out

    wider = json.loads(footnote.run("models", "canary", "good", "--share", "25", "--json").out)
    assert (wider["state"], wider["share"]) == ("canary", 25)
    assert footnote.run("models", "promote", "good").out == "good answers all conversations.\n"
    shown = json.loads(footnote.run("models", "show", "good", "--json").out)
    assert shown["state"] == "active"
    assert shown["verdicts"][0]["evidence"]["main"]["name"] == "voice"

    back = footnote.run("models", "rollback", "style", "--reason", "sounds odd")
    assert "good is retired; no style model answers; plain words stand" in back.out
    took = re.search(r"within a second \((\d+) ms\)", back.out)
    assert took is not None
    assert int(took[1]) < ROLLBACK * 1000  # beside the command's own start
    nothing = footnote.run("models", "rollback", "style")
    assert nothing.code == 1
    assert "there is nothing to roll back" in nothing.told


def test_a_gate_is_overruled_only_with_a_reason_that_is_kept(
    footnote: Footnote, own_engine: Engine
) -> None:
    """Who promotes a model that failed says why, and the audit log has it."""
    workspace_id = ensure_workspace(own_engine)
    keep_model(own_engine, workspace_id, "marks-lost")

    gated = footnote.run("models", "gate", "marks-lost")
    assert gated.code == 0, gated.told
    assert "failed: citations lost: 160 of 160, and none may" in gated.out
    refused = footnote.run("models", "promote", "marks-lost")
    assert refused.code == 1
    assert "did not pass its gate" in refused.told
    assert footnote.run("models", "promote", "marks-lost", "--force", "x").code == 1

    forced = footnote.run("models", "promote", "marks-lost", "--force", "trying it on staging")
    assert forced.out == "marks-lost answers all conversations.\n"
    (overruled,) = [e for e in read_audit(own_engine, workspace_id) if "overruled" in e.action]
    assert overruled.detail == {"reason": "trying it on staging"}
    assert footnote.run("models", "retire", "marks-lost").out == "marks-lost is retired.\n"


def test_a_comparison_is_printed_and_written(
    installed: Footnote, database_url: str, tmp_path: Path
) -> None:
    """As text, as JSON and as one page; without a model the other ways are named."""
    (tmp_path / "docs").mkdir()
    policy = (SAMPLES / "returns-policy.md").read_text("utf-8")
    (tmp_path / "docs" / "returns-policy.md").write_text(policy, "utf-8")
    question = {"id": "a", "question": SALE_QUESTION, "answerable": True, "quote": SALE}
    question |= {"doc": "returns-policy.md", "answer": "No, within 14 days of delivery."}
    (tmp_path / "questions.jsonl").write_text(json.dumps(question), "utf-8")
    footnote = Footnote(installed.home, installed.environment | {"DATABASE_URL": database_url})

    written = tmp_path / "report.html"
    told = footnote.run("eval", "compare", tmp_path, "--html", written)
    assert told.code == 0, told.told
    assert "→ Retrieval: its answers are proven." in told.out
    assert "base was not tried" in told.out
    assert SALE in written.read_text("utf-8")
    found = json.loads(footnote.run("eval", "compare", tmp_path, "--json").out)
    assert found["advice"]["advised"] == "rag"
    unknown = footnote.run("eval", "compare", tmp_path, "--style-model", "nobody")
    assert (unknown.code, "There is no model nobody" in unknown.told) == (1, True)
