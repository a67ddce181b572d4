"""Why a refusal may be one: outsiders look on where it was asked."""

from dataclasses import replace
from typing import Any

import pytest

from bot.handling import OUTSIDERS, with_reason
from store.access import MEMBER, Access, Member, Place, access_of
from store.answers import Answer
from tests.acceptance.slack_face import CLAIM

ALICE, EVE = Member("U1", "member"), Member("U2", "guest")
MIXED = access_of(ALICE, Place("C1", shared=True))


def answer(**details: Any) -> Answer:
    """A refusal, but for the details."""
    refused = Answer("a1", "pay?", "policy", "refused", "I don't have a policy for this.")
    return replace(refused, **details)


@pytest.mark.parametrize(
    "details",
    [
        pytest.param({}, id="refused"),
        pytest.param({"outcome": "escalated"}, id="handed over"),
        pytest.param({"route": "out_of_scope"}, id="nothing like it may be read"),
    ],
)
def test_a_refusal_says_that_outsiders_look_on(details: dict[str, Any]) -> None:
    """To a full member, in a place where guests or others see the answer."""
    refused = answer(**details)
    assert with_reason(refused, MIXED).note == OUTSIDERS
    assert with_reason(refused, MIXED).text == refused.text


def test_what_is_noted_already_stays() -> None:
    """The reason stands below it."""
    assert with_reason(answer(note="No model."), MIXED).note == f"No model.\n{OUTSIDERS}"


@pytest.mark.parametrize(
    ("details", "access"),
    [
        pytest.param({}, access_of(ALICE, Place("C1")), id="members only"),
        pytest.param({}, access_of(ALICE, None), id="in private"),
        pytest.param({}, access_of(EVE, Place("C1", shared=True)), id="the guest asks"),
        pytest.param({}, Access(MEMBER, MEMBER), id="nobody else looks on"),
        pytest.param({"outcome": "answered", "claims": (CLAIM,)}, MIXED, id="answered"),
        pytest.param({"outcome": "escalated", "claims": (CLAIM,)}, MIXED, id="upset, answered"),
        pytest.param({"outcome": "escalated", "route": "human"}, MIXED, id="a person asked for"),
        pytest.param({"outcome": "answered", "route": "small_talk"}, MIXED, id="small talk"),
        pytest.param({"outcome": "clarifying"}, MIXED, id="a question back"),
        pytest.param({"outcome": "error"}, MIXED, id="an error"),
    ],
)
def test_anything_else_stays_as_it_is(details: dict[str, Any], access: Access) -> None:
    """Where nothing was withheld from who asks, or something was answered."""
    assert with_reason(answer(**details), access) == answer(**details)
