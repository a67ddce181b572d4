"""Who asks, and who will see the answer: what Slack tells of people and channels, as `Access`.

Whatever cannot be learnt counts against access: an unknown person reads what is external, and an
unknown channel is one that other organisations see. A channel's own guests are not looked up:
what a full member may read is shown in the workspace's own channels, guests in them or not.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.client import SLACK_FAILURES
from bot.incoming import Incoming
from bot.recent import Recent
from core.logs import logger
from store.access import (
    KNOWLEDGE_ADMIN,
    Access,
    Member,
    Place,
    access_of,
    channel_principal,
)
from store.members import find_member, read_roles, save_member

MEMBER_FRESH = 3_600.0  # seconds until a person is looked up again
PLACE_FRESH = 60.0  # seconds; a channel that is opened to others must count as such soon
REMEMBERED = 10_000  # people or channels

SHARED = ("is_ext_shared", "is_shared", "is_org_shared", "is_pending_ext_shared")
ADMINS = ("is_owner", "is_admin", "is_primary_owner")
PENDING = ("pending_shared", "pending_connected_team_ids")

log = logger(__name__)


class Members(Protocol):
    """Where what is known about people is kept."""

    def find(self, user_id: str) -> Member | None:
        """Return what is kept about a person."""

    def save(self, member: Member) -> None:
        """Keep it."""

    def roles(self, user_id: str) -> frozenset[str]:
        """Return the roles that an operator gave a person."""


@dataclass(frozen=True)
class StoredMembers:
    """Members kept in the workspace's table."""

    engine: Engine
    workspace_id: int

    def find(self, user_id: str) -> Member | None:
        """Return what is kept about a person."""
        return find_member(self.engine, self.workspace_id, user_id)

    def save(self, member: Member) -> None:
        """Insert or replace what is kept about a person."""
        save_member(self.engine, self.workspace_id, member)

    def roles(self, user_id: str) -> frozenset[str]:
        """Return the roles that an operator gave a person."""
        return read_roles(self.engine, self.workspace_id, user_id)


class People:
    """Answers who may read what, asking Slack at most once an hour about each person.

    Who may change documents is asked each time.
    """

    def __init__(self, members: Members) -> None:
        self._members = members
        self._known: Recent[tuple[str, str], Member] = Recent(MEMBER_FRESH, REMEMBERED)
        self._places: Recent[str, Place] = Recent(PLACE_FRESH, REMEMBERED)

    def access(self, client: WebClient, incoming: Incoming) -> Access:
        """Return what the asker may read where the answer will be seen."""
        member = self.member(client, incoming.team, incoming.user)
        return access_of(member, None if incoming.private else self._place(client, incoming))

    def member(self, client: WebClient, team: str, user_id: str) -> Member | None:
        """Return who a person is; None where Slack does not say. Keeps it with their groups."""
        known = self._known.get((team, user_id))
        if known is not None:
            return known
        try:
            user: dict[str, Any] = client.users_info(user=user_id).get("user") or {}
        except SLACK_FAILURES as error:
            log.warning("person unknown", user=user_id, error=type(error).__name__)
            return None
        kept = self._members.find(user_id)
        member = Member(user_id, standing(user, team), kept.principals if kept else frozenset())
        self._members.save(member)
        self._known.put((team, user_id), member)
        return member

    def may_add_documents(self, client: WebClient, team: str, user_id: str) -> bool:
        """Whether a person is a knowledge admin, or runs the workspace, and is a full member.

        Raises one of `bot.client.SLACK_FAILURES` where Slack does not say.
        """
        user: dict[str, Any] = client.users_info(user=user_id).get("user") or {}
        if standing(user, team) != "member" or user.get("is_bot"):
            return False
        return any(user.get(key) for key in ADMINS) or KNOWLEDGE_ADMIN in self._members.roles(
            user_id
        )

    def readers(self, client: WebClient, incoming: Incoming) -> tuple[str, ...] | None:
        """Return who may read a new document that is shared somewhere; None is everyone.

        What is shared in a private channel stays in it, and so where Slack does not say.
        """
        if incoming.private:
            return None
        public = self._place(client, incoming).public
        return None if public else (channel_principal(incoming.channel),)

    def _place(self, client: WebClient, incoming: Incoming) -> Place:
        channel = incoming.channel
        if incoming.shared:
            return Place(channel, shared=True)
        known = self._places.get(channel)
        if known is not None:
            return known
        try:
            info: dict[str, Any] = client.conversations_info(channel=channel).get("channel") or {}
        except SLACK_FAILURES as error:
            log.warning("channel unknown", channel=channel, error=type(error).__name__)
            return Place(channel, shared=True)
        place = Place(channel, shared=is_shared(info), public=not info.get("is_private"))
        self._places.put(channel, place)
        return place


def standing(user: dict[str, Any], team: str) -> Literal["member", "guest", "foreign"]:
    """Return a person's standing from `users.info`; nothing known or another team is foreign."""
    others = not user or user.get("is_stranger") or user.get("team_id", team) != team
    if others or user.get("deleted"):
        return "foreign"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "guest"
    return "member"


def is_shared(channel: dict[str, Any]) -> bool:
    """Whether others than this workspace see a channel, from `conversations.info`."""
    return not channel or any(channel.get(key) for key in (*SHARED, *PENDING))
