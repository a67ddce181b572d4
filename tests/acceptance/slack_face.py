"""The running Slack face, a scripted answerer behind it, and what people see of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from bot.manifest import PATH
from bot.people import Members, StoredMembers
from bot.socket import run_socket_mode
from core.settings import Settings
from graph.state import Question
from store.access import Member
from store.answers import Answer, Citation, Claim
from store.workspaces import ensure_workspace
from tests.fakes.slack import Message, SlackServer

SETTLED = 0.5  # seconds after which a second reply would have come

SALE = Citation(
    number=1,
    version_id=7,
    document="returns",
    title="Returns policy",
    version=3,
    section=("Sale items",),
    page=None,
    start=0,
    end=66,
    quote="Items bought in a sale can be returned within 14 days of delivery.",
    effective_from=datetime(2026, 9, 1, tzinfo=UTC),
    link="https://policies.example.com/returns#sale",
)
CLAIM = Claim("Sale items can be returned within 14 days.", (SALE,))


def cited(question: Question) -> Answer:
    """The answer every test gets unless it scripts another."""
    return Answer("a1", question.text, "policy", "answered", CLAIM.text, (CLAIM,))


@dataclass
class Answerer:
    """Answers by a script and keeps what it was asked."""

    script: Callable[[Question], Answer] = cited
    asked: list[Question] = field(default_factory=list)

    def answer(self, question: Question) -> Answer:
        """Keep the question, then follow the script."""
        self.asked.append(question)
        return self.script(question)


@dataclass
class KeptMembers:
    """Members in a dictionary."""

    kept: dict[str, Member] = field(default_factory=dict)
    given: dict[str, frozenset[str]] = field(default_factory=dict)  # roles

    def find(self, user_id: str) -> Member | None:
        """Return what is kept about a person."""
        return self.kept.get(user_id)

    def save(self, member: Member) -> None:
        """Keep it."""
        self.kept[member.user_id] = member

    def roles(self, user_id: str) -> frozenset[str]:
        """Return the roles that were given."""
        return self.given.get(user_id, frozenset())


def declared() -> dict[str, Any]:
    """The app as its manifest has Slack make it."""
    manifest: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return manifest


def settings_for(slack: SlackServer, **changes: str) -> Settings:
    """Settings that point every client at the local server."""
    values = {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.url,
    }
    return Settings.model_validate(values | changes)


@contextmanager
def running(
    slack: SlackServer,
    engine: Engine,
    answerer: Answerer,
    members: Members | None = None,
    deadline: float = 20.0,
    **changes: str,
) -> Iterator[None]:
    """Run the bot in the local workspace until the block ends; `changes` are settings."""
    stop, ready = threading.Event(), threading.Event()
    workspace_id = ensure_workspace(engine)
    kept = members or StoredMembers(engine, workspace_id)
    thread = threading.Thread(
        target=run_socket_mode,
        args=(settings_for(slack, **changes), engine, workspace_id, answerer, kept, stop),
        kwargs={"connected": lambda _: ready.set(), "deadline": deadline},
    )
    thread.start()
    try:
        assert ready.wait(10)
        slack.wait_for_connection()
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def words(message: Message) -> str:
    """What people read in a message's blocks, a line a block."""
    return "\n".join(_words(block) for block in message.blocks)


def _words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(map(_words, value))
    if not isinstance(value, dict):
        return ""
    own = value["text"] if isinstance(value.get("text"), str) else ""
    return own + "".join(_words(item) for item in value.values() if not isinstance(item, str))


def links(value: Any) -> list[str]:
    """The addresses that blocks link to."""
    if isinstance(value, list | tuple):
        return [url for item in value for url in links(item)]
    if not isinstance(value, dict):
        return []
    own = [value["url"]] if value.get("type") == "link" else []
    return own + [url for item in value.values() for url in links(item)]


def settle(slack: SlackServer) -> None:
    """Wait until every event is acknowledged and a second reply would have come."""
    for delivery in slack.deliveries:
        delivery.wait_for_ack()
    threading.Event().wait(SETTLED)
