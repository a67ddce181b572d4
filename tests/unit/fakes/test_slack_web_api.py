"""The Web API of the local Slack, asked by Slack's own client."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import URLError

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from tests.fakes.slack import SLACK_RATE_LIMITS, RateLimit, SlackServer
from tests.fakes.slack.records import Json

Refused = Callable[..., str]


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A server whose streams live for half a second."""
    with SlackServer(stream_lifetime=0.5) as server:
        yield server


@pytest.fixture
def client(slack: SlackServer) -> WebClient:
    """The app's client; it retries nothing by itself."""
    return client_of(slack)


def client_of(slack: SlackServer, token: str | None = None, timeout: int = 5) -> WebClient:
    return WebClient(
        token or slack.bot_token, base_url=slack.url, timeout=timeout, retry_handlers=[]
    )


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """Call and return the error code that Slack answers with."""
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return str(refused.value.response["error"])


# -- who asks -------------------------------------------------------------------------------


def test_the_bot_token_tells_who_the_bot_is(slack: SlackServer, client: WebClient) -> None:
    """auth.test names the team and the bot, and the header lists the granted scopes."""
    answer = client.auth_test()
    assert (answer["team_id"], answer["user_id"]) == (slack.workspace.team_id, slack.bot_user)
    assert "chat:write" in str(answer.headers)


def test_tokens_open_only_what_is_theirs(slack: SlackServer) -> None:
    """A wrong token, none, and the app's token where the bot's belongs are told apart."""
    assert code(client_of(slack, "xoxb-wrong").auth_test) == "invalid_auth"
    assert code(client_of(slack, slack.app_token).auth_test) == "not_allowed_token_type"
    assert code(WebClient(base_url=slack.url).auth_test) == "not_authed"
    opened = client_of(slack).apps_connections_open(app_token=slack.app_token)
    assert str(opened["url"]).startswith("ws://127.0.0.1:")
    connect = client_of(slack).apps_connections_open
    assert code(connect, app_token=slack.bot_token) == "not_allowed_token_type"


def test_an_unknown_method_is_refused_and_kept(slack: SlackServer, client: WebClient) -> None:
    """A method that the server lacks shows up in a test's own list."""
    assert code(client.api_call, api_method="chat.whisper") == "unknown_method"
    assert [c.error for c in slack.calls("chat.whisper")] == ["unknown_method"]


def test_scopes_are_checked_where_they_are_given() -> None:
    """A server that knows the granted scopes refuses what goes past them."""
    with SlackServer(scopes=["chat:write", "users:read"]) as slack:
        client = client_of(slack)
        client.chat_postMessage(channel=slack.general, text="fine")
        assert "email" not in client.users_info(user=slack.alice)["user"]["profile"]
        refused = code(client.conversations_history, channel=slack.general)
        needed = slack.calls("conversations.history")[0].answer["needed"]
    assert (refused, needed) == ("missing_scope", "channels:history")


# -- messages -------------------------------------------------------------------------------


def test_a_post_is_read_back(slack: SlackServer, client: WebClient) -> None:
    """A reply stands in its thread, by the bot, with its metadata where that is asked for."""
    root = slack.say(slack.general, slack.alice, "hello")
    note = {"event_type": "answer", "event_payload": {"id": "7"}}
    sent = client.chat_postMessage(channel=slack.general, text="hi", thread_ts=root, metadata=note)
    thread = client.conversations_replies(
        channel=slack.general, ts=root, include_all_metadata=True
    )["messages"]
    assert [m["text"] for m in thread] == ["hello", "hi"]
    assert thread[0]["reply_count"] == 1
    assert (thread[1]["ts"], thread[1]["bot_id"]) == (sent["ts"], slack.workspace.bot_id)
    assert thread[1]["metadata"] == note
    plainly = client.conversations_replies(channel=slack.general, ts=root)["messages"]
    assert "metadata" not in plainly[1]
    top = client.conversations_history(channel=slack.general)["messages"]
    assert [m["text"] for m in top] == ["hello"]


def test_long_threads_come_in_pages(slack: SlackServer, client: WebClient) -> None:
    """Pages follow one another without a gap."""
    root = slack.say(slack.general, slack.alice, "0")
    for i in range(1, 6):
        slack.say(slack.general, slack.bob, str(i), root)
    pages = [
        p["messages"]
        for p in client.conversations_replies(channel=slack.general, ts=root, limit=4)
    ]
    assert [[m["text"] for m in page] for page in pages] == [["0", "1", "2", "3"], ["4", "5"]]


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("unknown", "channel_not_found"),
        ("hidden", "channel_not_found"),
        ("elsewhere", "not_in_channel"),
        ("archived", "is_archived"),
    ],
)
def test_a_post_needs_a_place(
    slack: SlackServer, client: WebClient, where: str, error: str
) -> None:
    """Places that the bot cannot see, is not in, or that are closed refuse it."""
    places = {
        "unknown": "C0NOWHERE",
        "hidden": slack.add_channel("hr", [slack.alice], "group", with_bot=False).id,
        "elsewhere": slack.add_channel("lounge", [slack.alice], with_bot=False).id,
        "archived": slack.add_channel("old", is_archived=True).id,
    }
    assert code(client.chat_postMessage, channel=places[where], text="hi") == error


def test_broken_posts_are_refused(slack: SlackServer, client: WebClient) -> None:
    """Blocks past a limit fail whole, with Slack's explanation; so does a lost thread."""
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    post = client.chat_postMessage
    assert code(post, channel=slack.general, text="hi", blocks=blocks) == "invalid_blocks"
    assert code(post, channel=slack.general, text="hi", blocks="[{") == "invalid_blocks_format"
    assert code(post, channel=slack.general, text="hi", thread_ts="1.2") == "thread_not_found"
    answer = slack.calls("chat.postMessage")[0].answer
    assert "[ERROR] must be less than 151" in answer["response_metadata"]["messages"][0]
    assert slack.messages(slack.general) == []


def test_a_post_to_a_person_is_a_direct_message(slack: SlackServer, client: WebClient) -> None:
    """A person's id as the channel, and conversations.open, lead to the same place."""
    sent = client.chat_postMessage(channel=slack.alice, text="psst")
    opened = client.conversations_open(users=[slack.alice])
    assert sent["channel"] == opened["channel"]["id"] == slack.dm(slack.alice)
    assert client.conversations_info(channel=sent["channel"])["channel"]["is_im"]


def test_an_update_changes_what_is_given(slack: SlackServer, client: WebClient) -> None:
    """New words replace the old, blocks stay; others' messages and long words are refused."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*b*"}}]
    ts = client.chat_postMessage(channel=slack.general, text="old", blocks=blocks)["ts"]
    client.chat_update(channel=slack.general, ts=ts, text="new")
    message = slack.messages(slack.general)[0]
    assert (message.text, message.blocks[0]["text"]["text"]) == ("new", "*b*")
    theirs = slack.say(slack.general, slack.alice, "mine")
    update = client.chat_update
    assert code(update, channel=slack.general, ts=theirs, text="x") == "cant_update_message"
    assert code(update, channel=slack.general, ts="1.2", text="x") == "message_not_found"
    assert code(update, channel=slack.general, ts=ts, text="x" * 4_001) == "msg_too_long"


def test_a_deleted_message_is_gone(slack: SlackServer, client: WebClient) -> None:
    """Deleting takes the bot's own message away, once."""
    ts = client.chat_postMessage(channel=slack.general, text="oops")["ts"]
    client.chat_delete(channel=slack.general, ts=ts)
    assert slack.messages(slack.general) == []
    assert code(client.chat_delete, channel=slack.general, ts=ts) == "message_not_found"


def test_an_ephemeral_message_is_for_one(slack: SlackServer, client: WebClient) -> None:
    """Only its person sees it, and only someone in the place can."""
    client.chat_postEphemeral(channel=slack.general, user=slack.alice, text="for you")
    assert [m.text for m in slack.ephemerals(slack.general, slack.alice)] == ["for you"]
    assert slack.ephemerals(slack.general, slack.bob) == slack.messages(slack.general) == []
    carol = slack.add_user("carol").id
    ephemeral = client.chat_postEphemeral
    assert code(ephemeral, channel=slack.general, user=carol, text="x") == "user_not_in_channel"


def test_a_permalink_names_the_thread(slack: SlackServer, client: WebClient) -> None:
    """Permalinks carry the message's ts, and its thread's."""
    root = slack.say(slack.general, slack.alice, "hello")
    reply = client.chat_postMessage(channel=slack.general, text="hi", thread_ts=root)["ts"]
    link = client.chat_getPermalink(channel=slack.general, message_ts=reply)["permalink"]
    assert link.endswith(f"/p{reply.replace('.', '')}?thread_ts={root}&cid={slack.general}")


# -- streams --------------------------------------------------------------------------------


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


# -- people, reactions, files ----------------------------------------------------------------


def test_people_are_described(slack: SlackServer, client: WebClient) -> None:
    """Guests and strangers are marked as Slack marks them."""
    guest = slack.add_user("gus", is_restricted=True, is_ultra_restricted=True).id
    stranger = slack.add_user("sam", team_id="T0OTHER", is_stranger=True).id
    shown = {name: client.users_info(user=name)["user"] for name in (slack.alice, guest, stranger)}
    assert shown[guest]["is_restricted"]
    assert shown[guest]["is_ultra_restricted"]
    assert (shown[stranger]["team_id"], shown[stranger]["is_stranger"]) == ("T0OTHER", True)
    assert "is_restricted" not in shown[stranger]
    assert "is_stranger" not in shown[slack.alice]
    assert code(client.users_info, user="U0NOBODY") == "user_not_found"


def test_user_groups_and_members_are_listed(slack: SlackServer, client: WebClient) -> None:
    """Groups tell their people; channels theirs."""
    group = slack.add_group("support", [slack.bob])
    assert client.usergroups_list(include_users=True)["usergroups"][0]["users"] == [slack.bob]
    assert client.usergroups_users_list(usergroup=group.id)["users"] == [slack.bob]
    slack.leave(slack.general, slack.bob)
    members = client.conversations_members(channel=slack.general)["members"]
    assert set(members) == {slack.alice, slack.bot_user}


def test_reactions_come_and_go_once(slack: SlackServer, client: WebClient) -> None:
    """A second time is refused either way."""
    ts = slack.say(slack.general, slack.alice, "hello")
    here: Json = {"channel": slack.general, "timestamp": ts, "name": "eyes"}
    client.reactions_add(**here)
    assert code(client.reactions_add, **here) == "already_reacted"
    client.reactions_remove(**here)
    assert code(client.reactions_remove, **here) == "no_reaction"


def test_a_file_needs_the_bot_token(slack: SlackServer, client: WebClient) -> None:
    """The bytes come with the token; without it a sign-in page does, with status 200."""
    file = slack.share_file(slack.general, slack.alice, "rules.md", b"# Rules", text="new rules")
    info = client.files_info(file=file.id)["file"]
    address = info["url_private_download"]
    for token, start in ((slack.bot_token, b"# Rules"), ("wrong", b"<!DOCTYPE html>")):
        asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
            assert answer.status == 200
            assert answer.read().startswith(start)
    assert info["size"] == 7
    assert code(client.files_info, file="F0NONE") == "file_not_found"


# -- surfaces -------------------------------------------------------------------------------


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


# -- faults ---------------------------------------------------------------------------------


def test_a_refusal_for_the_rate_says_how_long(slack: SlackServer) -> None:
    """A client that honours Retry-After gets through at its second try."""
    slack.fail("chat.postMessage", "429", seconds=1)
    client = WebClient(
        slack.bot_token, base_url=slack.url, retry_handlers=[RateLimitErrorRetryHandler()]
    )
    client.chat_postMessage(channel=slack.general, text="hi")
    first, second = slack.calls("chat.postMessage")
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize(
    ("kind", "posted"),
    [("500", False), ("fatal_error", False), ("drop", False), ("lose_reply", True)],
)
def test_a_call_goes_wrong_once(
    slack: SlackServer, client: WebClient, kind: str, posted: bool
) -> None:
    """Each fault fails one call; only a lost reply has done its work."""
    slack.fail("chat.postMessage", kind)
    with pytest.raises((SlackApiError, URLError, ConnectionError)):
        client.chat_postMessage(channel=slack.general, text="hi")
    assert bool(slack.messages(slack.general)) == posted
    client.chat_postMessage(channel=slack.general, text="hi")
    assert len(slack.messages(slack.general)) == 1 + posted


def test_a_hanging_call_is_done_though_nobody_waits(slack: SlackServer) -> None:
    """A client that gives up cannot know that its message stands."""
    slack.fail("chat.postMessage", "hang", seconds=30)
    with pytest.raises((TimeoutError, URLError)):
        client_of(slack, timeout=1).chat_postMessage(channel=slack.general, text="hi")
    assert len(slack.messages(slack.general)) == 1


def test_rates_are_kept_where_they_are_given() -> None:
    """One message a second in a channel; another channel has its own count."""
    with SlackServer(rate_limits=SLACK_RATE_LIMITS | {"auth.test": RateLimit(2, 60)}) as slack:
        client, other = client_of(slack), slack.add_channel("other").id
        client.chat_postMessage(channel=slack.general, text="1")
        client.chat_postMessage(channel=other, text="2")
        post = client.chat_postMessage
        assert code(post, channel=slack.general, text="3") == "ratelimited"
        assert [client.auth_test()["ok"] for _ in range(2)] == [True, True]
        assert code(client.auth_test) == "ratelimited"
