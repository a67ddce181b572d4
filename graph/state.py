"""What a question brings into the graph, what the nodes hand on, and the tools they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sqlalchemy import Engine

from core.settings import Settings
from graph.router import Routed, Router
from retrieval.ranking import Passage
from retrieval.retriever import Retrieval, Retriever
from store.access import OPERATOR_ACCESS, Access
from store.answers import Answer, Citation, Claim, Outcome, Route, StyleOutcome
from store.conversations import Turn
from store.escalations import Reason

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI  # a second to load, and faces need only `Question`

    from graph.voice import Voices  # which needs what is here

__all__ = [
    "Decision",
    "Draft",
    "DraftClaim",
    "Question",
    "State",
    "TakesOver",
    "Tools",
    "Turn",
    "storable",
]

Decision = Literal["answer", "refuse", "clarify"]


@dataclass(frozen=True)
class TakesOver:
    """The people to whom a place hands questions over, in words an asker may read.

    `name` is "#support-leads" or "our support team"; `where` is where they will answer.
    """

    name: str
    where: str = "here"


@dataclass(frozen=True)
class Question:
    """A message to answer.

    `conversation` is the key under which turns are kept (a Slack thread, a page's session);
    None means nothing is kept beyond the answer. `event_key` names the incoming event, so that
    a second delivery gives the first one's answer. `history` overrides the kept turns.
    `as_of` asks for what was in force then; None means now. `message_key` is the message's own
    key, under which its turns can be removed. `language` and `tone` are words for the language
    model, as a place has them set. `takes_over` says who answers where the bot hands over; None
    means nobody, so that it may at most name a contact. `progress` is told the name of each
    node as it begins.
    """

    text: str
    conversation: str | None = None
    user_id: str | None = None
    access: Access = OPERATOR_ACCESS
    event_key: str | None = None
    history: tuple[Turn, ...] | None = None
    as_of: datetime | None = None
    message_key: str | None = None
    language: str | None = None
    tone: str | None = None
    takes_over: TakesOver | None = None
    progress: Callable[[str], None] | None = field(default=None, compare=False, repr=False)

    def cleaned(self) -> "Question":
        """Return the question with texts that can be searched for and kept."""
        history = self.history
        if history is not None:
            history = tuple(Turn(turn.role, storable(turn.text)) for turn in history)
        return replace(self, text=storable(self.text), history=history)


def storable(text: str) -> str:
    """Return a text from outside without what cannot be kept: NULs and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class DraftClaim:
    """A sentence and the words that should support it, before anything is checked."""

    text: str
    passage: Passage
    quote: str


@dataclass(frozen=True)
class Draft:
    """An answerer's claims; `answerer` is "extractive" or the model's name."""

    answerer: str
    claims: tuple[DraftClaim, ...]
    note: str | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)


class State(TypedDict, total=False):
    """What nodes hand on; each returns the keys it sets."""

    question: Question
    history: tuple[Turn, ...]
    before: Outcome | None  # how the turn before ended
    as_of: datetime
    route: Route
    routed: Routed  # who decided the route at first, and how sure
    reply: str  # the text of a route that states no policy facts
    retrieval: Retrieval
    decision: Decision
    confidence: float
    draft: Draft
    claims: tuple[Claim, ...]
    dropped: tuple[dict[str, Any], ...]
    closest: Citation | None
    choices: tuple[str, ...]
    outcome: Outcome
    handed_over: Reason | None  # why a person takes over
    text: str
    note: str | None
    style: str | None
    style_outcome: StyleOutcome  # how the style model's rewriting ended, where one was asked
    models: Mapping[str, int]  # ids of the registered models that had a part, by kind
    style_tokens: Mapping[str, int]
    timings: dict[str, float]
    answer: Answer


@dataclass(frozen=True)
class Tools:
    """What the nodes work with, made once a process; `model` is None where none is set."""

    settings: Settings
    engine: Engine
    workspace_id: int
    retriever: Retriever
    router: Router
    model: "ChatOpenAI | None"
    voices: "Voices"
