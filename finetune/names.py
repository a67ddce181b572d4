"""Names of people: of the directory, introduced, addressed, titled, signed with, asked for.

A name that was found once is looked for in all messages of the conversation.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import lru_cache

from finetune.given_names import COMMON_WORDS, GIVEN, NO_NAMES
from finetune.spans import ENDS, Span, segments

REPLIES = 3  # messages behind a question for a name in which it may be given
LONGEST_REPLY = 6  # words of a message that gives a name and says no more
SHORT_REPLY = 3  # words of one in which a name may stand in small letters
LEAST = 3  # letters of a part of a name that is looked for on its own
MOST_PARTS = 5
LONGEST = 100  # characters of a name
INITIAL = 2  # letters of a part behind which a stop ends no sentence: "J. Smith", "St. John"

PART = r"[^\W\d_](?:[^\W\d_]|['.-](?=[^\W\d_]))*\.?"
PARTICLE = r"(?:van|von|der|den|de|da|del|della|di|dos|la|le|bin|ibn|al|el|ter|zu|st\.?)"
NAME = rf"{PART}(?: +(?:{PARTICLE} +){{0,2}}{PART}){{0,3}}"
NEXT = rf"(?=(?P<v>{NAME}))"  # looked at, not passed: the next pattern may begin in it
WORDS = re.compile(PART)
TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
GAP = re.compile(r"\.? {1,3}")
PARTICLES = re.compile(PARTICLE, re.IGNORECASE)
PLACES = re.compile(
    r"\b(?:san|santa|saint|são|fort|port|lake|mount|los|las|new)\s$", re.IGNORECASE
)

TITLED = re.compile(
    r"(?<!\w)(?i:mr|mrs|ms|miss|mx|dr|doctor|prof|professor|nurse|judge|herr|frau|monsieur"
    r"|madame|mme"
    r"|señora?|sr|sra|signora?|captain|officer|pastor|rev)\b\.?\s*(?:(?:med|phil|jur|rer|nat|ing"
    r"|h\.c|dent|vet)\.\s*){0,3}" + NEXT
)
NAMED = re.compile(
    r"(?i:\b(?:(?:my|his|her|their|the|guest|full|first|last|sur|family|given|contact|customer"
    r"|legal"
    r"|employee|patient|passenger|host|maiden|middle|account(?: holder)?)?[ -]?\bname(?:'s| is"
    r"| was|:| -"
    r"| =|s are)|call me|i am called|i go by|goes by|speaking (?:with|to)|spoke (?:with|to)"
    r"|talk(?:ed|ing)? (?:with|to)|named|name on (?:the |my )?card(?: is|:)?"
    r"|mein name ist|ich hei(?:ß|ss)e|je m'appelle|mon nom est"
    r"|me llamo|mi nombre es|mi chiamo|il mio nome è|meu nome é|ik heet|mijn naam is|nazywam się"
    r"|jag heter|jeg heter|account holder(?: is)?:?|card ?holder(?: is)?:?"
    r"|signed(?: by)?:"
    r"|attn:?|attention:|c/o|on behalf of|under (?:the )?name(?: of)?|in the name of|belongs to"
    r"|registered to|addressed to|payable to))\s+[\"'“]?" + NEXT
)
INTRODUCED = re.compile(
    r"(?i:\b(?:i'm|i am|im|this is|here is|here's|welcome(?: back)?|hi|hello|hey|dear|greetings"
    r"|thanks|thank you|thx|cheers|good (?:morning|afternoon|evening|day)|sorry|bye|goodbye"
    r"|congrat(?:s|ulations)|best|regards|sincerely|yours|yours truly|love|respectfully"
    r"|my (?:wife|husband|spouse|partner|friend|boss|manager|supervisor|colleague|co-?worker|son"
    r"|daughter|brother|sister|mother|father|mom|dad|mum|neighbou?r|roommate|assistant|lawyer"
    r"|doctor"
    r"|dentist|landlord|cousin|aunt|uncle|teammate|kid|child|girlfriend|boyfriend|fianc[eé]e?"
    r"|nephew"
    r"|niece|grandson|granddaughter)(?: is| was|,)?))[,:]?\s+" + NEXT
)
MET = re.compile(
    r"(?i:\b(?:tell|ask|asked|contact|email|call|called|cc|met|meet|with|it's|it is|that's|that is"
    r"|contacted|emailed|reach|forward(?:ed)? (?:it )?to|assigned to|reported by|written by|from"
    r"|manager|colleague|agent|supervisor|representative|specialist|technician|driver))[,:]?\s+"
    + NEXT
)
SIGNED = re.compile(
    r"(?i:(?:^|[.!?,\n]\s*)(?:best|thanks|thank you|many thanks|thx|(?:best |kind |warm )?regards"
    r"|sincerely|cheers|yours(?: truly| sincerely| faithfully)?|love|respectfully|all the best"
    r"|take care)[,.!]?\s*[\n,-]+\s*)(?P<v>" + NAME + r")\s*(?=[.!,]?\s*(?:\n|\Z|\ue000))"
)
DASHED = re.compile(r"(?:^|\n|[.!?]\s)\s*(?:-{1,2}|~)\s?(?P<v>" + NAME + r")\s*(?=\n|\Z|\ue000)")
HERE = re.compile(r"(?:^|[\n,.!?] ?)(?P<v>" + NAME + r")(?= here\b| speaking\b|,? on the line\b)")
ASKED = re.compile(
    r"(?<!user)(?<!user )(?<!hotel )(?<!company )(?<!venue )(?<!file )(?<!product )"
    r"(?<!screen )\bnames?\b"
    r"|\bwho (?:am i|is this|are you|is calling)\b|\bspeaking with\b",
    re.IGNORECASE,
)
ASKING = re.compile(
    r"\?|\b(?:may i|can i|could i|could you|provide|give|tell me|need|please|what|confirm|your)\b",
    re.IGNORECASE,
)
LEAD = re.compile(
    r"(?:(?:sure|yes|yeah|ok|okay|of course|certainly|it's|it is|its|that's|hi|hello|i'm|i am|oh"
    r"|um"
    r"|well|yep|thanks|no problem|absolutely|full name|name)\b[\s,.!:-]*)*",
    re.IGNORECASE,
)


def find_names(text: str, directory: Sequence[str] = ()) -> Iterator[Span]:
    """Return every place where a person is named in a conversation.

    `directory` holds full names; each of their parts counts on its own too, with a capital.
    """
    known: ChainMap[str, bool] = ChainMap({}, _of_directory(tuple(directory)))
    for found in (*_announced(text), *_asked_for(text), *_widespread(text)):
        yield found
        _learn(known, text[found[0] : found[1]])
    yield from _again(text, known)


def _announced(text: str) -> Iterator[Span]:
    for found in TITLED.finditer(text):
        yield from _read(text, *found.span("v"))
    for found in NAMED.finditer(text):
        yield from _read(text, *found.span("v"), small=True)
    for regex in (SIGNED, HERE, INTRODUCED, DASHED):
        for found in regex.finditer(text):
            yield from _read(text, *found.span("v"), everyday=False)
    for found in MET.finditer(text):
        for span in _read(text, *found.span("v"), everyday=False):
            if " " in text[span[0] : span[1]]:  # one word is more often a place
                yield span


def _read(
    text: str, start: int, end: int, *, small: bool = False, everyday: bool = True
) -> Iterator[Span]:
    """Yield the name that begins at `start`: words with a capital, up to the first without.

    With `small`, two words in small letters count too. Without `everyday`, words that are said
    every day are no part of it, nor are words all in capitals.
    """
    last = start
    for count, word in enumerate(WORDS.finditer(ENDS.split(text[start:end])[0])):
        part = re.sub(r"'s?$", "", word[0].rstrip(".'-"))
        plain = part.casefold()
        if not part or count == MOST_PARTS or text[last : start + word.start()].strip(" ."):
            break
        if count == 0 or not PARTICLES.fullmatch(plain):
            common = plain in COMMON_WORDS and plain not in GIVEN
            shouted = len(part) > 1 and part.isupper() and plain not in GIVEN
            if plain in NO_NAMES or (not everyday and (common or (shouted and count == 0))):
                break
            known = count == 0 and plain in GIVEN and plain not in COMMON_WORDS
            capital = part[:1].isupper() or known or (small and count <= 1 and not common)
            if not capital or (count > 0 and plain in COMMON_WORDS and not part[:1].isupper()):
                break
        last = start + word.start() + len(part)
        if len(part) < len(word[0]) and len(part) > INITIAL:  # a sentence ends, or "Anna's"
            break
    value = text[start:last]
    while PARTICLES.fullmatch(value.rpartition(" ")[2]):
        value = value.rpartition(" ")[0].rstrip()
    if len(value) > 1:
        yield start, start + len(value), "NAME"


def _asked_for(text: str) -> Iterator[Span]:
    """Yield names that are the answer to a question for one."""
    parts = list(segments(text))
    for number, (start, end) in enumerate(parts):
        asked = text[start:end]
        if not (ASKED.search(asked) and ASKING.search(asked)):
            continue
        for begin, stop in parts[number + 1 : number + 1 + REPLIES]:
            reply = ENDS.split(text[begin:stop])[0]
            lead = LEAD.match(reply)
            offset = lead.end() if lead else 0
            words = reply[offset:].split()
            if not words or "?" in reply:
                continue
            found = list(
                _read(text, begin + offset, stop, small=len(words) <= SHORT_REPLY, everyday=False)
            )
            if found and (
                len(words) <= LONGEST_REPLY or text[found[0][1] : found[0][1] + 1] in ",.;!-\n"
            ):
                yield found[0]
                break


def _widespread(text: str) -> Iterator[Span]:
    """Yield names that begin with a widespread given name, written with a capital."""
    reached = 0
    for word in WORDS.finditer(text):
        begin = word.start()
        part = re.sub(r"'s?$", "", word[0].rstrip(".'-"))
        plain = part.casefold()
        known = part[:1].isupper() and plain.partition("-")[0] in GIVEN
        if begin < reached or not known or PLACES.search(text[max(0, begin - 8) : begin]):
            continue
        spans = list(_read(text, begin, begin + LONGEST, everyday=False))
        alone = bool(spans) and " " not in text[spans[0][0] : spans[0][1]]
        if spans and not (plain in COMMON_WORDS and (alone or _begins(text, begin))):
            yield spans[0]
            reached = spans[0][1]


def _begins(text: str, place: int) -> bool:
    """Whether a sentence begins at a place, where any word has a capital."""
    before = text[:place].rstrip(" \"'“")
    return not before or before[-1] in ".!?\n\ue000:"


@lru_cache(maxsize=4)
def _of_directory(names: tuple[str, ...]) -> dict[str, bool]:
    """Return what `_learn` notes of a directory; it may hold thousands and is read once."""
    known: dict[str, bool] = {}
    for name in names:
        _learn(known, name)
    return known


def _learn(known: MutableMapping[str, bool], name: str) -> None:
    """Note a name and its parts, and whether each counts in small letters too."""
    parts = [_key(found[0]) for found in TOKEN.finditer(name)]
    telling = [part for part in parts if part not in NO_NAMES]
    if len(parts) > 1 and telling:
        known.setdefault(" ".join(parts), not COMMON_WORDS.issuperset(telling))
    for part in (*telling, *(half for whole in telling for half in whole.split("-"))):
        if len(part) >= LEAST - 1 and not PARTICLES.fullmatch(part):
            known.setdefault(part, part not in COMMON_WORDS and len(part) >= LEAST)


def _again(text: str, known: Mapping[str, bool]) -> Iterator[Span]:
    """Yield every place where a known name stands, the longest of several."""
    words = list(TOKEN.finditer(text))
    for place, first in enumerate(words):
        joined, end, found = "", first.start(), None
        for word in words[place : place + MOST_PARTS]:
            if joined and not GAP.fullmatch(text[end : word.start()]):
                break
            key = _key(word[0])
            joined = f"{joined} {key}" if joined else key
            end = word.end() - (len(word[0]) - len(key))
            small = known.get(joined)
            if small is not None and (small or first[0][:1].isupper()):
                found = end
        if found is not None:
            yield first.start(), found, "NAME"


def _key(word: str) -> str:
    """Return a word as names are compared: small letters, without a possessive."""
    return re.sub(r"'s?$", "", word).casefold()
