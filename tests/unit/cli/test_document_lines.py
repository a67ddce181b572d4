"""How documents, their versions and what they changed are printed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.document_lines import (
    change_lines,
    document_line,
    history_lines,
    in_pairs,
    shown_lines,
    standing,
)
from ingestion.changes import SectionChange
from store.history import Held, PastVersion

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAST, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
FIRST = PastVersion(
    id=7,
    number=1,
    title="Leave policy",
    in_force=True,
    effective_from=PAST,
    effective_to=None,
    received_at=PAST,
    author="Ann",
    restored_from=None,
    owner=None,
    link=None,
    file_name="leave.md",
    media_type="text/markdown",
    hidden_characters=0,
    characters=1200,
    passages=3,
    before=None,
    replaced_at=None,
)
SECOND = replace(FIRST, id=8, number=2, author=None, before=7, restored_from=1)
HELD = Held(
    id=1,
    document_key="leave",
    title="Leave policy",
    number=1,
    effective_from=PAST,
    effective_to=None,
    in_force=True,
    characters=1200,
    versions=2,
    audience=("everyone",),
    source="Uploads",
    source_kind="upload",
    source_state="active",
    deleted_at=None,
    deleted_by=None,
)
STEERING = "Leave\x1b[2J\n\x07policy"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, "in force since 2026-01-01", id="in force"),
        pytest.param(
            {"effective_to": LATER}, "in force since 2026-01-01 until 2027-01-01", id="will end"
        ),
        pytest.param(
            {"replaced_at": LATER},
            "in force since 2026-01-01 until 2027-01-01",
            id="will give way",
        ),
        pytest.param(
            {"in_force": False, "effective_from": LATER}, "in force from 2027-01-01", id="to come"
        ),
        pytest.param(
            {"in_force": False, "replaced_at": NOW},
            "was in force from 2026-01-01 until 2026-06-01",
            id="replaced",
        ),
        pytest.param(
            {"in_force": False, "effective_to": NOW, "replaced_at": LATER},
            "was in force from 2026-01-01 until 2026-06-01",
            id="ended before it was replaced",
        ),
        pytest.param(
            {"in_force": False, "replaced_at": PAST},
            "from 2026-01-01, replaced for the same day",
            id="replaced for its whole time",
        ),
        pytest.param({"in_force": False}, "from 2026-01-01", id="of a deleted document"),
    ],
)
def test_when_a_version_counts_is_told(changes: dict[str, object], told: str) -> None:
    """Since when, or from when, and until it ends or the next one begins."""
    assert standing(replace(FIRST, **changes), NOW) == told  # type: ignore[arg-type]


def test_a_document_is_one_line() -> None:
    """With its versions, its source and its deletion where all are listed."""
    gone = replace(HELD, in_force=False, deleted_at=NOW, deleted_by="U1")
    title, told = document_line(HELD, NOW)[:40], document_line(HELD, NOW)[40:]
    assert (title.rstrip(), told) == ("Leave policy", "  v1, in force since 2026-01-01  (leave)")
    told = document_line(gone, NOW, full=True)
    assert told.endswith("v1, deleted 2026-06-01 by U1  (leave)  2 versions, Uploads")


def test_a_history_begins_with_the_newest() -> None:
    """Each version says when it came from whom, and what it changed."""
    told = list(history_lines(HELD, [FIRST, SECOND], {7: "", 8: "Leave (10 → 20 days)"}, NOW))
    assert told[1:] == [
        "  v2  in force since 2026-01-01; received 2026-01-01, words of v1",
        "      Leave (10 → 20 days)",
        "  v1  in force since 2026-01-01; received 2026-01-01 from Ann",
        "      the first wording",
    ]


def test_what_is_not_known_of_a_version_has_no_line() -> None:
    """Only what there is is shown, warnings last."""
    told = list(shown_lines(HELD, FIRST, ["A table was left out."], NOW))
    assert "  author    Ann" in told
    assert told[-1] == "  warning   A table was left out."
    assert not [line for line in told if line.startswith(("  owner", "  link", "  restored"))]


def test_a_new_sentence_stands_behind_the_one_it_replaces() -> None:
    """Both in their order; what has no partner stands where it came."""
    removed = ("We rest.", "Items come back within 14 days.", "Gifts are kept.")
    added = ("Items come back within 30 days.", "Write to us first.")
    assert list(in_pairs(removed, added)) == [
        ("-", "We rest."),
        ("-", "Items come back within 14 days."),
        ("+", "Items come back within 30 days."),
        ("+", "Write to us first."),
        ("-", "Gifts are kept."),
    ]


def test_very_many_sentences_are_all_printed() -> None:
    """They are not compared: the old ones come first."""
    many = tuple(f"Rule {n}." for n in range(200))
    assert [sign for sign, _ in in_pairs(many, many)] == ["-"] * 200 + ["+"] * 200


def test_no_document_steers_the_terminal() -> None:
    """Titles, names and sentences are printed without control characters."""
    held = replace(HELD, title=STEERING, document_key=STEERING)
    version = replace(FIRST, title=STEERING, author=STEERING, file_name=STEERING)
    change = SectionChange((STEERING,), "changed", STEERING, (STEERING,), (STEERING,))
    lines = [
        document_line(held, NOW),
        *shown_lines(held, version, [STEERING], NOW),
        *history_lines(held, [version, replace(SECOND, author=STEERING)], {8: STEERING}, NOW),
        *change_lines(version, version, [change], NOW),
    ]
    plain = "\n".join(lines)
    for ours in ("\x1b[0m", "\x1b[1m", "\x1b[36m", "\x1b[31m", "\x1b[32m"):
        plain = plain.replace(ours, "")
    assert "\x1b" not in plain
    assert "\x07" not in plain
