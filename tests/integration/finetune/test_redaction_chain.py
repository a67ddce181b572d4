"""From a file to an upload: nothing that identifies anybody gets there, nor into a log."""

import json
import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from core.settings import Settings
from evaluation.redaction import COLLEAGUES, MAKERS, is_left
from finetune.curate import curate
from finetune.dataset.build import build_dataset
from finetune.imports import import_file
from finetune.review import approve
from finetune.upload import jsonl
from store.datasets import read_rows
from store.names import BY_HAND, save_names
from store.transcripts import list_transcripts

PLANTED = 200
WORDS = (
    "apricot basket candle dolphin engine feather garden harbour island jacket kettle lantern"
    " meadow napkin orchard paddle quilt ribbon saddle teapot umbrella velvet window yarn zipper"
).split()
AFTER = "SELECT CAST(to_jsonb(t) AS text) FROM transcripts t"


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, list[tuple[str, str]]]:
    """A file of exchanges that differ, each with an identifier, by turns said by either side."""
    dice = random.Random(5)
    rows, values = [], []
    for number in range(PLANTED):
        kind = list(MAKERS)[number % len(MAKERS)]
        value, said = MAKERS[kind](dice)
        values.append((kind, value))
        asked = f"{' '.join(dice.sample(WORDS, 12))}?"
        answered = f"{' '.join(dice.sample(WORDS, 12))}!"
        if number % 4:
            asked = f"{asked} {said}"
        else:
            answered = f"{answered} {said}"
        rows.append({"id": number, "question": asked, "answer": answered})
    path = tmp_path / "planted.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path, values


def test_no_identifier_reaches_dataset_upload_or_log(
    engine: Engine,
    workspace_id: int,
    plain_settings: Settings,
    planted: tuple[Path, list[tuple[str, str]]],
) -> None:
    """Two hundred of more than twelve kinds, with names of the directory among them."""
    path, values = planted
    save_names(engine, workspace_id, {BY_HAND: COLLEAGUES})
    with capture_logs() as logs:
        assert import_file(engine, workspace_id, path, actor="U9").added == PLANTED
        curate(engine, workspace_id)
        for one in list_transcripts(engine, workspace_id, None, None):
            approve(engine, workspace_id, one.id, "U9", anyway=True)
        dataset = build_dataset(engine, plain_settings, workspace_id, "sft", "voice", "U9")
    rows = read_rows(engine, dataset.id)
    assert len(rows) > PLANTED / 2
    upload = jsonl(rows, "train", "supervised") + jsonl(rows, "validation", "supervised")
    with engine.connect() as connection:
        kept = connection.execute(text(AFTER)).scalars().all()
        audit = connection.execute(text("SELECT CAST(to_jsonb(a) AS text) FROM audit_log a"))
        jobs = connection.execute(text("SELECT CAST(to_jsonb(j) AS text) FROM jobs j"))
        told = [*kept, *audit.scalars(), *jobs.scalars()]
    for where, words in (
        ("dataset", [json.dumps(row.content, ensure_ascii=False) for row in rows]),
        ("upload", [upload.decode()]),
        ("manifest", [json.dumps(dataset.manifest, ensure_ascii=False)]),
        ("database", [one.replace("planted.jsonl", "") for one in told]),
        ("log", [str(logs)]),
    ):
        left = [value for kind, value in values if _stands(kind, value, words)]
        assert (where, left) == (where, [])


def _stands(kind: str, value: str, words: list[str]) -> bool:
    """Whether a value stands in texts; short numbers only as words of their own."""
    return any(is_left(kind, value, [line]) for line in words if _plain(value) in _plain(line))


def _plain(text_of: str) -> str:
    return "".join(letter for letter in text_of.casefold() if letter.isalnum())
