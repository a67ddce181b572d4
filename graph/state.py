"""What a question brings into the graph."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from store.access import OPERATOR_ACCESS, Access


@dataclass(frozen=True)
class Turn:
    """One earlier message of a conversation: by the asker or by Footnote."""

    role: Literal["asker", "footnote"]
    text: str


@dataclass(frozen=True)
class Question:
    """A message to answer.

    `conversation` is the key under which turns are kept (a Slack thread, a page's session);
    None means nothing is kept beyond the answer. `event_key` names the incoming event, so that
    a second delivery gives the first one's answer. `history` overrides the kept turns.
    `as_of` asks for what was in force then; None means now.
    """

    text: str
    conversation: str | None = None
    user_id: str | None = None
    access: Access = OPERATOR_ACCESS
    event_key: str | None = None
    history: tuple[Turn, ...] | None = None
    as_of: datetime | None = None
