"""Evaluation sets: what is read of them, and what is told of a broken one."""

import json
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from evaluation.cases import load_dataset
from store.conversations import Turn

ROW = {
    "id": "d1<::>2",
    "question": "And after three weeks?",
    "history": [
        {"role": "customer", "text": "May I return it?"},
        {"role": "agent", "text": "Yes."},
        {"role": "user", "text": "All of it?"},
    ],
    "answerable": True,
    "doc": "returns.md",
    "quote": "within 14 days",
}


def made(folder: Path, **files: str | bytes) -> Path:
    """Make a set with these question files."""
    (folder / "docs").mkdir()
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.jsonl").write_bytes(data)
    return folder


def test_a_row_becomes_a_case(tmp_path: Path) -> None:
    """History roles become asker and footnote; turns of one dialogue share a group."""
    (case,) = load_dataset(made(tmp_path, questions=json.dumps(ROW))).cases

    assert (case.id, case.group) == ("d1<::>2", "d1")
    assert case.history == (
        Turn("asker", "May I return it?"),
        Turn("footnote", "Yes."),
        Turn("asker", "All of it?"),
    )
    assert (case.document, case.quote) == ("returns.md", "within 14 days")


def test_an_unanswerable_row_has_no_gold(tmp_path: Path) -> None:
    """What stands behind doc and quote of an unanswerable question is not looked for."""
    row = json.dumps(ROW | {"answerable": False})
    (case,) = load_dataset(made(tmp_path, questions=row)).cases

    assert (case.answerable, case.document, case.quote) == (False, None, None)


def test_all_question_files_are_read_in_order(tmp_path: Path) -> None:
    """Every questions*.jsonl counts; blank lines and other files do not."""
    rows = [json.dumps(ROW | {"id": str(n)}) for n in range(3)]
    folder = made(
        tmp_path,
        **{"questions.b": f"{rows[2]}\n\n", "questions.a": "\n".join(rows[:2]), "notes": "x"},
    )

    assert [case.id for case in load_dataset(folder).cases] == ["0", "1", "2"]


def test_a_line_ends_at_a_line_feed_only(tmp_path: Path) -> None:
    """Unicode's other line ends may stand in a question."""
    row = json.dumps(ROW | {"question": "one\u2028two\x85three"}, ensure_ascii=False)
    (case,) = load_dataset(made(tmp_path, questions=row)).cases

    assert case.question == "one\u2028two\x85three"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[1]", id="no object"),
        pytest.param('{"id": "1", "answerable": true}', id="no question"),
        pytest.param(json.dumps(ROW | {"history": [{"text": "x"}]}), id="a turn without a role"),
        pytest.param(json.dumps(ROW | {"history": None}), id="no history"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, line: str) -> None:
    """File and line are told."""
    folder = made(tmp_path, questions=f"{json.dumps(ROW)}\n{line}\n")

    with pytest.raises(ConfigurationError, match=r"Line 2 of questions\.jsonl"):
        load_dataset(folder)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told, not guessed."""
    with pytest.raises(ConfigurationError, match=r"questions\.jsonl .* UTF-8"):
        load_dataset(made(tmp_path, questions=b'{"id": "\xe9"}'))


def test_a_folder_that_is_no_set_is_told(tmp_path: Path) -> None:
    """Without docs, without questions, or with none in them there is nothing to measure."""
    with pytest.raises(ConfigurationError, match="needs a folder docs"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="holds no questions"):
        load_dataset(made(tmp_path, questions="\n"))
