"""Measuring corrections: half of the revisions are published, questions asked, the rest judged."""

import json

import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from evaluation.corrections import CorrectionsReport, evaluate_corrections
from evaluation.revisions import load_revisions
from graph.graph import open_agent
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.workspaces import ensure_workspace

RETURNS = (
    "# Returns policy\n\nItems bought in a sale can be returned within {} days of delivery.\n\n"
    "Faulty goods are repaired {} exchanged within two years of delivery.\n"
)
PARKING = "# Parking\n\nBicycles stand behind building C, and cars in the garage.\n"
SLIP = RETURNS.replace("bought", "boguht")
REVISIONS = {
    "2020-01-01": ("parking", PARKING),
    "2020-01-02": ("returns", SLIP.format(14, "or")),
    "2020-01-03": ("returns", RETURNS.format(14, "or")),
    "2020-01-04": ("returns", RETURNS.format(14, "and")),
}


@pytest.fixture(scope="module")
def report(
    shared_engine: Engine, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> CorrectionsReport:
    """What is measured on a parking policy, and a returns policy respelt once and changed once."""
    folder = tmp_path_factory.mktemp("revisions")
    rows = []
    for date, (document, words) in REVISIONS.items():
        (folder / f"{date}.md").write_text(words, "utf-8")
        rows.append({"doc": document, "date": f"{date}T00:00:00Z", "file": f"{date}.md"})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    revisions, _ = load_revisions(folder)
    workspace_id = ensure_workspace(shared_engine, "measured corrections")
    agent = open_agent(load_settings(), shared_engine, workspace_id, embedder)
    made = evaluate_corrections(
        revisions, Ingester(shared_engine, workspace_id, embedder), agent, questions=5
    )
    agent.close()
    return made


def test_what_was_changed_is_told_and_what_was_respelt_is_not(report: CorrectionsReport) -> None:
    """Three sentences are asked about; the respelt one stays silent, the changed one is told."""
    assert (report.revisions, report.asked, report.answered) == (4, 3, 3)
    assert report.alarms
    assert all(one.right for one in report.judged)
    told = {change for one in report.alarms for change in one.changes}
    faulty = "Faulty goods are repaired {} exchanged within two years of delivery."
    assert told == {(faulty.format("or"), faulty.format("and"))}
    assert any(one.broken for one in report.silences)  # the slip is no sentence any more


def test_the_report_can_be_read_by_programs(report: CorrectionsReport) -> None:
    """Counts, shares, and each judgement with what it was about."""
    written = json.loads(json.dumps(report.to_json()))

    assert written["wrong_corrections"] == written["missed"] == 0
    assert written["corrections"] == len(report.alarms)
    assert written["corrections that were right"]["percent"] == 100.0
    assert {"document", "question", "told", "right"} <= set(written["judged"][0])
