"""Who asks, and where the answer will be seen: the principals every search is filtered by.

A document lists the principals that may read it (its audience). It is found only if the asker
has one of them *and* everybody who can see the place has one of them.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

EVERYONE = "everyone"  # every full member of the workspace
EXTERNAL = "external"  # guests and people of other organisations
CHANNEL, GROUP = "channel", "group"  # kinds of principals, before a colon and an id
PRINCIPAL = re.compile(rf"{EVERYONE}|{EXTERNAL}|(?:{CHANNEL}|{GROUP}):[^\s,]{{1,100}}")
PRINCIPALS = "everyone, external, channel:<id> or group:<id>"  # as people are told to write them

CURATOR = "curator"  # may work with transcripts
KNOWLEDGE_ADMIN = "knowledge_admin"  # may change documents, sources and the glossary
ROLES = (KNOWLEDGE_ADMIN, CURATOR)


@dataclass(frozen=True)
class Scope:
    """The part of the documents that a place answers from: whole sources, and single documents."""

    sources: frozenset[int]
    documents: frozenset[str]  # keys

    def to_json(self) -> dict[str, Any]:
        """Return the scope as JSON types."""
        return {"sources": sorted(self.sources), "documents": sorted(self.documents)}

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Scope":
        """Return what `to_json` gave."""
        return cls(frozenset(kept["sources"]), frozenset(kept["documents"]))


@dataclass(frozen=True)
class Access:
    """The principals of the asker and of the place where the answer will be seen.

    `scope` narrows what the place answers from; None is everything that may be read. It takes
    from what may be read and never adds to it.
    """

    asker: frozenset[str]
    place: frozenset[str]
    scope: Scope | None = None


MEMBER = frozenset({EVERYONE, EXTERNAL})
OPERATOR_ACCESS = Access(asker=MEMBER, place=MEMBER)
"""A full member asking in private: the default of a terminal and of the local page."""


@dataclass(frozen=True)
class Member:
    """What is known about a person of the workspace: who is unknown counts as external."""

    user_id: str
    standing: Literal["member", "guest", "foreign"]
    principals: frozenset[str] = frozenset()  # user groups and private channels, e.g. "group:S1"


@dataclass(frozen=True)
class Place:
    """A channel in which an answer will be seen by others than the asker."""

    channel_id: str
    shared: bool = False  # guests or other organisations can see it
    public: bool = False  # every member of the workspace can join it


def is_principal(name: str) -> bool:
    """Whether this names a group of readers of a known kind."""
    return PRINCIPAL.fullmatch(name) is not None and name.isprintable()


def channel_principal(channel_id: str) -> str:
    """Return the principal of everybody who is in a channel."""
    return f"{CHANNEL}:{channel_id}"


def access_of(member: Member | None, place: Place | None) -> Access:
    """Return the access of a person who asks in a place; `None` as place means only they see it.

    Guests, foreigners and unknown people read what is external, whatever groups they are in.
    """
    if member is None or member.standing != "member":
        asker = frozenset({EXTERNAL})
    else:
        here = {channel_principal(place.channel_id)} if place else set()
        asker = MEMBER | member.principals | here
    if place is None:
        return Access(asker=asker, place=asker)
    if place.shared:
        return Access(asker=asker, place=frozenset({EXTERNAL}))
    return Access(asker=asker, place=MEMBER | {channel_principal(place.channel_id)})
