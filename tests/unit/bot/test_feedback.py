"""The form that asks why an answer is not good."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feedback import BETTER, COMMENT, REASON, REASON_NAMES, Why, read_why, why_view
from store.feedback import REASONS, Opinion
from tests.fakes.slack.checks import check_view

hostile = st.text(max_size=4_000) | st.sampled_from(["<!channel>", "<@U1>", "\x00", "", "&" * 999])
opinions = st.none() | st.builds(
    Opinion,
    rating=st.just(-1),
    reason=st.none() | st.sampled_from(list(REASON_NAMES)),
    comment=st.none() | st.text(min_size=1, max_size=3_000),
    better=st.none() | st.text(min_size=1, max_size=3_000),
)


def submitted(**values: Any) -> dict[str, Any]:
    """A submitted form; each value is what its field holds."""
    fields = {name: {name: value} for name, value in values.items()}
    return {"view": {"private_metadata": "a1", "state": {"values": fields}}}


def option(reason: str) -> dict[str, Any]:
    """A chosen reason."""
    return {"selected_option": {"value": reason}}


@given(question=hostile, known=opinions)
def test_the_form_is_one_that_slack_takes(question: str, known: Opinion | None) -> None:
    """Whatever was asked or filled in before, its limits are kept."""
    check_view(why_view("a1", question, known))


def test_the_form_shows_what_was_filled_in_before() -> None:
    """Who presses again finds their own words, and can change them."""
    view = why_view("a1", "May I?", Opinion(-1, "tone", "too short", "Of course you may."))
    elements = {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}

    assert elements[REASON]["initial_option"]["value"] == "tone"
    assert elements[COMMENT]["initial_value"] == "too short"
    assert elements[BETTER]["initial_value"] == "Of course you may."
    assert view["private_metadata"] == "a1"


def test_what_was_filled_in_is_read() -> None:
    """Blank fields are none, and what no database keeps is left out."""
    body = submitted(reason=option("outdated"), comment={"value": " since\x00 May "}, better={})

    assert read_why(body) == Why("a1", "outdated", "since May", None)


@pytest.mark.parametrize("chosen", [{}, {"selected_option": None}, option("rude")])
def test_a_form_without_a_reason_we_know_is_not_read(chosen: dict[str, Any]) -> None:
    """The reason is one of the six, whatever a payload claims."""
    assert read_why(submitted(reason=chosen)) is None


def test_every_reason_with_a_destination_can_be_chosen() -> None:
    """Documents, evaluation and transcripts each get reasons that the form has."""
    assert {reason for reasons in REASONS.values() for reason in reasons} < set(REASON_NAMES)
