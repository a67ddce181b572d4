"""Streams, statuses, modals and response_urls of the local Slack."""

import time

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from tests.fakes.slack import SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import code


def stream_of(slack: SlackServer) -> Json:
    root = slack.say(slack.general, slack.alice, "question")
    who = {"recipient_team_id": slack.workspace.team_id, "recipient_user_id": slack.alice}
    return {"channel": slack.general, "thread_ts": root, **who}


def test_a_stream_grows_and_ends(slack: SlackServer, client: WebClient) -> None:
    """The client's own helper writes a message in pieces and ends it with blocks."""
    arguments = stream_of(slack)
    stream = client.chat_stream(buffer_size=4, **arguments)
    stream.append(markdown_text="Hello ")
    assert slack.replies(slack.general) == []
    stream.append(markdown_text="world")
    stream.stop(blocks=[{"type": "divider"}])
    message = slack.wait_for_messages(slack.general, arguments["thread_ts"])[0]
    assert (message.text, message.blocks[0]["type"]) == ("Hello world", "divider")
    assert (
        code(client.chat_appendStream, channel=slack.general, ts=message.ts, markdown_text="!")
        == "message_not_in_streaming_state"
    )


def test_a_stream_in_a_channel_names_its_recipient(slack: SlackServer, client: WebClient) -> None:
    """Both ids are needed, and must be known, outside direct messages."""
    whole = stream_of(slack)
    start = client.chat_startStream
    without_user = {k: v for k, v in whole.items() if k != "recipient_user_id"}
    without_team = {k: v for k, v in whole.items() if k != "recipient_team_id"}
    assert code(start, **without_user) == "missing_recipient_user_id"
    assert code(start, **without_team) == "missing_recipient_team_id"
    assert code(start, **whole | {"recipient_team_id": "T0OTHER"}) == "team_not_found"
    place = slack.dm(slack.alice)
    root = slack.say(place, slack.alice, "question")
    assert start(channel=place, thread_ts=root)["ok"]


def test_a_stream_keeps_its_shape_and_its_message(slack: SlackServer, client: WebClient) -> None:
    """Text stays text; while it streams the message takes no update and no deletion."""
    ts = client.chat_startStream(markdown_text="Hello", **stream_of(slack))["ts"]
    here: Json = {"channel": slack.general, "ts": ts}
    chunk = {"type": "markdown_text", "text": "world"}
    assert code(client.chat_appendStream, chunks=[chunk], **here) == "streaming_mode_mismatch"
    assert code(client.chat_update, text="x", **here) == "streaming_state_conflict"
    assert code(client.chat_delete, **here) == "cant_delete_message"
    long = {"markdown_text": "x" * 12_001}
    assert code(client.chat_appendStream, **here, **long) == "msg_too_long"


def test_a_stream_dies_of_age(slack: SlackServer, client: WebClient) -> None:
    """After its lifetime it takes no more, and shows what it had."""
    arguments = stream_of(slack)
    ts = client.chat_startStream(markdown_text="Hello", **arguments)["ts"]
    time.sleep(0.6)
    append = client.chat_appendStream
    late = code(append, channel=slack.general, ts=ts, markdown_text=" world")
    assert late == "message_not_in_streaming_state"
    assert [m.text for m in slack.replies(slack.general)] == ["Hello"]


def test_a_stream_is_stopped_by_a_person(slack: SlackServer, client: WebClient) -> None:
    """After Stop the app is told so at its next word."""
    ts = client.chat_startStream(markdown_text="Hello", **stream_of(slack))["ts"]
    slack.stop_stream(slack.general, ts, slack.alice)
    stop = client.chat_stopStream
    assert code(stop, channel=slack.general, ts=ts) == "stopped_by_user"


def test_a_status_shows_until_the_app_speaks(slack: SlackServer, client: WebClient) -> None:
    """A thread's status is set, limited, and taken away by the next message of the app."""
    root = slack.say(slack.general, slack.alice, "question")
    here: Json = {"channel_id": slack.general, "thread_ts": root}
    client.assistant_threads_setStatus(status="reading", loading_messages=["a"] * 10, **here)
    assert slack.status(slack.general, root) == "reading"
    too_many = {"status": "reading", "loading_messages": ["a"] * 11}
    set_status = client.assistant_threads_setStatus
    assert code(set_status, **here, **too_many) == "invalid_arguments"
    client.chat_postMessage(channel=slack.general, text="answer", thread_ts=root)
    assert slack.status(slack.general, root) is None


def test_the_assistant_view_is_furnished(slack: SlackServer, client: WebClient) -> None:
    """Prompts, titles and session states are taken and checked."""
    place = slack.dm(slack.alice)
    prompts = [{"title": "Leave", "message": "How much leave?"}]
    client.assistant_threads_setSuggestedPrompts(channel_id=place, prompts=prompts)
    five = {"channel_id": place, "prompts": prompts * 5}
    suggest = client.assistant_threads_setSuggestedPrompts
    assert code(suggest, **five) == "invalid_arguments"
    client.assistant_threads_setTitle(channel_id=place, thread_ts="1.2", title="Leave")
    answer = client.agents_sessions_setStatus(channel_id=place, status="processing")
    assert answer["agent_status"] == "processing"
    set_session = client.agents_sessions_setStatus
    assert code(set_session, channel_id=place, status="busy") == "invalid_arguments"


MODAL = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Why?"},
    "blocks": [{"type": "divider"}],
}


def test_a_trigger_opens_one_modal(slack: SlackServer, client: WebClient) -> None:
    """A trigger_id works once; the modal then takes updates with its present hash."""
    trigger = slack.workspace.new_trigger(slack.alice)
    view = client.views_open(trigger_id=trigger, view=MODAL)["view"]
    assert [v.id for v in slack.views(slack.alice)] == [view["id"]]
    assert code(client.views_open, trigger_id=trigger, view=MODAL) == "exchanged_trigger_id"
    assert code(client.views_open, trigger_id="made-up", view=MODAL) == "invalid_trigger_id"
    client.views_update(view_id=view["id"], hash=view["hash"], view=MODAL)
    stale = {"view_id": view["id"], "hash": view["hash"]}
    assert code(client.views_update, view=MODAL, **stale) == "hash_conflict"


def test_a_home_tab_is_published_per_person(slack: SlackServer, client: WebClient) -> None:
    """A second publication replaces the first."""
    for text in ("one", "two"):
        block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
        client.views_publish(user_id=slack.alice, view={"type": "home", "blocks": [block]})
    homes = slack.views(slack.alice, "home")
    assert [v.body["blocks"][0]["text"]["text"] for v in homes] == ["two"]


def test_a_trigger_is_good_for_three_seconds(slack: SlackServer, client: WebClient) -> None:
    """Who comes late is told so; what is pressed after it works."""
    late = slack.workspace.new_trigger(slack.alice)
    slack.expire_triggers()
    assert code(client.views_open, trigger_id=late, view=MODAL) == "expired_trigger_id"
    assert code(client.views_push, trigger_id=late, view=MODAL) == "expired_trigger_id"
    assert client.views_open(trigger_id=slack.workspace.new_trigger(slack.alice), view=MODAL)["ok"]


FORM = MODAL | {
    "blocks": [
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "more",
                    "text": {"type": "plain_text", "text": "More"},
                }
            ],
        }
    ]
}


def test_modals_are_stacked_three_high(slack: SlackServer, client: WebClient) -> None:
    """What is pressed in a modal may push another on it, and names the one below and the root."""

    def press(view_id: str) -> str:
        slack.view_action(slack.workspace.views[view_id], "more")
        return str(slack.deliveries[-1].payload["trigger_id"])

    opened = client.views_open(trigger_id=slack.workspace.new_trigger(slack.alice), view=FORM)
    first = opened["view"]["id"]
    second = client.views_push(trigger_id=press(first), view=FORM)["view"]
    third = client.views_push(trigger_id=press(second["id"]), view=FORM)["view"]
    assert (second["root_view_id"], second["previous_view_id"]) == (first, first)
    assert (third["root_view_id"], third["previous_view_id"]) == (first, second["id"])
    fourth = {"trigger_id": press(third["id"]), "view": FORM}
    assert code(client.views_push, **fourth) == "push_limit_reached"


def test_views_keep_to_their_surface_and_name(slack: SlackServer, client: WebClient) -> None:
    """A modal is no home tab, an external id is given once, and a home's hash goes stale too."""
    trigger = slack.workspace.new_trigger
    home: Json = {"type": "home", "blocks": MODAL["blocks"]}
    publish, update = client.views_publish, client.views_update
    refused = code(client.views_open, trigger_id=trigger(slack.alice), view=home)
    assert refused == code(publish, user_id=slack.alice, view=MODAL) == "invalid_arguments"
    named = MODAL | {"external_id": "why-7"}
    client.views_open(trigger_id=trigger(slack.alice), view=named)
    update(external_id="why-7", view=named)
    again = {"trigger_id": trigger(slack.bob), "view": named}
    assert code(client.views_open, **again) == "duplicate_external_id"
    assert code(update, external_id="why-8", view=named) == "not_found"
    old = publish(user_id=slack.alice, view=home)["view"]["hash"]
    publish(user_id=slack.alice, view=home, hash=old)
    assert code(publish, user_id=slack.alice, view=home, hash=old) == "hash_conflict"


def test_a_response_url_takes_five_posts(slack: SlackServer) -> None:
    """Ephemeral ones are for the person, in_channel ones for all, and a sixth is refused."""
    made = slack.workspace.new_response_url(slack.general, slack.alice, None)
    hook = WebhookClient(f"{slack.workspace.origin}/response/{made.id}")
    hook.send(text="for you")
    hook.send(text="for all", response_type="in_channel")
    broken = hook.send(text="x", blocks=[{"type": "ruler"}])
    assert (broken.status_code, len(made.posts)) == (400, 2)
    statuses = [hook.send(text="again").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 404]
    assert slack.ephemerals(slack.general, slack.alice)[0].text == "for you"
    assert [m.text for m in slack.replies(slack.general)] == ["for all"]
