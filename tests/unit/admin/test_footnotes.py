"""Where an answer's marks stand, and the lines around it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from admin.footnotes import day, duration, in_force, status
from graph.footnotes import Mark, Piece, pieces, place
from store.answers import Answer, Claim
from tests.unit.admin.scripted import (
    CLARIFYING,
    FAULT,
    FAULTY_QUOTE,
    NO,
    REFUSAL,
    SALE_ANSWER,
    SALE_QUOTE,
    citation,
)

SALE, FAULTY = citation(SALE_QUOTE, 1, "Sale items"), citation(FAULTY_QUOTE, 2, "Faulty goods")


def answer(text: str, *claims: Claim) -> Answer:
    """Return the sale answer with another text and other claims."""
    return replace(SALE_ANSWER, text=text, claims=claims)


def test_marks_follow_their_claims() -> None:
    """Each claim's mark stands behind its sentence."""
    assert pieces(SALE_ANSWER) == (
        Piece(NO, (Mark(1, first=True),)),
        Piece(f" {FAULT}", (Mark(2, first=True),)),
    )


def test_marks_stand_behind_closing_punctuation() -> None:
    """A claim without its full stop still has the mark behind it."""
    shown = pieces(answer("Sale items: 14 days.", Claim("Sale items: 14 days", (SALE,))))
    assert shown == (Piece("Sale items: 14 days.", (Mark(1, first=True),)),)


def test_a_number_leads_back_to_its_first_mark() -> None:
    """Only the first of two marks with one number is where its note leads back."""
    shown = pieces(answer("A. B.", Claim("A.", (SALE,)), Claim("B.", (SALE, FAULTY))))
    assert shown[1].marks == (Mark(1, first=False), Mark(2, first=True))


@pytest.mark.parametrize(
    "text",
    ["You have 14 days for sale items.", "You have 14 days. Only that.", "Only that."],
    ids=["restyled", "restyled beside a kept claim", "kept claim alone"],
)
def test_no_citation_is_lost(text: str) -> None:
    """A claim whose words are gone from the text leaves its mark at the end."""
    shown = pieces(answer(text, Claim("Sale: 14 days.", (SALE,)), Claim("Only that.", (FAULTY,))))
    assert {mark.number for piece in shown for mark in piece.marks} == {1, 2}
    assert "".join(piece.text for piece in shown) == text


def test_an_answer_without_text_shows_its_claims() -> None:
    """Where no text was written, the claims stand for it."""
    shown = pieces(answer("", Claim("A.", (SALE,)), Claim("B.", (FAULTY,))))
    assert [piece.text for piece in shown] == ["A.", " B."]


def test_text_behind_the_last_claim_has_no_mark() -> None:
    """A sentence that claims nothing stays as it is."""
    shown = pieces(answer("A. Anything else?", Claim("A.", (SALE,))))
    assert shown[1] == Piece(" Anything else?")


@pytest.mark.parametrize(
    ("section", "path"),
    [
        (("Sale items",), "Returns policy › Sale items"),
        (("Returns policy", "Sale items"), "Returns policy › Sale items"),
        (("Returns policy",), "Returns policy"),
        ((), "Returns policy"),
    ],
)
def test_place_says_the_title_once(section: tuple[str, ...], path: str) -> None:
    """The title heads the path, and a first heading that repeats it is left out."""
    assert place(replace(SALE, section=section)) == path


def test_day_is_told_in_utc() -> None:
    """A moment is shown as the same day whatever zone it came in."""
    east = timezone(timedelta(hours=9))
    assert day(datetime(2026, 9, 2, 3, tzinfo=east)) == "1 Sep 2026"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (1, None, "in force since 1 Jan 2025"),
        (1, 3, "in force since 1 Jan 2025 until 1 Mar 2025"),
        (3, None, "in force from 1 Mar 2025"),
        (1, 2, "was in force from 1 Jan 2025 until 1 Feb 2025"),
    ],
    ids=["now", "now, end known", "later", "over"],
)
def test_in_force_seen_from_february(start: int, end: int | None, said: str) -> None:
    """A version that is over or not yet in force says so."""
    begins = datetime(2025, start, 1, tzinfo=UTC)
    ends = datetime(2025, end, 1, tzinfo=UTC) if end else None
    assert in_force(begins, ends, datetime(2025, 2, 1, tzinfo=UTC)) == said


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0312, "31 ms"), (0.9994, "999 ms"), (1.44, "1.4 s"), (0, "0 ms")]
)
def test_duration(seconds: float, shown: str) -> None:
    """Durations below a second are told in milliseconds."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (SALE_ANSWER, "answered in 31 ms · 2 of 2 claims verified · trace\N{NO-BREAK SPACE}7f3a"),
        (
            replace(SALE_ANSWER, trace={"claims_drafted": 4}),
            "answered in 31 ms · 2 of 4 claims verified · trace\N{NO-BREAK SPACE}7f3a",
        ),
        (
            replace(SALE_ANSWER, claims=SALE_ANSWER.claims[:1]),
            "answered in 31 ms · 1 of 1 claim verified · trace\N{NO-BREAK SPACE}7f3a",
        ),
        (REFUSAL, "searched in 27 ms · trace\N{NO-BREAK SPACE}0b12"),
        (CLARIFYING, "asked back in 4 ms · trace\N{NO-BREAK SPACE}c1a0"),
        (
            replace(REFUSAL, outcome="error", reference="9c0ffee1", seconds=20),
            "stopped in 20.0 s · reference\N{NO-BREAK SPACE}9c0ffee1",
        ),
    ],
    ids=["all kept", "some dropped", "one", "refused", "clarifying", "error"],
)
def test_status(given: Answer, line: str) -> None:
    """The line below an answer says how long, how many claims held, and where to look it up."""
    assert status(given) == line
