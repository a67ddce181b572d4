"""Who asks, and who will see the answer: what Slack tells of people and channels, as `Access`.

Whatever cannot be learnt counts against access: an unknown person reads what is external, an
unknown channel is one that outsiders see, and nobody is in a channel or user group of which Slack
does not say so. Outsiders see a channel as soon as one guest, or anybody of elsewhere, is in it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy import Engine

from bot.client import OUTAGES, SLACK_FAILURES
from bot.directory import Directory, Named, standing, unkept
from bot.incoming import Incoming
from bot.recent import Recent
from core.logs import logger
from store.access import (
    CHANNEL,
    CURATOR,
    GROUP,
    KNOWLEDGE_ADMIN,
    Access,
    Member,
    Place,
    access_of,
    channel_principal,
)
from store.members import find_member, read_roles, save_member

MEMBER_FRESH = 300.0  # seconds until a person is looked up again
PLACE_FRESH = 60.0  # seconds; a channel that is opened to others must count as such soon
CHANNEL_FRESH = 60.0  # seconds; who is taken out of a channel must lose what it may read soon
GROUPS_FRESH = 300.0  # seconds; user groups change seldom, and all are told at once
NAMES_FRESH = 10.0  # seconds until the documents are asked again whom they are for
REMEMBERED = 10_000  # people or channels
PAGE = 1_000  # people of a channel in one call; Slack takes no more
PAGES = 100  # of one channel that are read
LOOKED_UP = 50  # people of a channel who are asked about one by one, at most

Role = Literal["admin", "curator", "member"]
"""What a person may do: an admin everything, a curator with transcripts, a member ask."""

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


def nobody_else() -> frozenset[str]:
    """Return that documents name no channel and no user group."""
    return frozenset()


@dataclass(frozen=True)
class Known:
    """A channel as Slack describes it, guests in it or not.

    `joined` says whether the bot is in it, `public` whether every member may join it, `shared`
    whether other organisations see it, `direct` whether it is a group's direct messages.
    """

    name: str
    joined: bool
    public: bool
    shared: bool
    direct: bool

    @property
    def open(self) -> bool:
        """Whether all members of the workspace may look in, and no other organisation does."""
        return self.public and not self.shared


@dataclass(frozen=True)
class Crowd:
    """Who is in a channel, as far as Slack says; `whole` says whether that is all of them."""

    people: frozenset[str]
    whole: bool


NOBODY = Crowd(frozenset(), whole=False)


class People:
    """Answers who may read what, asking Slack about each person every few minutes at most.

    What a person may do is asked each time. `named` gives the principals that documents name:
    only those channels and user groups are looked through; `pages` of each channel at most.
    `called` keeps what people are called. Safe between threads.
    """

    def __init__(
        self,
        members: Members,
        named: Callable[[], frozenset[str]] = nobody_else,
        clock: Callable[[], float] = time.monotonic,
        pages: int = PAGES,
        called: Named = unkept,
    ) -> None:
        self._members = members
        self._pages = pages
        self._named = named
        self._known: Recent[tuple[str, str], Member] = Recent(MEMBER_FRESH, REMEMBERED, clock)
        self._places: Recent[str, Known] = Recent(PLACE_FRESH, REMEMBERED, clock)
        self._inside: Recent[str, Crowd] = Recent(CHANNEL_FRESH, REMEMBERED, clock)
        self._groups: Recent[str, dict[str, frozenset[str]]] = Recent(GROUPS_FRESH, 1, clock)
        self._names: Recent[str, frozenset[str]] = Recent(NAMES_FRESH, 1, clock)
        self._directory = Directory(clock, called)

    def access(self, client: WebClient, incoming: Incoming) -> Access:
        """Return what the asker may read where the answer will be seen."""
        if incoming.private:
            return self.alone(client, incoming.team, incoming.user)
        member = self.member(client, incoming.team, incoming.user)
        if incoming.shared:
            return access_of(member, Place(incoming.channel, shared=True))
        return access_of(member, self.place(client, incoming.team, incoming.channel))

    def alone(self, client: WebClient, team: str, user_id: str) -> Access:
        """Return what a person may read where only they see it: what their channels and user
        groups may read too.
        """
        member = self.member(client, team, user_id)
        if member is not None and member.standing == "member":
            inside = frozenset(self._principals(client, user_id))
            member = replace(member, principals=member.principals | inside)
        return access_of(member, None)

    def member(self, client: WebClient, team: str, user_id: str) -> Member | None:
        """Return who a person is; None where Slack does not say. Keeps it.

        Their principals are those that an operator gave them.
        """
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

    def role(self, client: WebClient, team: str, user_id: str) -> Role:
        """Return what a person may do. Guests, bots and people of elsewhere have no other role
        than to ask, whatever they were given.

        Raises one of `bot.client.SLACK_FAILURES` where Slack does not say.
        """
        user: dict[str, Any] = client.users_info(user=user_id).get("user") or {}
        if standing(user, team) != "member" or user.get("is_bot"):
            return "member"
        given = self._members.roles(user_id)
        if any(user.get(key) for key in ADMINS) or KNOWLEDGE_ADMIN in given:
            return "admin"
        return "curator" if CURATOR in given else "member"

    def may_add_documents(self, client: WebClient, team: str, user_id: str) -> bool:
        """Whether a person is a knowledge admin, or runs the workspace, and is a full member.

        Raises one of `bot.client.SLACK_FAILURES` where Slack does not say.
        """
        return self.role(client, team, user_id) == "admin"

    def readers(self, client: WebClient, incoming: Incoming) -> tuple[str, ...] | None:
        """Return who may read a new document that is shared somewhere; None is everyone.

        What is shared in a private channel stays in it, and so where Slack does not say.
        """
        if incoming.private:
            return None
        known = self.channel(client, incoming.channel)
        public = known is not None and known.public and not incoming.shared
        return None if public else (channel_principal(incoming.channel),)

    def is_inside(self, client: WebClient, user_id: str, channel: str) -> bool:
        """Whether a person is in a channel; False where Slack does not say."""
        return user_id in self._members_of(client, channel).people

    def _principals(self, client: WebClient, user_id: str) -> Iterator[str]:
        """Yield those of the named channels and user groups that a person is in."""
        for name in sorted(self._named_now()):
            kind, _, which = name.partition(":")
            if (kind == CHANNEL and user_id in self._members_of(client, which).people) or (
                kind == GROUP and user_id in self._groups_now(client).get(which, ())
            ):
                yield name

    def _named_now(self) -> frozenset[str]:
        known = self._names.get("")
        if known is None:
            known = self._named()
            self._names.put("", known)
        return known

    def _members_of(self, client: WebClient, channel: str) -> Crowd:
        """Return who is in a channel; nobody where Slack does not say."""
        known = self._inside.get(channel)
        if known is not None:
            return known
        found: set[str] = set()
        cursor = ""
        try:
            for _ in range(self._pages):
                page = client.conversations_members(channel=channel, limit=PAGE, cursor=cursor)
                found.update(page.get("members") or ())
                cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    break
        except SLACK_FAILURES as error:
            log.warning("channel not looked through", channel=channel, error=_code(error))
            if isinstance(error, SlackApiError) and _code(error) not in OUTAGES:
                self._inside.put(channel, NOBODY)  # the bot is not in it: asked again later
            return NOBODY
        crowd = Crowd(frozenset(found), whole=not cursor)
        self._inside.put(channel, crowd)
        return crowd

    def _groups_now(self, client: WebClient) -> dict[str, frozenset[str]]:
        """Return who is in each user group; none where Slack does not say."""
        known = self._groups.get("")
        if known is not None:
            return known
        try:
            told = client.usergroups_list(include_users=True).get("usergroups") or []
        except SLACK_FAILURES as error:
            log.warning("user groups not looked through", error=_code(error))
            return {}
        groups = {str(group["id"]): frozenset(group.get("users") or ()) for group in told}
        self._groups.put("", groups)
        return groups

    def place(self, client: WebClient, team: str, channel: str) -> Place:
        """Return who sees what is said in a channel: also others, where Slack does not say."""
        known = self.channel(client, channel)
        if known is None:
            return Place(channel, shared=True)
        shared = known.shared or self._has_outsiders(client, team, channel, known)
        return Place(channel, shared=shared, public=known.public)

    def list_on(self, client: WebClient, team: str) -> None:
        """Keep the list of the workspace's people fresh; to be called every few seconds."""
        self._directory.read_on(client, team)

    def channel(self, client: WebClient, channel: str) -> Known | None:
        """Return what Slack says of a channel, at most a minute old; None where it does not."""
        known = self._places.get(channel)
        if known is not None:
            return known
        try:
            info: dict[str, Any] = client.conversations_info(channel=channel).get("channel") or {}
        except SLACK_FAILURES as error:
            log.warning("channel unknown", channel=channel, error=_code(error))
            return None
        known = Known(
            name=str(info.get("name") or ""),
            joined=bool(info.get("is_member")),
            public=not info.get("is_private"),
            shared=is_shared(info),
            direct=bool(info.get("is_mpim")),
        )
        self._places.put(channel, known)
        return known

    def _has_outsiders(self, client: WebClient, team: str, channel: str, known: Known) -> bool:
        """Whether not everybody in a channel is known to be a full member, or a bot.

        The few people of a group's direct messages are looked up one by one, and so is who is not
        on the workspace's list, such as somebody who came since it was read.
        """
        crowd = self._members_of(client, channel)
        if not crowd.people or not crowd.whole:
            return True
        unlisted = crowd.people
        listing = None if known.direct else self._directory.listing(client, team)
        if listing is not None:
            if not crowd.people.isdisjoint(listing.outsiders):
                return True
            unlisted = crowd.people - listing.others
        if len(unlisted) > LOOKED_UP:
            return True
        members = (self.member(client, team, user_id) for user_id in unlisted)
        return any(one is None or one.standing != "member" for one in members)


def is_shared(channel: dict[str, Any]) -> bool:
    """Whether others than this workspace see a channel, from `conversations.info`."""
    return not channel or any(channel.get(key) for key in (*SHARED, *PENDING))


def _code(error: Exception) -> str:
    """Return what went wrong with a call: Slack's code, or the kind of failure."""
    code = error.response.get("error") if isinstance(error, SlackApiError) else None
    return str(code or type(error).__name__)
