"""How the person who asks sounds: upset, worried, neutral or pleased, and whether it is urgent.

The mood chooses the register of a reply. Whether somebody is upset enough for a person to take
over is judged by `graph.escalate` alone; here its verdict comes first, so that the two never
differ. A trained head may say more than the rules, but never that an upset asker is not.

The rules are English, and read what somebody says in their own name: quotes and what others are
reported to say do not count, nor does what a question is about ("emergency leave"). They miss
irony and worry that is not said.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from graph.escalate import MILD, QUOTED, REPORTED, is_upset
from graph.heads import CurrentHeads
from store.conversations import Turn

Sentiment = Literal["upset", "worried", "neutral", "pleased"]
SentimentHead = Callable[[str], Sentiment | None]
"""A trained judge of a message; None where it is not sure."""

I_AM = r"\bi(?:['’]?m| am| feel|['’]ve been| have been)"
WORRIED = re.compile(
    rf"{I_AM}(?: \w+)? (?:worried|concerned|anxious|nervous|afraid|scared|stressed|desperate"
    r"|panicking|confused|lost|overwhelmed|in trouble|stuck|struggling)\b"
    r"|\bi (?:really )?(?:worry|fear|panicked)\b|\bworr(?:ies|ying) me\b"
    r"|\bi (?:have no idea|don['’]?t know|do not know|am not sure)"
    r" (?:what|how) to (?:do|proceed)\b"
    r"|\b(?:am i|will i be|could i be) (?:in trouble|fired|penali[sz]ed|punished|sued|evicted)\b"
    r"|\b(?:please,? )?(?:i (?:really )?need help|help me)\b(?: please)?[\s.!]*$"
    r"|\bmy [\w ]{0,30}\b(?:was|were|got|has been|have been|is|are)"
    r" (?:stolen|hacked|lost|missing|compromised|locked|frozen|blocked)\b"
    r"|\bi(?:['’]m| am| was| got|['’]ve been| have been) (?:locked out|hacked|robbed|scammed)\b",
    re.IGNORECASE,
)
PLEASED = re.compile(
    r"\b(?:thank you|thanks|thx|cheers)\b|\bmuch appreciated\b|\b(?:i )?(?:really )?appreciate\b"
    r"|\bmade my day\b|\b(?:i )?love (?:it|this|that|you)\b"
    rf"|{I_AM}(?: (?:so|very|really))? (?:happy|glad|pleased|delighted|grateful|relieved)\b"
    r"|\b(?:that|this|it|you)(?:['’]?s|['’]?re| is| was| are| were)?(?: (?:so|very|really))?"
    r" (?:great|perfect|awesome|amazing|wonderful|brilliant|fantastic|excellent|lovely"
    r"|(?:very |so |really )?helpful|the best)\b"
    r"|^(?:great|perfect|awesome|amazing|wonderful|brilliant|fantastic|excellent|lovely|super"
    r"|good job|well done|nice one|yay)\b"
    r"|:(?:heart|tada|pray|raised_hands|smile|blush|star-struck|clap|\+1):|[😀😃😄😊🙂❤🎉🙏👏]",
    re.IGNORECASE,
)
NOT_PLEASED = re.compile(
    r"\bno,? thank(?:s| you)\b|\bthanks for nothing\b"
    r"|\b(?:not|isn['’]?t|wasn['’]?t|aren['’]?t|don['’]?t|didn['’]?t|never|hardly)\b[^.!?\n]{0,15}"
    r"\b(?:happy|glad|pleased|great|perfect|helpful|love|appreciate)\b",
    re.IGNORECASE,
)
URGENT = re.compile(
    r"\b(?:it['’]?s|this is|that is|is|are|very|really|quite|pretty|so|rather|extremely) urgent\b"
    r"|\burgent(?:ly)?[\s,:!-]*(?:please|help|question|request)?[!:]|^urgent\b(?! care)"
    r"|\burgently need|\bneed[\w\s']{0,25} urgently\b"
    r"|\basap\b|\ba\.s\.a\.p\b|\bas soon as possible\b(?=[\s.!]*(?:please)?[\s.!]*$)"
    r"|\b(?:need|want|answer|reply|respond|help|fix|know)\b[^.!?\n]{0,40}"
    r"\b(?:immediately|right (?:now|away)|straight away|at once|today|tonight|this minute"
    r"|(?:with)?in (?:the next )?(?:an?|\d+|two|three|ten|few|half an) (?:minutes?|hours?))\b"
    r"|\btime[- ](?:sensitive|critical)\b|\b(?:please )?hurry\b"
    r"|\b(?:i )?(?:can['’]?t|cannot) wait (?:any longer|much longer|until|till)\b"
    r"|\bmy (?:flight|train|plane|meeting|interview|deadline|visa|shift|appointment|exam)\b"
    r"[^.!?\n]{0,25}\b(?:today|tonight|tomorrow|in (?:an?|\d+|half an|two|a few)"
    r" (?:minutes?|hours?))\b"
    r"|\b(?:due|expires?|ends?|leav(?:e|es|ing)|closes?)"
    r" (?:today|tonight|in (?:an?|\d+|half an|two) (?:minutes?|hours?))\b"
    r"|\bthis is an emergency\b|^emergency\s*[!:]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mood:
    """How an asker sounds; `by` says whether rules or a trained head decided the sentiment."""

    sentiment: Sentiment
    urgent: bool
    by: Literal["rules", "head"] = "rules"


def mood(text: str, history: Sequence[Turn] = (), head: SentimentHead | None = None) -> Mood:
    """Return how a message sounds, knowing what was written before.

    `head` is asked only where the rules find nobody upset; where it is not sure, they decide.
    """
    own = REPORTED.sub(" ", QUOTED.sub(" ", text))
    urgent = URGENT.search(own.strip()) is not None
    if is_upset(text, history):
        return Mood("upset", urgent)
    judged = head(text) if head is not None else None
    if judged is not None:
        return Mood(judged, urgent, "head")
    return Mood(_by_rules(own.strip()), urgent)


def trained_judge(heads: CurrentHeads | None, conversation: str | None) -> SentimentHead | None:
    """Return the trained judge that the registry names for a conversation, or None."""
    head, _ = heads.serving(conversation) if heads is not None else (None, None)
    if head is None:
        return None

    def judge(text: str) -> Sentiment | None:
        judged = head.judge("sentiment", text)
        if judged is None or judged.probability < judged.threshold:
            return None
        return next((known for known in get_args(Sentiment) if known == judged.label), None)

    return judge


def _by_rules(own: str) -> Sentiment:
    if WORRIED.search(own) or MILD.search(own):
        return "worried"
    asks = "?" in own  # "…? Thanks" is only polite
    if not asks and PLEASED.search(own) and not NOT_PLEASED.search(own):
        return "pleased"
    return "neutral"
