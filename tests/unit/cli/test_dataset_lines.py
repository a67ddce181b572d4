"""Datasets as text, and what is read from the command line for them."""

from datetime import UTC, datetime
from typing import Any

import click
import pytest

from cli.dataset_lines import dataset_json, line, parse_labels
from store.datasets import Dataset

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def dataset(**changes: Any) -> Dataset:
    """A dataset of four rows."""
    values: dict[str, Any] = {
        "id": 3,
        "workspace_id": 1,
        "name": "voice",
        "format": "sft",
        "sha256": "ab" * 32,
        "manifest": {"rows": {"train": 3_000, "validation": 1}},
        "created_by": "U1",
        "withdrawn_at": None,
        "created_at": NOON,
    }
    return Dataset(**(values | changes))


def test_a_line_says_rows_and_whether_it_was_withdrawn() -> None:
    """With the beginning of its hash."""
    assert line(dataset()).split() == [
        "3", "voice", "sft", "3,000", "+", "1", "rows", "2026-11-20", "12:00", "abababababab"
    ]  # fmt: skip
    assert line(dataset(withdrawn_at=NOON)).endswith("abababababab  withdrawn")
    assert dataset_json(dataset(withdrawn_at=NOON))["withdrawn_at"] == NOON.isoformat()


def test_labels_are_names_with_values() -> None:
    """Values may hold an equals sign."""
    assert parse_labels(["route=policy", "tone = a=b "]) == (("route", "policy"), ("tone", "a=b"))


@pytest.mark.parametrize("label", ["route", "=policy", "route="])
def test_a_label_without_a_value_is_refused(label: str) -> None:
    """With how it is written."""
    with pytest.raises(click.BadParameter, match="NAME=VALUE"):
        parse_labels([label])
