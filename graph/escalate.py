"""When a question goes to a person: somebody asked for one, is upset, or nothing was found twice.

Whether an asker is upset is judged by a few rules that can be read and argued with: what they say
of this conversation, how they write it, and whether they had to say it again. Each finding has a
weight, and two points are upset. The rules are English. They miss irony and quiet anger; what they
take for anger is what somebody says in their own name, not what a question is about.

Of 26,315 messages of customers in the STAR dialogues 18 count as upset; read one by one, four of
those are upset about something else in their lives. Of 18,200 questions in CLINC150 none does, of
10,003 in Banking77 eleven, all of them angry. How many go unnoticed was not measured.
"""

import re
from collections.abc import Sequence

from graph.state import TakesOver
from store.answers import Outcome, Route
from store.conversations import Turn
from store.escalations import Reason

UPSET = 2  # points
ALIKE = 0.8  # share of words two messages have in common, at which the second repeats the first
LEAST_WORDS = 3  # of a message that can be a repetition
SHOUTED_WORDS = 3  # of four letters or more, in capitals
SHOUTED_SHARE = 0.6  # of all letters

OFFER = "Shall I ask "
HANDED_OVER = "I've asked {name}; somebody will answer {where}."
SORRY = "I'm sorry that this has been frustrating."

WORD = re.compile(r"[\w'’]+")
QUOTED = re.compile(r"```.*?```|\"[^\"]*\"|“[^”]*”|^[ \t]*>[^\n]*", re.DOTALL | re.MULTILINE)
REPORTED = re.compile(
    r"\b(?:customers?|clients?|guests?|buyers?|colleagues?|employees?|staff|someone|somebody"
    r"|people|users?|they|he|she)\b[^.!?\n]{0,40}"
    r"\b(?:says?|said|writes?|wrote|claims?|shouts?|tells? me|told me|thinks?|feels?|complains?)\b"
    r"[^.!?\n]*",
    re.IGNORECASE,
)
VERY = r"(?:so|very|really|extremely|incredibly|truly|quite|absolutely|completely|totally)"
FEELING = r"(?:upset|angry|annoyed|frustrated|disappointed|unhappy|irritated|mad)"
I_AM = r"\bi(?:['’]?m| am| feel| was| have been|['’]ve been)"
THIS_IS = r"\b(?:this|that|it)(?:['’]?s| is| was| has been)"

STRONG = re.compile(
    rf"{THIS_IS}(?: just| beyond| getting| {VERY})*"
    r" (?:ridiculous|unacceptable|outrageous|a joke|a disgrace|disgraceful|appalling|pathetic"
    r"|infuriating|bullshit|disgusting)\b(?! (?:to|for|if|when|that|use|behaviou?r|conduct)\b)"
    rf"|\byou(?:['’]?re| are)(?: just| {VERY})*"
    r" (?:useless|no help|not helping|ridiculous|incompetent|pathetic|a joke|hopeless|stupid)\b"
    r"|\b(?:useless|worthless|stupid|damn|bloody|fucking) (?:bot|thing|app|system|service)\b"
    rf"|{I_AM}(?: just| {VERY})* (?:furious|livid|outraged|fed up|losing (?:my )?patience"
    r"|(?:sick|tired|sick and tired) of (?:this|you|waiting|asking|being|talking|repeating)"
    r"|done with (?:this|you))\b"
    rf"|{I_AM} {VERY} {FEELING}\b(?! at (?:my|our|a|the)\b)"
    r"|\bi(?:['’]ve| have) had (?:enough|it with)\b|\bfed up with (?:this|you)\b"
    r"|\b(?:what a|such a|complete|total) (?:waste of (?:my )?time|joke|disgrace)\b"
    r"|\b(?:stop )?wasting my time\b|\bfor the last time\b(?=[,.:!]|$)|\blast straw\b"
    r"|\bhow many (?:more )?times (?:do|must|should|have) i (?:have to |need to |got to )?"
    r"(?:ask|asked|tell|told|say|said|explain|explained|repeat|repeated)\b"
    r"|\bi(?:['’]ve| have)? (?:already )?(?:asked|told|said|explained|called|written|complained)"
    r"(?: (?:you|this|that|it)){0,2} (?:three|four|five|six|ten|several|many|so many|a hundred"
    r"|\d{1,3}) times\b"
    r"|\bnobody (?:is )?(?:helps?|helping|answers?|answering|listens?|listening|cares?)\b"
    r"|\b(?:worst|terrible|horrible|awful|appalling|shocking) (?:service|support|experience"
    r"|customer service|company|bot)\b"
    r"|\b(?:wtf|ffs|fuck|fucking|bullshit)\b",
    re.IGNORECASE,
)
MILD = re.compile(
    rf"{I_AM}(?: \w+)? {FEELING}\b"
    rf"|{THIS_IS}(?: \w+)? (?:frustrating|annoying|disappointing|upsetting|useless|unhelpful"
    r"|insane|absurd|crazy|terrible|awful|horrible)\b"
    r"|\b(?:already|just) (?:asked|told you|said (?:so|that|this))\b"
    r"|\b(?:did|does)(?:n['’]t| not) help\b|\bnot (?:helpful|what i asked|an answer)\b"
    r"|\b(?:are you (?:kidding|serious|joking)|is this a joke)\b|\bcome on\b"
    r"|\bstill (?:no (?:answer|reply|help|response|refund)|waiting|nothing)\b"
    r"|\b(?:damn|crap|shit|what the h(?:ell|eck))\b",
    re.IGNORECASE,
)
INSISTENT = re.compile(r"!!|\?\?\?|!\?|\?!")
AGREES = re.compile(
    r"^(?:yes|yeah|yep|yup|sure|ok(?:ay)?|please|do|go ahead|absolutely|of course)"
    r"(?:[\s,.!]+(?:please|do|do (?:so|that|it)|ask(?: them)?|go ahead|thanks|thank you))*"
    r"[\s.!]*$",
    re.IGNORECASE,
)


def is_upset(text: str, history: Sequence[Turn] = ()) -> bool:
    """Whether somebody is upset by how they write, knowing what they wrote before."""
    return points(text, history) >= UPSET


def points(text: str, history: Sequence[Turn] = ()) -> int:
    """Return the weight of all that sounds upset: strong words count two, the rest one each."""
    own = REPORTED.sub(" ", QUOTED.sub(" ", text))
    return (
        2 * len({found.lower() for found in _found(STRONG, own)})
        + len({found.lower() for found in _found(MILD, own)})
        + _is_shouted(own)
        + (INSISTENT.search(own) is not None)
        + _is_repeated(own, history)
    )


def accepts_offer(text: str, history: Sequence[Turn]) -> bool:
    """Whether a message says yes to "Shall I ask …?", the last thing that was said."""
    offered = bool(history) and history[-1].role == "footnote" and OFFER in history[-1].text
    return offered and AGREES.match(text.strip()) is not None


def reason_to_hand_over(
    text: str,
    history: Sequence[Turn],
    route: Route,
    outcome: Outcome,
    before: Outcome | None,
) -> Reason | None:
    """Return why a person should take over, or None. `before` is how the turn before ended."""
    if route == "human":
        return "asked"
    if is_upset(text, history):
        return "upset"
    if outcome == "refused" and before == "refused":
        return "nothing_found"
    return None


def human_text(contact: str | None, takes_over: TakesOver | None = None) -> str:
    """Return what an asker who wants a person is told; only what is true of this workspace."""
    if takes_over is not None:
        return HANDED_OVER.format(name=takes_over.name, where=takes_over.where)
    if contact:
        return f"A person can help with this: please write to {contact}."
    return (
        "You asked for a person. Nobody is set up to take over from here yet, so please write to"
        " your support team directly; I have kept your request for the operators."
    )


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match[0] for match in pattern.finditer(text)]


def _is_shouted(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    shouted = [word for word in WORD.findall(text) if len(word) >= 4 and word.isupper()]
    capitals = sum(letter.isupper() for letter in letters)
    return len(shouted) >= SHOUTED_WORDS and capitals >= SHOUTED_SHARE * len(letters)


def _is_repeated(text: str, history: Sequence[Turn]) -> bool:
    words = _words(text)
    if len(words) < LEAST_WORDS:
        return False
    earlier = (_words(turn.text) for turn in history if turn.role == "asker")
    return any(len(words & others) >= ALIKE * len(words | others) for others in earlier)


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}
