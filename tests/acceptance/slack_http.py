"""The bot over HTTP: running it here, and the browser in which somebody installs it."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape

from cryptography.fernet import Fernet
from sqlalchemy import Engine

from bot.http import run_http, run_installed
from bot.people import StoredMembers
from core.settings import Settings
from store.workspaces import ensure_workspace
from tests.acceptance.processes import free_port
from tests.acceptance.slack_face import Answerer
from tests.fakes.slack import SlackServer, Team

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
KEY = Fernet.generate_key().decode()


@dataclass(frozen=True)
class Page:
    """What a browser was shown."""

    status: int
    html: str

    @property
    def link(self) -> str:
        """Where its one link leads."""
        (link,) = re.findall(r'href="([^"]+)"', self.html)
        return unescape(link)


@dataclass
class Browser:
    """A browser that keeps cookies, also those meant for https, and follows no link by itself."""

    cookies: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def get(self, url: str) -> Page:
        """Open a page."""
        asked = urllib.request.Request(url)  # noqa: S310
        if self.cookies:
            asked.add_header("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                self._keep(answer.headers.get_all("Set-Cookie") or [])
                return Page(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.read().decode())

    def _keep(self, cookies: list[str]) -> None:
        for cookie in cookies:
            pair, _, attributes = cookie.partition(";")
            name, _, value = pair.partition("=")
            self.cookies[name], self.attributes[name] = value, attributes

    def install(self, address: str, team: Team) -> Page:
        """Install the app into a team, from its page to the page that says so."""
        return self.get(team.authorize_url_to_code(self.get(f"{address}/slack/install").link))


def http_settings(slack: SlackServer, **given: str) -> Settings:
    """Settings of a bot that listens on a port of this test's own."""
    port = free_port()
    values = {
        "SLACK_API_URL": slack.url,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "FOOTNOTE_SLACK_PORT": str(port),
        "FOOTNOTE_SLACK_URL": f"http://127.0.0.1:{port}",
    }
    return Settings.model_validate(values | given)


def oauth_variables(slack: SlackServer) -> dict[str, str]:
    """What lets workspaces install the app."""
    return {
        "SLACK_CLIENT_ID": slack.client_id,
        "SLACK_CLIENT_SECRET": slack.client_secret,
        "FOOTNOTE_SECRET_KEY": KEY,
    }


@contextmanager
def one_team(slack: SlackServer, engine: Engine, answerer: Answerer) -> Iterator[str]:
    """Run the bot for one team, by its token; gives its address."""
    settings = http_settings(slack, SLACK_BOT_TOKEN=slack.bot_token)
    workspace_id = ensure_workspace(engine)
    members = StoredMembers(engine, workspace_id)

    def run(stop: threading.Event, ready: threading.Event) -> None:
        run_http(
            settings, engine, workspace_id, answerer, members, stop,
            connected=lambda _: ready.set(), deadline=20,
        )  # fmt: skip

    with _running(slack, settings, run) as address:
        yield address


@contextmanager
def all_teams(
    slack: SlackServer, engine: Engine, answering: Callable[[int], Answerer]
) -> Iterator[str]:
    """Run the bot for every team that installs it; gives its address."""
    settings = http_settings(slack, **oauth_variables(slack))

    def run(stop: threading.Event, ready: threading.Event) -> None:
        run_installed(
            settings, engine, answering, stop, connected=lambda _: ready.set(), deadline=20
        )

    with _running(slack, settings, run) as address:
        yield address


@contextmanager
def _running(
    slack: SlackServer,
    settings: Settings,
    run: Callable[[threading.Event, threading.Event], None],
) -> Iterator[str]:
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=run, args=(stop, ready))
    thread.start()
    try:
        assert ready.wait(10)
        address = f"http://127.0.0.1:{settings.slack_port}"
        slack.deliver_over_http(address, SIGNING_SECRET)
        yield address
    finally:
        stop.set()
        thread.join(20)
        slack.deliver_over_socket()
        assert not thread.is_alive()
