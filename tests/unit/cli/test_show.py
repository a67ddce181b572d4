"""Answers as text in a terminal."""

import io
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.show import answer_lines, print_json, printable
from store.answers import Answer, Citation, Claim

CITATION = Citation(
    number=1,
    version_id=7,
    document="returns",
    title="Returns policy",
    version=3,
    section=("Returns policy", "Gifts"),
    page=2,
    start=0,
    end=20,
    quote="Lamps go back.",
    effective_from=datetime(2026, 9, 1, tzinfo=UTC),
    effective_to=datetime(2027, 3, 1, tzinfo=UTC),
    link="https://policies.example/returns",
)
ANSWER = Answer(
    id="f00f00f00f00",
    question="Do lamps go back?",
    route="policy",
    outcome="answered",
    text="Lamps go back.",
    claims=(Claim("Lamps go back.", (CITATION,)),),
    seconds=0.0312,
    trace={"claims_drafted": 2},
)


def test_a_footnote_tells_place_version_dates_words_and_link() -> None:
    """The title is not said twice, and a version that ends says when."""
    lines = list(answer_lines(ANSWER))

    assert lines == [
        "Lamps go back.¹",
        "",
        " 1  Returns policy › Gifts, page 2    v3, in force since 2026-09-01 until 2027-03-01",
        "    “Lamps go back.”",
        "    https://policies.example/returns",
        " answered in 31 ms · 1 of 2 claims verified · trace f00f00f00f00",
    ]


def test_a_refusal_shows_the_closest_words_and_a_note() -> None:
    """What was near is set apart from what would have been an answer."""
    no = replace(ANSWER, outcome="refused", text="No.", claims=(), trace={})
    lines = list(answer_lines(replace(no, closest=CITATION, note="A note of its own.")))

    assert lines[0] == "No."
    assert "The closest I have:" in lines
    assert "A note of its own." in lines
    assert lines[-1] == " answered in 31 ms · trace f00f00f00f00"


def test_choices_are_listed() -> None:
    """A clarifying question shows what may be meant."""
    asked = replace(ANSWER, text="Which?", claims=(), choices=("Annual leave", "Parental leave"))

    assert list(answer_lines(asked))[:3] == ["Which?", "  · Annual leave", "  · Parental leave"]


def test_an_error_shows_its_reference_and_no_trace() -> None:
    """There is no trace of what could not be finished."""
    failed = replace(ANSWER, outcome="error", claims=(), text="x", reference="abcd1234", trace={})

    assert list(answer_lines(failed))[-1].endswith("reference abcd1234")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07danger\x9b31m", "[2Jdanger31m"),
        ("within 14\u00a0days", "within 14 days"),
        ("€\u202f40\tnet", "€ 40 net"),
        ("a\u200bb\u202ec", "abc"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_text_of_documents_cannot_steer_the_terminal(text: str, shown: str) -> None:
    """Escapes and marks of direction are gone; odd spaces stay spaces."""
    assert printable(text) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_whole_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the output has no UTF-8, letters are escaped instead of lost."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    print_json({"quote": "“70 %” → ✓"})
    sys.stdout.flush()

    assert json.loads(raw.getvalue().decode(encoding)) == {"quote": "“70 %” → ✓"}
