"""Uploads to the local Slack, and the blocks that show what was uploaded."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from tests.fakes.slack import SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import client_of, code, wait_until

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A server that knows at once what a file is."""
    with SlackServer(file_processing=0.0) as server:
        yield server


def picture(**named: str) -> Json:
    """An image block that shows an uploaded file."""
    return {"type": "image", "alt_text": "page 4", "slack_file": named}


def uploaded(client: WebClient, name: str = "page.png", content: bytes = PNG) -> Json:
    """Upload a file that is in no place and return what is said of it."""
    file: Json = client.files_upload_v2(filename=name, content=content)["file"]
    return file


def test_an_uploaded_picture_is_shown(slack: SlackServer, client: WebClient) -> None:
    """By its id or its address, in a message, an update, a stream's end, and a modal."""
    file = uploaded(client)
    assert (file["mimetype"], file["size"], file["user"]) == ("image/png", 48, slack.bot_user)
    here: Json = {"channel": slack.general, "text": "see"}
    ts = client.chat_postMessage(blocks=[picture(id=file["id"])], **here)["ts"]
    client.chat_update(ts=ts, blocks=[picture(url=file["permalink"])], **here)
    assert slack.messages(slack.general)[0].blocks[0]["slack_file"] == {"url": file["permalink"]}
    title = {"type": "plain_text", "text": "Source"}
    view = {"type": "modal", "title": title, "blocks": [picture(id=file["id"])]}
    client.views_open(trigger_id=slack.workspace.new_trigger(slack.alice), view=view)
    assert slack.views(slack.alice)[0].body["blocks"][0]["slack_file"] == {"id": file["id"]}
    with urllib.request.urlopen(  # noqa: S310
        urllib.request.Request(  # noqa: S310
            file["url_private"], headers={"Authorization": f"Bearer {slack.bot_token}"}
        ),
        timeout=5,
    ) as answer:
        assert answer.read() == PNG


def test_a_file_is_shared_where_it_is_asked_for(slack: SlackServer, client: WebClient) -> None:
    """Given a channel and a thread, it comes as a message of the bot with words."""
    root = slack.say(slack.general, slack.alice, "which page?")
    client.files_upload_v2(
        file_uploads=[
            {"filename": "a.png", "content": PNG, "title": "Page 4"},
            {"filename": "b.txt", "content": "words"},
        ],
        channel=slack.general,
        thread_ts=root,
        initial_comment="here",
    )
    reply = slack.wait_for_messages(slack.general, root)[0]
    assert (reply.text, reply.subtype) == ("here", "file_share")
    assert [f.content for f in reply.files] == [PNG, b"words"]
    told = [d.event.get("subtype") or d.event["type"] for d in slack.deliveries]
    assert told == ["message", "file_share", "file_shared", "file_shared"]
    listed = client.files_list(channel=slack.general)["files"]
    assert [file["title"] for file in listed] == ["b.txt", "Page 4"]


def test_slack_looks_at_a_file_before_it_is_shown() -> None:
    """Until then its type is unknown and a block with it is refused; then it works."""
    with SlackServer(file_processing=0.3) as slack:
        client = client_of(slack)
        file = uploaded(client)
        post: Json = {"channel": slack.general, "text": "see", "blocks": [picture(id=file["id"])]}
        assert (file["mimetype"], file["filetype"]) == ("", "")
        assert code(client.chat_postMessage, **post) == "invalid_blocks"
        wait_until(lambda: bool(client.files_info(file=file["id"])["file"]["mimetype"]))
        assert client.chat_postMessage(**post)["ok"]


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"id": "F0NOTTHERE"}, "invalid slack file [json-pointer:/blocks/1/slack_file]"),
        ({"id": "page.png"}, "input must match regex pattern"),
        ({"url": "https://acme.slack.com/x.png"}, "invalid slack file"),
        ({"id": "F0NOTTHERE", "url": "https://x"}, "must provide either an id or a url"),
        ({}, "must provide either an id or a url"),
    ],
)
def test_a_picture_that_is_not_there_is_refused(
    slack: SlackServer, client: WebClient, named: Any, problem: str
) -> None:
    """The whole message is, with the place of the problem."""
    blocks = [{"type": "divider"}, picture(**named)]
    post = {"channel": slack.general, "text": "see", "blocks": blocks}
    assert code(client.chat_postMessage, **post) == "invalid_blocks"
    assert problem in slack.calls("chat.postMessage")[0].answer["errors"][0]


def test_only_pictures_that_are_there_are_shown(slack: SlackServer, client: WebClient) -> None:
    """Neither words nor what was deleted; in accessories, modals and response_urls alike."""
    words, gone = uploaded(client, "a.txt", b"words"), uploaded(client)
    slack.delete_file(slack.workspace.files[gone["id"]])
    here: Json = {"channel": slack.general, "text": "see"}
    for file in (words, gone):
        shown = {"type": "section", "text": {"type": "mrkdwn", "text": "a"}}
        inside = shown | {"accessory": picture(id=file["id"])}
        assert code(client.chat_postMessage, blocks=[inside], **here) == "invalid_blocks"
    view = {"type": "home", "blocks": [picture(id=gone["id"])]}
    assert code(client.views_publish, user_id=slack.alice, view=view) == "invalid_arguments"
    made = slack.workspace.new_response_url(slack.general, slack.alice, None)
    hook = WebhookClient(f"{slack.workspace.origin}/response/{made.id}")
    assert hook.send(text="see", blocks=[picture(id=gone["id"])]).status_code == 400
    both = picture(id=gone["id"]) | {"image_url": "https://x.example.com/a.png"}
    assert code(client.chat_postMessage, blocks=[both], **here) == "invalid_blocks"


def test_an_upload_is_whole_and_once(slack: SlackServer, client: WebClient) -> None:
    """Not sent, sent short, or completed before: there is no such file."""
    asked = client.files_getUploadURLExternal(filename="page.png", length=48)
    complete = client.files_completeUploadExternal
    files: list[dict[str, str | None]] = [{"id": asked["file_id"], "title": "t"}]
    assert code(complete, files=files) == "file_not_found"
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        urllib.request.urlopen(str(asked["upload_url"]), b"short", timeout=5)  # noqa: S310
    refused.value.close()
    assert code(complete, files=files) == "file_not_found"
    urllib.request.urlopen(str(asked["upload_url"]), PNG, timeout=5).close()  # noqa: S310
    assert code(client.files_info, file=asked["file_id"]) == "file_not_found"
    lounge = slack.add_channel("lounge", with_bot=False).id
    assert code(complete, files=files, channel_id=lounge) == "not_in_channel"
    assert complete(files=files)["ok"]
    assert code(complete, files=files) == "file_not_found"
    get = client.files_getUploadURLExternal
    assert code(get, filename="", length=3) == code(get, filename="a", length=0)


def test_an_upload_needs_its_scope_and_may_fail(client: WebClient, slack: SlackServer) -> None:
    """files:read does not suffice; the upload itself fails where a test says so."""
    with SlackServer(scopes=["files:read"]) as bare:
        get = client_of(bare).files_getUploadURLExternal
        assert code(get, filename="a.png", length=3) == "missing_scope"
    slack.fail("upload", "500")
    with pytest.raises(urllib.error.HTTPError, match="500") as refused:
        uploaded(client)
    refused.value.close()
    assert uploaded(client)["size"] == 48
