"""The limits of messages and views, each at its edge and one past it."""

from typing import Any

import pytest

from tests.fakes.slack import SlackError, checks, limits
from tests.fakes.slack.records import Json


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int) -> Json:
    return {"type": "mrkdwn", "text": "x" * length}


def section(length: int = 10) -> Json:
    return {"type": "section", "text": mrkdwn(length)}


def button(text: int = 4, value: int = 4, action_id: str = "go") -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "v" * value}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": [*elements]}


def buttons(count: int) -> Json:
    return actions(*(button(action_id=f"go{i}") for i in range(count)))


def context(count: int) -> Json:
    return {"type": "context", "elements": [mrkdwn(3)] * count}


def feedback(value: int) -> Json:
    side = {"text": plain(4), "value": "v" * value}
    pair = {"type": "feedback_buttons", "action_id": "f"}
    return {
        "type": "context_actions",
        "elements": [pair | {"positive_button": side, "negative_button": side}],
    }


def select(options: int) -> Json:
    choices = [{"text": plain(5), "value": f"v{i}"} for i in range(options)]
    return {"type": "static_select", "action_id": "s", "options": choices}


EDGES = [
    ("blocks", [section()] * 50, [section()] * 51, "no more than 50 items"),
    ("section text", [section(3_000)], [section(3_001)], "less than 3001 characters"),
    ("empty text", [section(1)], [section(0)], "more than 0 characters"),
    (
        "header",
        [{"type": "header", "text": plain(150)}],
        [{"type": "header", "text": plain(151)}],
        "less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    (
        "header in mrkdwn",
        [{"type": "header", "text": plain(5)}],
        [{"type": "header", "text": mrkdwn(5)}],
        "must be one of plain_text",
    ),
    ("button text", [actions(button(75))], [actions(button(76))], "less than 76 characters"),
    ("button value", [actions(button(4, 2_000))], [actions(button(4, 2_001))], "less than 2001"),
    ("context", [context(10)], [context(11)], "no more than 10 items"),
    ("actions", [buttons(25)], [buttons(26)], "no more than 25 items"),
    ("empty actions", [buttons(1)], [buttons(0)], "no less than 1 items"),
    ("feedback", [feedback(2_000)], [feedback(2_001)], "less than 2001"),
    ("options", [actions(select(100))], [actions(select(101))], "no more than 100 items"),
    (
        "fields",
        [{"type": "section", "fields": [mrkdwn(2_000)]}],
        [{"type": "section", "fields": [mrkdwn(2_001)]}],
        "less than 2001",
    ),
    (
        "markdown",
        [{"type": "markdown", "text": "x" * 12_000}],
        [{"type": "markdown", "text": "x" * 12_001}],
        "less than 12001 characters",
    ),
    (
        "markdown that becomes many blocks",
        [{"type": "markdown", "text": "# h\ntext\n" * 25}],
        [{"type": "markdown", "text": "# h\ntext\n" * 26}],
        "no more than 50 items",
    ),
    (
        "block ids",
        [section() | {"block_id": "a"}, section() | {"block_id": "b"}],
        [section() | {"block_id": "a"}, section() | {"block_id": "a"}],
        "block_id: a already exists",
    ),
    (
        "action ids",
        [actions(button(), button(action_id="other"))],
        [actions(button(), button())],
        "action_id already exists",
    ),
    (
        "task state",
        [{"type": "task_card", "task_id": "1", "title": "t", "status": "complete"}],
        [{"type": "task_card", "task_id": "1", "title": "t", "status": "done"}],
        "must be one of pending",
    ),
    ("type", [{"type": "divider"}], [{"type": "ruler"}], "unsupported type: ruler"),
    ("an alert", [section()], [{"type": "alert", "text": mrkdwn(3)}], "unsupported type: alert"),
    ("list", [], {"type": "divider"}, "must provide an array"),
]


@pytest.mark.parametrize(
    ("good", "bad", "problem"), [e[1:] for e in EDGES], ids=[e[0] for e in EDGES]
)
def test_blocks_pass_at_the_limit_and_fail_past_it(good: Any, bad: Any, problem: str) -> None:
    """Each limit holds exactly where Slack's does, and names the place."""
    checks.check_blocks(good)
    with pytest.raises(SlackError) as refused:
        checks.check_blocks(bad)
    assert refused.value.code == "invalid_blocks"
    assert problem in " ".join(refused.value.problems)


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([{"type": "markdown", "text": "x" * 6_001}] * 2, "msg_blocks_too_long"),
        ([section(3_000)] * 4 + [section(1_201)], "msg_blocks_too_long"),
        ([{"type": "markdown", "text": "&" * 2_641}], "msg_blocks_too_long"),
        (
            [{"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]}] * 2,
            "invalid_attachments",
        ),
    ],
    ids=["markdown together", "all text together", "escaped text", "two tables"],
)
def test_a_message_as_a_whole_is_limited(blocks: list[Json], code: str) -> None:
    """Blocks that are fine one by one may still be too much for one message."""
    with pytest.raises(SlackError, match=code):
        checks.check_blocks(blocks)


def test_thirteen_thousand_two_hundred_characters_fit() -> None:
    """The whole of a message may have the size that people measured."""
    checks.check_blocks([section(3_000)] * 4 + [section(1_200)])


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "a", "markdown_text": "b"}, "markdown_text_conflict"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "a", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
    ],
)
def test_a_broken_message_is_refused(params: Json, code: str) -> None:
    """What has no words, two kinds of words, or too many, does not get posted."""
    with pytest.raises(SlackError, match=code):
        checks.check_content(params, text_limit=limits.POST_TEXT)


def test_an_update_counts_bytes() -> None:
    """4,000 bytes pass, whatever their characters; one more does not."""
    checks.check_content({"text": "é" * 2_000}, text_limit=limits.UPDATE_TEXT, in_bytes=True)
    with pytest.raises(SlackError, match="msg_too_long"):
        checks.check_content({"text": "é" * 2_001}, text_limit=4_000, in_bytes=True)


ASKED: Json = {
    "type": "input",
    "label": plain(4),
    "element": {"type": "plain_text_input", "action_id": "a"},
}


def alert(length: int) -> Json:
    return {"type": "alert", "level": "warning", "text": plain(length)}


def modal(**parts: Any) -> Json:
    return {"type": "modal", "title": plain(24), "blocks": [section()]} | parts


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (modal(title=plain(25)), "[json-pointer:/view/title/text]"),
        (modal(submit=plain(25)), "[json-pointer:/view/submit/text]"),
        (modal(private_metadata="x" * 3_001), "[json-pointer:/view/private_metadata]"),
        (modal(callback_id="x" * 256), "[json-pointer:/view/callback_id]"),
        (modal(blocks=[section()] * 101), "no more than 100 items"),
        (modal(blocks=[{"type": "markdown", "text": "a"}]), "unsupported type: markdown"),
        (modal(blocks=[alert(201)]), "less than 201 characters"),
        (modal(type="window"), "must be one of modal, home"),
        (modal(blocks=[ASKED]), "must define `submit`"),
        ("view", "must provide an object"),
    ],
)
def test_a_broken_view_is_refused(view: Any, problem: str) -> None:
    """Views are refused as invalid arguments, with the place of the problem."""
    checks.check_view(modal(blocks=[section()] * 100))
    checks.check_view(modal(blocks=[alert(200)]))
    with pytest.raises(SlackError, match="invalid_arguments") as refused:
        checks.check_view(view)
    assert problem in " ".join(refused.value.problems)
