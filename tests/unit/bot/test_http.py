"""Requests over HTTP without a network: what is let in, and what is turned away unread."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from starlette.testclient import TestClient

from bot.http import MOST_BYTES, http_app, is_signed
from tests.fakes.slack.signed_http import signature

SECRET = "s3cret"
NOW = 1_750_000_000.0
QUIET = logging.getLogger("quiet-bolt")
QUIET.setLevel(logging.CRITICAL)


def headers(body: bytes, at: str = "1750000000", secret: str = SECRET) -> dict[str, str]:
    """The headers with which Slack signs a body."""
    return {
        "x-slack-request-timestamp": at,
        "x-slack-signature": signature(secret, at, body),
    }


def test_what_slack_signed_is_known() -> None:
    """Its own signature counts for five minutes either way, and no longer."""
    signed = headers(b"{}")
    assert is_signed(SECRET, signed, b"{}", NOW)
    assert is_signed(SECRET, signed, b"{}", NOW + 300)
    assert is_signed(SECRET, signed, b"{}", NOW - 300)
    assert not is_signed(SECRET, signed, b"{}", NOW + 301)
    assert not is_signed(SECRET, signed, b"{}", NOW - 301)
    assert not is_signed(SECRET, signed, b"{ }", NOW)
    assert not is_signed("another", signed, b"{}", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"x-slack-signature": ""},
        {"x-slack-signature": "v0=ünsigned"},
        {"x-slack-request-timestamp": ""},
        {"x-slack-request-timestamp": "1750000000.5"},
        {"x-slack-request-timestamp": "-1"},
        {"x-slack-request-timestamp": "nan"},
        {"x-slack-request-timestamp": "١٧٥٠٠٠٠٠٠٠"},
        {"x-slack-request-timestamp": "1" * 400},
    ],
)
def test_odd_headers_are_turned_away(changed: dict[str, str]) -> None:
    """Whatever stands in the headers, it is no error of ours."""
    assert not is_signed(SECRET, headers(b"{}") | changed, b"{}", NOW)


@given(body=st.binary(max_size=60), stamp=st.text(max_size=20), name=st.text(max_size=80))
def test_nothing_unsigned_passes(body: bytes, stamp: str, name: str) -> None:
    """No made-up pair of headers passes for a body."""
    made_up = {"x-slack-request-timestamp": stamp, "x-slack-signature": name}
    assert not is_signed(SECRET, made_up, body, NOW)


@dataclass
class Listening:
    """A Bolt app behind the server's routes; `seen` keeps the events that its listener got."""

    client: TestClient
    seen: list[dict[str, Any]] = field(default_factory=list)

    def post(self, body: bytes, content_type: str = "application/json") -> Any:
        """Post a body as Slack would, signed now."""
        signed = headers(body, str(int(time.time())))
        return self.client.post(
            "/slack/events", content=body, headers=signed | {"content-type": content_type}
        )


@pytest.fixture
def listening() -> Iterator[Listening]:
    """The routes over an app with one listener."""
    with ThreadPoolExecutor(1) as pool:
        app = App(
            logger=QUIET,
            signing_secret=SECRET,
            authorize=lambda: AuthorizeResult(
                enterprise_id=None, team_id="T1", bot_token="xoxb-1", bot_user_id="U0"
            ),
            process_before_response=True,
            listener_executor=pool,
        )
        with TestClient(http_app(app, SECRET)) as client:
            made = Listening(client)
            app.event("app_mention")(lambda body: made.seen.append(body))
            yield made


EVENT = (
    b'{"type": "event_callback", "team_id": "T1", "event": {"type": "app_mention", "user": "U1"}}'
)


def test_a_signed_event_reaches_its_listener(listening: Listening) -> None:
    """It is answered with 200 and heard once."""
    assert listening.post(EVENT).status_code == 200
    assert [body["event"]["user"] for body in listening.seen] == ["U1"]


def test_the_address_is_verified(listening: Listening) -> None:
    """Slack's challenge is answered where it is signed, and nowhere else."""
    asked = b'{"type": "url_verification", "challenge": "abc"}'
    assert "abc" in listening.post(asked).text
    unsigned = listening.client.post("/slack/events", content=asked)
    assert (unsigned.status_code, "abc" in unsigned.text) == (401, False)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"\xff\xfe", "application/json", 400, id="no UTF-8"),
        pytest.param(b"{", "application/json", 400, id="no JSON"),
        pytest.param(b"payload=%7B", "application/x-www-form-urlencoded", 400, id="no payload"),
        pytest.param(b" " * (MOST_BYTES + 1), "application/json", 413, id="too long"),
    ],
)
def test_what_cannot_be_read_is_said_to_be(
    listening: Listening, body: bytes, kind: str, status: int
) -> None:
    """Signed or not, a broken or endless request ends in a plain status and reaches nobody."""
    assert listening.post(body, kind).status_code == status
    assert listening.seen == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_posts_are_taken(listening: Listening, method: str) -> None:
    """Any other method is refused."""
    assert listening.client.request(method, "/slack/events").status_code == 405


def test_health_is_answered_and_nothing_else(listening: Listening) -> None:
    """The health check works; pages to install do not exist for a single team."""
    assert listening.client.get("/health").json() == {"status": "ok"}
    assert listening.client.get("/slack/install").status_code == 404
    assert listening.client.get("/").status_code == 404
