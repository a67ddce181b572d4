"""Who asks, and where the answer will be seen: the principals every search is filtered by.

A document lists the principals that may read it (its audience). It is found only if the asker
has one of them *and* everybody who can see the place has one of them.
"""

from dataclasses import dataclass

EVERYONE = "everyone"  # every full member of the workspace
EXTERNAL = "external"  # guests and people of other organisations


@dataclass(frozen=True)
class Access:
    """The principals of the asker and of the place where the answer will be seen."""

    asker: frozenset[str]
    place: frozenset[str]


MEMBER = frozenset({EVERYONE, EXTERNAL})
OPERATOR_ACCESS = Access(asker=MEMBER, place=MEMBER)
"""A full member asking in private: the default of a terminal and of the local page."""
