"""Who of a workspace's people is no full member: Slack's list of all of them, read in pages.

Slack takes twenty pages a minute. So the list is read anew between questions, a page in each round
of chores; a question waits for it only where it is missing or too old, and then not for long.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.client import OUTAGES, SLACK_FAILURES, impatient
from bot.timing import elsewhere
from core.logs import logger

FRESH = 600.0  # seconds for which a list is believed
AHEAD = 300.0  # seconds after which it is read anew while nobody waits for it
PATIENCE = 5.0  # seconds that a question waits for it
REST = 60.0  # seconds without a call after one that failed
PAGE = 1_000  # people in one call; Slack takes no more
PAGES = 100  # that are read; who is beyond is not known
NAME = 200  # characters of a name; Slack takes 80

Standing = Literal["member", "guest", "foreign"]

log = logger(__name__)


@dataclass(frozen=True)
class Listing:
    """People as Slack lists them. Who is neither here nor there is not known.

    `others` are full members, and bots and deactivated people, who read nothing.
    """

    outsiders: frozenset[str]
    others: frozenset[str]


@dataclass
class _Reading:
    """A list that is being read."""

    began: float
    cursor: str = ""
    pages: int = 0
    outsiders: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


Named = Callable[[Mapping[str, Sequence[str]]], None]
"""Keeps what people are called, by their ids."""


def unkept(_names: Mapping[str, Sequence[str]]) -> None:
    """Keep no names."""


class Directory:
    """Keeps the last list of one workspace's people. One thread at a time reads it.

    What people are called is handed to `named` whenever a list was read to its end.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, named: Named = unkept) -> None:
        self._clock = clock
        self._named = named
        self._lock = threading.Lock()
        self._last: Listing | None = None
        self._last_began = float("-inf")
        self._reading: _Reading | None = None
        self._not_before = float("-inf")

    def listing(self, client: WebClient, team: str) -> Listing | None:
        """Return the list, fresh where Slack gives it in time, else the last; None without one."""
        if self._is_older_than(FRESH):
            until = self._clock() + PATIENCE
            with elsewhere():
                mine = self._lock.acquire(timeout=PATIENCE)
            if mine:
                try:
                    while self._may_read(FRESH) and self._clock() <= until:
                        self._read_page(client, team)
                finally:
                    self._lock.release()
        return self._last

    def read_on(self, client: WebClient, team: str) -> None:
        """Read one page, if the list is to be read anew and nobody reads it."""
        if not self._is_older_than(AHEAD) or not self._lock.acquire(blocking=False):
            return
        try:
            if self._may_read(AHEAD):
                self._read_page(client, team)
        finally:
            self._lock.release()

    def _is_older_than(self, seconds: float) -> bool:
        return self._clock() - self._last_began >= seconds

    def _may_read(self, seconds: float) -> bool:
        return self._is_older_than(seconds) and self._clock() >= self._not_before

    def _read_page(self, client: WebClient, team: str) -> None:
        reading = self._reading or _Reading(self._clock())
        try:
            page = impatient(client).users_list(limit=PAGE, cursor=reading.cursor)
        except SLACK_FAILURES as error:
            code = error.response.get("error") if isinstance(error, SlackApiError) else None
            log.warning("people not listed", error=code or type(error).__name__)
            refused = code is not None and code not in OUTAGES
            self._reading = None if refused else reading  # what was read so far still counts
            self._not_before = self._clock() + REST
            return
        for user in page.get("members") or ():
            (reading.outsiders if is_outsider(user, team) else reading.others).add(str(user["id"]))
            if not user.get("is_bot"):
                reading.names[str(user["id"])] = names_of(user)
        reading.pages += 1
        reading.cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        self._reading = reading
        if not reading.cursor or reading.pages == PAGES:
            self._last = Listing(frozenset(reading.outsiders), frozenset(reading.others))
            self._last_began, self._reading = reading.began, None
            self._named(reading.names)


def names_of(user: dict[str, Any]) -> tuple[str, ...]:
    """Return the names by which Slack knows a person, real and shown ones."""
    profile = user.get("profile") or {}
    written = (
        user.get("real_name"),
        *(profile.get(name) for name in ("real_name", "display_name", "real_name_normalized")),
        " ".join(str(profile.get(name) or "") for name in ("first_name", "last_name")),
    )
    named = (" ".join(str(name or "").replace("\x00", "").split())[:NAME] for name in written)
    return tuple(dict.fromkeys(name for name in named if name))


def is_outsider(user: dict[str, Any], team: str) -> bool:
    """Whether a person, as Slack lists them, reads along and is no full member."""
    reads = not user.get("is_bot") and not user.get("deleted")
    return reads and standing(user, team) != "member"


def standing(user: dict[str, Any], team: str) -> Standing:
    """Return a person's standing from `users.info`; nothing known or another team is foreign."""
    others = not user or user.get("is_stranger") or user.get("team_id", team) != team
    if others or user.get("deleted"):
        return "foreign"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "guest"
    return "member"
