"""How the local Slack goes wrong when it is told to."""

import urllib.error
import urllib.request
from urllib.error import URLError

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from tests.fakes.slack import SLACK_RATE_LIMITS, RateLimit, SlackServer
from tests.unit.fakes.asking import client_of, code


def test_a_refusal_for_the_rate_says_how_long(slack: SlackServer, client: WebClient) -> None:
    """Status 429 carries Retry-After in whole seconds, and the call was not done."""
    slack.fail("chat.postMessage", "429", times=2, seconds=1.2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as refused:
            client.chat_postMessage(channel=slack.general, text="hi")
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "2"
    client.chat_postMessage(channel=slack.general, text="hi")
    assert [call.status for call in slack.calls("chat.postMessage")] == [429, 429, 200]
    assert len(slack.messages(slack.general)) == 1


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


def test_a_response_url_and_a_file_go_wrong_too(slack: SlackServer) -> None:
    """Each fails once, has then not been done, and works after it."""
    slack.fail("response_url", "500")
    slack.fail("file", "500")
    made = slack.workspace.new_response_url(slack.general, slack.alice, None)
    hook = WebhookClient(f"{slack.workspace.origin}/response/{made.id}")
    assert [hook.send(text="hi").status_code for _ in range(2)] == [500, 200]
    assert [post.text for post in made.posts] == ["hi"]
    file = slack.share_file(slack.general, slack.alice, "rules.md", b"# Rules")
    address = client_of(slack).files_info(file=file.id)["file"]["url_private_download"]
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {slack.bot_token}"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="500") as refused:
        urllib.request.urlopen(asked, timeout=5)  # noqa: S310
    refused.value.close()
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
        assert answer.read() == b"# Rules"


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
