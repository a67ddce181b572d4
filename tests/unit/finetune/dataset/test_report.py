"""Reports and exports of datasets: what a person reads, what a trainer reads."""

import json
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import finetune.redact
from finetune.dataset.export import Form, export_dataset
from finetune.dataset.manifest import Made, Read, manifest_of
from finetune.dataset.proposals import Proposal
from finetune.dataset.report import lines, not_covered, page
from finetune.dataset.wanted import DatasetError, Wanted
from store.datasets import Dataset, DatasetRow, Format, Split, dataset_sha256
from tests.unit.finetune.dataset.made import NOON, example, said

SFT = {
    "messages": [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "<script>hi</script>"},
        {"role": "assistant", "content": "Hello!"},
    ],
    "task": "tone",
}
DPO = {
    "prompt": [{"role": "user", "content": "hi"}],
    "chosen": "Hello!",
    "rejected": "What?",
    "task": "tone",
}


def row(content: dict[str, Any], split: Split = "train", number: int = 1) -> DatasetRow:
    """A row of a transcript."""
    return DatasetRow(split, content, f"import:t{number}", number)


def kept(chosen: Format, rows: list[DatasetRow], **told: Any) -> Dataset:
    """A dataset of rows as it is kept."""
    values: dict[str, Any] = {
        "id": 3,
        "workspace_id": 1,
        "name": "voice",
        "format": chosen,
        "manifest": {},
    }
    values |= {"created_by": "U1", "withdrawn_at": None, "created_at": NOON}
    return Dataset(**(values | {"sha256": dataset_sha256(chosen, rows)} | told))


def manifest(rows: list[DatasetRow]) -> dict[str, Any]:
    """The manifest of rows, each of a transcript of its own."""
    proposals = tuple(
        Proposal(
            one.content,
            ("hi", "Hello!"),
            example(
                *said("hi", "Hello!"),
                number=place,
                redactions={"EMAIL": 2},
                labels={"tone": ["warm", "short"]},
                language="en",
            ),
            "tone",
        )
        for place, one in enumerate(rows, start=1)
    )
    made = Made(tuple(rows), proposals, Counter({"too dear": 4}), (), 2, (), 1, 2, 1)
    return manifest_of(made, Read({"approved": 9, "quarantined": 5}, 9, ()), Wanted("sft"))


def test_a_manifest_counts_rows_and_what_was_left_out() -> None:
    """By split, label and kind of placeholder; the hash is that of the rows."""
    rows = [row(SFT), row(SFT, "validation", 2)]

    told = manifest(rows)

    assert told["rows"] == {"train": 1, "validation": 1}
    assert told["by"]["label"] == {"tone: warm": 2, "tone: short": 2}
    assert told["redactions"] == {"EMAIL": 4}
    assert (told["quarantined"], told["duplicates"], told["left_out"]) == (5, 2, {"too dear": 4})
    assert told["sha256"] == dataset_sha256("sft", rows)
    assert told["transcripts"]["ids"] == [1, 2]
    assert json.loads(json.dumps(told)) == told


def test_a_report_says_what_redaction_does_not_find() -> None:
    """In the words of the redaction itself, so that the two never differ."""
    told = " ".join(" ".join(lines(manifest([row(SFT)]))).split())

    assert not_covered() in told
    assert not_covered().removesuffix(".") in " ".join(str(finetune.redact.__doc__).split())
    assert len(not_covered()) > 100


def test_a_page_shows_rows_and_runs_nothing() -> None:
    """Words of people are escaped; scripts and addresses are forbidden."""
    shown = page("Dataset 1", manifest([row(SFT)]), [row(SFT)], withdrawn="2026-03-04")

    assert "&lt;script&gt;hi&lt;/script&gt;" in shown
    assert "<script" not in shown
    assert "default-src 'none'" in shown
    assert "Withdrawn since 2026-03-04" in shown


@pytest.mark.parametrize(
    ("chosen", "content", "form", "line"),
    [
        ("sft", SFT, "openai", {"messages": SFT["messages"]}),
        ("sft", SFT, "trl", {"messages": SFT["messages"]}),
        ("sft", SFT, "rows", SFT),
        (
            "dpo",
            DPO,
            "openai",
            {
                "input": {"messages": DPO["prompt"]},
                "preferred_output": [{"role": "assistant", "content": "Hello!"}],
                "non_preferred_output": [{"role": "assistant", "content": "What?"}],
            },
        ),
        (
            "dpo",
            DPO,
            "trl",
            {
                "prompt": DPO["prompt"],
                "chosen": [{"role": "assistant", "content": "Hello!"}],
                "rejected": [{"role": "assistant", "content": "What?"}],
            },
        ),
    ],
)
def test_rows_are_exported_in_the_form_of_their_reader(
    tmp_path: Path, chosen: Format, content: dict[str, Any], form: Form, line: dict[str, Any]
) -> None:
    """A file a split, a line a row, readable by its owner alone, even where one lay open."""
    (tmp_path / "train.jsonl").touch(mode=0o644)
    rows = [row(content), row(content, "validation", 2)]

    train, validation = export_dataset(kept(chosen, rows), rows, form, tmp_path)

    for path in (train, validation):
        assert json.loads(path.read_text("utf-8")) == line
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["openai", "trl"])
def test_a_router_s_rows_have_no_form_elsewhere(tmp_path: Path, form: Form) -> None:
    """They are refused with the way out, and nothing is written."""
    rows = [row({"text": "hi", "history": [], "label": "policy", "head": "route"})]

    with pytest.raises(DatasetError, match="--form rows"):
        export_dataset(kept("routes", rows), rows, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_withdrawn_dataset_is_not_exported(tmp_path: Path) -> None:
    """What was taken back does not leave by another door."""
    with pytest.raises(DatasetError, match="was withdrawn"):
        export_dataset(kept("sft", [], withdrawn_at=NOON), [], "rows", tmp_path)
