"""The Web API of the local Slack: tokens, messages, people and files."""

import urllib.request

import pytest
from slack_sdk import WebClient

from tests.fakes.slack import SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import client_of, code


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
