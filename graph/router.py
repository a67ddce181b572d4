"""Routes a message before anything is searched: to the policies, to small talk, to a person.

Without labels this is zero-shot: phrases that leave no doubt, then likeness to a few example
messages. Everything else goes to the policies, where a question without evidence is refused.
Where the registry names a trained head, it decides what it is sure of. Who asks for a person
gets one whatever a head says.
"""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np

from graph.heads import CurrentHeads
from retrieval.embeddings import Embedder
from store.answers import Route

EntryRoute = Literal["policy", "small_talk", "human"]
Decider = Literal["phrases", "examples", "head"]

LIKENESS = 0.72  # cosine to an example at which a short message takes its route
SHORT = 12  # words; a longer message asks something even if it begins with thanks

THANKS = re.compile(
    r"^(?:ok(?:ay)?|great|perfect|super|cool|wow|brilliant|lovely|awesome)?[\s,.!]*"
    r"(?:many |a lot of )?(?:thanks|thank you|thx|cheers|ta|much appreciated)\b",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"^(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening|day))\b[\s\w]{0,20}[!.?]*$",
    re.IGNORECASE,
)
FAREWELL = re.compile(r"^(?:bye|goodbye|see you|good night|have a (?:nice|good))\b", re.IGNORECASE)
THANKED = re.compile(
    r"\b(?:many )?(?:thanks|thank you|thx|cheers)(?: (?:a lot|so much|very much|again))?\b",
    re.IGNORECASE,
)
EMOJI = re.compile(r":[\w+'-]+:")  # as Slack writes them
WORD = re.compile(r"[^\W_]+")
REMARKS = frozenset(
    "ok okay k kk great perfect super cool nice good fine alright sure right wow brilliant lovely"
    " awesome amazing excellent yes yep yeah yup no nope nah lol haha hahaha oh ah aha hm hmm hmmm"
    " sorry oops done noted understood nevermind test testing very so then too".split()
)
REMARKS_OF_SEVERAL = (
    "all right", "all good", "got it", "i see", "makes sense", "good to know", "sounds good",
    "that helps", "never mind", "no worries", "no problem", "no thanks", "no thank you",
    "will do", "nice one", "that s great", "that s all", "good point",
)  # fmt: skip
"""What asks nothing, where a message says nothing else."""
PERSON = re.compile(
    r"\b(?:talk|speak|chat|connect me|put me through|transfer me|hand me over)\b.{0,20}"
    r"\b(?:human|person|someone|somebody|agent|colleague|representative|manager|staff)\b"
    r"|\b(?:real|actual|live) (?:human|person|agent)\b"
    r"|\b(?:get|give|find|send) (?:me|us) (?:an? )?(?:human|person|someone|somebody|agent|manager"
    r"|representative|colleague)\b"
    r"|^(?:human|agent|person|representative)[\s,.!]*(?:please)?[\s.!]*$",
    re.IGNORECASE,
)

EXAMPLES: dict[EntryRoute, tuple[str, ...]] = {
    "small_talk": (
        "Thanks, that made my day",
        "You are very helpful",
        "Good job, well done",
        "How are you today?",
        "Nice to meet you",
        "Who are you?",
        "What can you do?",
        "Have a nice weekend",
        "I love talking to you",
        "You are funny",
        "That was useless",
    ),
    "human": (
        "I want to talk to a human",
        "Can a real person help me with this?",
        "Please escalate this to your manager",
        "Let me speak with someone from support",
        "I don't want to talk to a bot",
    ),
}

REPLIES = {
    "thanks": "You're welcome. Ask me anything else about our policies.",
    "greeting": "Hello. Ask me about our policies; I answer with the exact words they use.",
    "farewell": "Goodbye. I'm here whenever you have a question.",
    "remark": "All right. Ask me anything else about our policies.",
    "wordless": "What would you like to know? I answer questions about our policies.",
    "other": "I'm Footnote. I answer questions about our policies and quote the exact words.",
}


@dataclass(frozen=True)
class Routed:
    """A route, how sure it is (0 … 1), and who decided: phrases, examples, or a trained head.

    `model` names the head that was asked and `model_id` is its id in the registry, of one that
    decided; `note` says why it did not.
    """

    route: Route
    sureness: float
    by: Decider
    model: str | None = None
    model_id: int | None = None
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what a trace keeps of it."""
        told = {"route": self.route, "by": self.by, "probability": round(self.sureness, 4)}
        return told | {"model": self.model, "note": self.note}


class Router:
    """Routes messages by a trained head, by phrases and by likeness to examples."""

    def __init__(self, embedder: Embedder, heads: CurrentHeads | None = None) -> None:
        """Embed the examples once; `heads` knows the trained head of one workspace, if any."""
        self._embedder = embedder
        self._routes = [route for route, texts in EXAMPLES.items() for _ in texts]
        self._examples = embedder.embed([t for texts in EXAMPLES.values() for t in texts])
        self._heads = heads

    def with_heads(self, heads: CurrentHeads) -> "Router":
        """Return a router of one workspace that shares the embedded examples."""
        made = copy(self)
        made._heads = heads
        return made

    @property
    def heads(self) -> CurrentHeads | None:
        """The trained heads of its workspace; None for a router of none."""
        return self._heads

    def decide(
        self,
        message: str,
        history: Sequence[str] = (),
        conversation: str | None = None,
        *,
        by_rules: bool = False,
    ) -> Routed:
        """Return the route of a message in its conversation; `by_rules` asks no trained head."""
        if by_rules or self._heads is None or PERSON.search(message):
            return self._zero_shot(message, history)
        head, note = self._heads.serving(conversation)
        if head is None:
            return replace(self._zero_shot(message, history), note=note)
        judged = head.judge("route", message, history)
        if judged is None:
            note = "it has no routes"
        elif judged.label not in get_args(Route):
            note = f"it says {judged.label}, which is no route"
        elif judged.probability < judged.threshold:
            note = f"it is only {judged.probability:.2f} sure of {judged.label}"
        else:
            route = cast("Route", judged.label)
            return Routed(route, judged.probability, "head", head.name, head.id)
        return replace(self._zero_shot(message, history), model=head.name, note=note)

    def _zero_shot(self, message: str, history: Sequence[str]) -> Routed:
        route, sureness = self.route(message, history)
        return Routed(route, sureness, "phrases" if sureness == 1 else "examples")

    def route(self, message: str, history: Sequence[str] = ()) -> tuple[EntryRoute, float]:
        """Return the route and how sure it is (0 … 1); 1 where a phrase decided."""
        if PERSON.search(message):
            return "human", 1.0
        is_short = len(message.split()) <= SHORT
        if is_short and small_talk_kind(message) != "other":
            return "small_talk", 1.0
        if not is_short or history:
            return "policy", 1.0
        likeness = self._examples @ self._embedder.embed([message])[0]
        best = int(np.argmax(likeness))
        if likeness[best] >= LIKENESS:
            return self._routes[best], float(likeness[best])
        return "policy", float(1 - max(likeness[best], 0.0))


def small_talk_kind(message: str) -> str:
    """Return which of the plain replies fits: a key of `REPLIES`, "other" where none does."""
    stripped = message.strip()
    if THANKS.search(stripped) and "?" not in stripped:
        return "thanks"
    if GREETING.search(stripped):
        return "greeting"
    if FAREWELL.search(stripped):
        return "farewell"
    if is_remark(stripped):
        return "wordless" if "?" in stripped else "remark"
    if THANKED.search(stripped) and is_remark(THANKED.sub(" ", stripped)):
        return "thanks"
    return "other"


def is_remark(message: str) -> bool:
    """Whether a message asks nothing: "ok", a thumb, "got it", three dots."""
    said = " ".join(["", *WORD.findall(EMOJI.sub(" ", message).lower()), ""])
    for several in REMARKS_OF_SEVERAL:
        said = said.replace(f" {several} ", " ")
    return REMARKS.issuperset(said.split())
