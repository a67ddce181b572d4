"""The modal of a channel's settings: within Slack's limits, and read back as it was filled in."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channel_settings import (
    TONE_LIMIT,
    Offer,
    UnreadableError,
    changed_notice,
    filled,
    message_view,
    reading_view,
    saved_notice,
    seen_in,
    settings_view,
)
from store.access import Scope
from store.channels import ChannelSettings
from store.home import Choice
from tests.fakes.slack.checks import check_blocks, check_view

NOW = datetime(2026, 11, 12, 14, 2, tzinfo=UTC)
OFFER = Offer(
    [Choice(1, "Handbook"), Choice(2, "Uploads")],
    [Choice(11, "Returns policy", "returns"), Choice(12, "Travel", "travel")],
)
USUAL = ChannelSettings("C1")
SET = ChannelSettings(
    "C1", "all", "private", False, False, Scope(frozenset({1}), frozenset({"travel"})),
    "German", "brief", "C9", "U1", NOW,
)  # fmt: skip


def state(view: dict[str, Any], **changes: Any) -> dict[str, dict[str, Any]]:
    """The state that Slack sends of a modal in which nothing was touched but `changes`."""
    values: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element, name = block["element"], block["block_id"]
            told = {
                "radio_buttons": {"selected_option": element.get("initial_option")},
                "multi_static_select": {"selected_options": element.get("initial_options", [])},
                "checkboxes": {"selected_options": element.get("initial_options", [])},
                "plain_text_input": {"value": element.get("initial_value")},
                "conversations_select": {
                    "selected_conversation": element.get("initial_conversation")
                },
            }[element["type"]]
            values[name] = {element["action_id"]: changes.get(name, told)}
    return values


def chosen(*values: str) -> dict[str, Any]:
    """What Slack says of chosen options."""
    return {"selected_options": [{"value": value} for value in values]}


def option(value: str) -> dict[str, Any]:
    """What Slack says of one chosen option."""
    return {"selected_option": {"value": value}}


@pytest.mark.parametrize("settings", [USUAL, SET], ids=["usual", "set"])
def test_what_is_not_touched_stays(settings: ChannelSettings) -> None:
    """Saving an untouched modal sets what was set."""
    view = settings_view(settings, OFFER)
    check_view(view)
    assert filled(state(view), settings, OFFER) == settings
    assert seen_in(view["private_metadata"]) == ("C1", settings.changed_at)


def test_every_field_is_read() -> None:
    """What is chosen and written ends up in the settings, on one line and without controls."""
    values = state(
        settings_view(USUAL, OFFER),
        mode=option("off"),
        answers=option("private"),
        knows=option("some"),
        documents=chosen("s:2", "d:11"),
        language={"value": " French\x07 "},
        tone={"value": "warm,\nnever\u202e cute"},
        escalation_channel={"selected_conversation": "C7"},
        also=chosen("corrections"),
    )
    assert filled(values, USUAL, OFFER) == ChannelSettings(
        "C1", "off", "private", False, True, Scope(frozenset({2}), frozenset({"returns"})),
        "French", "warm, never cute", "C7",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "block", "problem"),
    [
        pytest.param({"mode": option("loud")}, "mode", "one of these", id="an unknown mode"),
        pytest.param({"answers": {}}, "answers", "one of these", id="no choice"),
        pytest.param(
            {"knows": option("some")}, "documents", "at least one", id="some, and none chosen"
        ),
        pytest.param(
            {"knows": option("some"), "documents": chosen("d:99", "s:99", "x")},
            "documents", "at least one", id="what was not offered",
        ),
        pytest.param({"tone": {"value": "x" * 201}}, "tone", "at most 200", id="too long"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_said_beside_its_field(
    changes: dict[str, Any], block: str, problem: str
) -> None:
    """The sentence stands at a field that the modal has."""
    view = settings_view(USUAL, OFFER)
    with pytest.raises(UnreadableError) as refused:
        filled(state(view, **changes), USUAL, OFFER)
    assert problem in refused.value.problems[block]
    assert set(refused.value.problems) <= {one.get("block_id") for one in view["blocks"]}


def test_some_of_nothing_is_refused_where_there_is_a_field() -> None:
    """Without any source there is no menu to put the sentence at."""
    view = settings_view(USUAL, Offer())
    with pytest.raises(UnreadableError) as refused:
        filled(state(view, knows=option("some")), USUAL, Offer())
    assert set(refused.value.problems) <= {one.get("block_id") for one in view["blocks"]}


def test_what_the_viewer_may_not_read_stays_chosen() -> None:
    """A document that is not offered is not named, and saving does not drop it."""
    secret = replace(SET, scope=Scope(frozenset({1, 7}), frozenset({"travel", "salaries"})))
    view = settings_view(secret, OFFER)
    assert "salaries" not in json.dumps(view)
    assert "2 choices more that you may not read" in json.dumps(view)
    after = filled(state(view, documents=chosen("d:11")), secret, OFFER)
    assert after.scope == Scope(frozenset({7}), frozenset({"returns", "salaries"}))
    assert filled(state(view, knows=option("all")), secret, OFFER).scope is None


def test_beyond_a_menu_s_room_sources_are_chosen_from() -> None:
    """Of too many documents only those that are chosen already are offered."""
    many = Offer(OFFER.sources, [Choice(n, f"Policy {n}", f"p{n}") for n in range(150)])
    settings = replace(SET, scope=Scope(frozenset({1}), frozenset({"p140"})))
    view = settings_view(settings, many)
    check_view(view)
    menu = next(block for block in view["blocks"] if block.get("block_id") == "documents")
    assert [one["value"] for one in menu["element"]["options"]] == ["s:1", "s:2", "d:140"]
    assert filled(state(view), settings, many) == settings


hostile = st.text(max_size=300)
choices = st.builds(
    Offer,
    st.lists(
        st.builds(Choice, st.integers(1, 300), hostile), max_size=130, unique_by=lambda c: c.id
    ),
    st.lists(
        st.builds(Choice, st.integers(1, 300), hostile, st.text(min_size=1, max_size=200)),
        max_size=130,
        unique_by=(lambda c: c.id, lambda c: c.key),
    ),
)  # fmt: skip


@given(choices, hostile, st.lists(st.sampled_from(["U1", "U2"]), max_size=5), st.data())
def test_any_settings_fit_slack_s_limits(
    offer: Offer, words: str, admins: list[str], data: st.DataObject
) -> None:
    """Whatever sources and documents are called, and however many are chosen."""
    keys = [one.key for one in offer.documents]
    picked = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    scope = Scope(frozenset({one.id for one in offer.sources[::2]}), frozenset(picked))
    settings = replace(SET, scope=scope, language=words[:40] or None, tone=words[:TONE_LIMIT])
    for before in ([], changed_notice(settings, USUAL, offer)):
        check_view(settings_view(settings, offer, before))
    check_view(reading_view(settings, offer, admins))
    check_view(message_view("No."))
    check_blocks(saved_notice(settings, ["mode", "sources", "documents", "tone"], offer))
    assert "mrkdwn" not in json.dumps(settings_view(settings, offer))


def test_who_was_quicker_is_named_with_what_differs() -> None:
    """Only fields that now stand otherwise than they were filled in are listed."""
    notice = json.dumps(changed_notice(SET, replace(SET, tone="formal"), OFFER))
    assert '{"type": "user", "user_id": "U1"}' in notice
    assert "14:02 UTC" in notice
    assert '"Tone: "' in notice
    assert "Language" not in notice


def test_readers_are_told_whom_to_ask() -> None:
    """The settings in words, nothing to fill in, and the knowledge admins by name."""
    view = reading_view(SET, OFFER, ["U7"])
    assert "submit" not in view
    assert not [block for block in view["blocks"] if block["type"] == "input"]
    told = json.dumps(view)
    assert "All of Handbook; Travel" in told
    assert '{"type": "user", "user_id": "U7"}' in told
