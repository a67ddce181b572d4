"""Routes a message before anything is searched: to the policies, to small talk, to a person.

There are no labels yet, so this is zero-shot: phrases that leave no doubt, then likeness to a
few example messages. Everything else goes to the policies, where a question without evidence is
refused. A trained head replaces `Router.route` once it passes its gate.
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from retrieval.embeddings import Embedder

EntryRoute = Literal["policy", "small_talk", "human"]

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


class Router:
    """Routes messages by phrases and by likeness to examples."""

    def __init__(self, embedder: Embedder) -> None:
        """Embed the examples once."""
        self._embedder = embedder
        self._routes = [route for route, texts in EXAMPLES.items() for _ in texts]
        self._examples = embedder.embed([t for texts in EXAMPLES.values() for t in texts])

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
