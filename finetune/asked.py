"""What somebody says when they are asked for it: "Your account number?" – "68318931"."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finetune.births import DATE
from finetune.given_names import COMMON_WORDS
from finetune.spans import ENDS, MASK, Span, digits, segments, trimmed

REPLIES = 4  # messages behind a question in which it may be answered
LONGEST = 25  # words of a message that is an answer
SHORT = 4  # words of one that is nothing but the answer

ASKING = re.compile(
    r"\?|\b(?:may i|can i|could (?:i|you)|can you|would you|will need|i(?:'ll|'d)?(?: just"
    r"| also)? need|what(?:'s| is| was)"
    r"|please|provide|give|tell me|confirm|verify|enter|share|send|your)\b",
    re.IGNORECASE,
)
CODE = re.compile(
    r"(?<![\w.,$€£])#?(?=[\w/-]*\d)[A-Za-z0-9][\w/-]*(?:[ .-](?=[\w/-]*\d)[\w/-]+){0,15}"
)
WORD = re.compile(r"(?<![\w@.])[A-Za-z0-9_][\w.-]{2,}")
LINE = re.compile(r"[^\n\ue000]+")
UNITS = re.compile(
    r"\s?(?:%|am\b|pm\b|a\.m|p\.m|days?\b|weeks?\b|months?\b|years?\b|hours?\b|minutes?\b|times?\b"
    r"|people\b|guests?\b|items?\b|st\b|nd\b|rd\b|th\b|dollars?\b|euros?\b|o'?clock\b)",
    re.IGNORECASE,
)

COUNTED = re.compile(r"\d(?:st|nd|rd|th|am|pm|x|k)$", re.IGNORECASE)


@dataclass(frozen=True)
class Ask:
    """A kind of question: what it asks for, and which parts of a reply answer it."""

    kind: str
    asks: re.Pattern[str]
    value: re.Pattern[str]
    holds: Callable[[str], bool]
    whole: bool = False  # whether only a reply that is short counts


def _ask(
    kind: str,
    words: str,
    value: re.Pattern[str] = CODE,
    holds: Callable[[str], bool] = lambda value: digits(value) > 1,
    *,
    whole: bool = False,
) -> Ask:
    return Ask(kind, re.compile(rf"\b(?:{words})\b", re.IGNORECASE), value, holds, whole)


def _is_word(value: str) -> bool:
    return value.casefold() not in EVERYDAY | COMMON_WORDS and not (
        "." in value.strip(".") and " " in value
    )


EVERYDAY = frozenset(
    "yes yeah yep yup no nope not sure okay alright thanks thank you please sorry hello hey"
    " hmm well let see the just one moment sec second here there that this what why when where"
    " how who don't dont know have has had can't cant cannot can could will would forgot"
    " forget remember idk actually really need want help and but for with from your mine my"
    " its it's it was were are is i i'm im i'll on of to a an in at my's ok so right great"
    " good fine cool nice wait never mind course absolutely definitely certainly maybe perhaps"
    " same none nothing username user name email e-mail mail password order number account"
    " phone address id both all also too".split()
)

ASKS = (
    _ask("DATE_OF_BIRTH", r"date of birth|dob|d\.o\.b|birth ?da(?:te|y)|born",
         re.compile(DATE, re.IGNORECASE)),
    _ask("NAME", r"maiden name|name of (?:the|your) (?:first )?pet|pet's name|name of your"
            r"|pet you had|first pet"
         r"|security (?:question|answer|word)s?|secret (?:word|answer)", LINE,
         _is_word, whole=True),
    _ask("USERNAME", r"user[ -]?name|user[ -]?id|log-?in|handle|screen name|account name", WORD,
         lambda value: digits(value) > 0 or "_" in value or "." in value),
    _ask("USERNAME", r"user[ -]?name|user[ -]?id|screen name|handle", WORD, _is_word, whole=True),
    _ask("KEY", r"password|passcode|pass ?phrase|secret word", WORD, _is_word, whole=True),
    _ask("KEY", r"pin|cvv2?|cvc|security code|verification code|code (?:we|i) (?:sent|texted)"
            r"|one[- ]time|otp|token"
         r"|api key|access code"),
    _ask("PHONE", r"phone|mobile|cell|telephone|contact number|number to (?:call|reach)|call you"
            r"|reach you|fax",
         holds=lambda value: digits(value) > 4),
    _ask("CARD", r"card (?:number|details|digits)|(?:credit|debit|bank|gift) card|last four"
            r"|last 4|expir\w+",
         holds=lambda value: digits(value) > 2),
    _ask("NATIONAL_ID", r"ssn|social(?: security)?|national (?:id|insurance)|passport"
            r"|driver'?s?'? licen[cs]e"
         r"|tax (?:id|number)|id (?:card|number)|identification|identity"),
    _ask("ADDRESS", r"(?:home|street|mailing|postal|shipping|billing|delivery|new|old|current"
            r"|your|full|the) address"
         r"|address(?:es)?|zip|post(?:al)? ?code|where do you live", LINE,
         lambda value: digits(value) > 0 and "@" not in value and MASK not in value
         and not re.search(r"\d\s*(?:am|pm)\b", value, re.IGNORECASE)),
    _ask("ACCOUNT", r"account|customer (?:id|number)|member(?:ship)?(?: id| number)"
            r"|policy number|employee (?:id|number)"
         r"|student (?:id|number)|patient|routing|sort code|iban|insurance"),
    _ask("ORDER", r"order|booking|reservation|confirmation|invoice|ticket|case|reference"
            r"|tracking|claim|transaction|ride id"
         r"|serial|(?:licen[cs]e|number) plate|plate|registration|\w+ (?:id|number)|id"),
)  # fmt: skip


def answers(text: str) -> Iterator[Span]:
    """Return what the messages of a conversation give in answer to a question for it.

    Where several questions stand before it, it answers the nearest.
    """
    parts = list(segments(text))
    asked = [
        [ask for ask in ASKS if ask.asks.search(text[start:end])]
        if ASKING.search(text[start:end])
        else []
        for start, end in parts
    ]
    for number, (start, end) in enumerate(parts):
        reply = text[start:end]
        if "?" in reply or len(reply.split()) > LONGEST:
            continue
        taken: list[Span] = []
        for before in reversed(asked[max(0, number - REPLIES) : number]):
            for ask in before:
                for found in _answered(reply, ask):
                    if all(found[1] <= one[0] or one[1] <= found[0] for one in taken):
                        taken.append(found)
        yield from ((start + left, start + right, kind) for left, right, kind in taken)


def _answered(reply: str, ask: Ask) -> Iterator[Span]:
    words = [word.casefold().strip(".,!") for word in reply.split()]
    if ask.whole and (len(words) > SHORT or EVERYDAY.issuperset(words)):
        return
    for found in ask.value.finditer(reply):
        value = trimmed(ENDS.split(found[0], maxsplit=1)[0])
        counted = COUNTED.search(value) or UNITS.match(reply, found.start() + len(value))
        few = ask.value is CODE and digits(value) in (1, 2) and len(words) > SHORT
        said = bool(value) and not counted and not few and ask.holds(value)
        if said and value.casefold() not in EVERYDAY:
            yield found.start(), found.start() + len(value), ask.kind
