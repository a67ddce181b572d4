"""A workspace's glossary at work: what is written for short brings what it stands for.

A question that says "PTO" is searched for as "paid time off" too, and one that says "paid time
off" as "PTO". Only the search changes: what a claim may say is held against the documents, and
the question itself stays as it was asked.
"""

import math
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from threading import Lock

from sqlalchemy import Engine

from core.errors import FootnoteError
from retrieval.lexical import STOP_WORDS, stem, term_id, terms, turn_weight
from store.glossary import Pair, active_mark, active_pairs

EXPANSION_WEIGHT = 1.0  # of the added words against the question's own; several share it
MAX_ADDED = 8  # wordings for one turn: a pasted page may hold hundreds of terms
REFRESH_EVERY = 2.0  # seconds between two looks at whether the entries changed
MAX_TERM = 60  # characters
MAX_EXPANSION = 200  # characters

SHOUTED_FROM = 3  # words; in a longer question all in capitals an "IT" may be an "it"
PLURAL_FROM = 2  # letters that a plural has more of: "as" is none

SIGNS = "&+#@$"
WORD = re.compile(r"[^\W_]+")
ACRONYMS = re.compile(r"\w*[^\W\d_a-z]s")
TOKEN = re.compile(rf"(?:[^\W\d_]\.){{2,}}(?:[^\W\d_]\b)?|\w+|[{SIGNS}]")
"""A word, letters with full stops ("P.T.O."), or a sign that belongs to the word beside it."""
SENTENCE_END = re.compile(r"[.?!;:]\s")

ORDINARY = STOP_WORDS | frozenset(
    """act add ads age ago aid aim air ale ally alarm ant apt arc arch arm army art ask atm bad bag
    ban bank bar base basic bat bay beam bed best bet bid big bit bite boat bold boss bot bow box
    boy bus buy cab cable cake call came camp can cap car card care cart case cash cast cat chat
    chip cite city clear click club coal coat code cold come cook cool cop cope core cost craft cry
    cube cup cure cut dad dam dare dart dash date dead deal dear deck deep den did die dig dish dog
    door dot dry due ear ears east easy eat edge edit egg ego elf end era eve ever exact eye face
    fact fad fair fall fan far farm fast fat fear fee feed feel fig file fill film find fine fire
    first fish fit five fix flag flat flow fly focus fog food foot form fox free fun fur gap gas
    get gift give glad goal god gold good got grant grid grow gun gut guy hack half ham hand hat
    head heal heap hear heat help high hill hint hip hire hit hold hole home hop hope host hot hub
    hug hunt hut ice icon idea idle inch ink inn iron item jam jar jet job join joint joy jump
    just keen keep key kid kind king kit lab lace lack lady lake lamb lamp land lap large last
    late law lay lead leaf lean learn leave led left leg lens less let lie life lift light like
    line link lip list live load loan lock log long look loop lose loss lot love low mad made mail
    main make man map march mark mask mass mat match may mean meet melt men mere mess met mid mild
    mind mint miss mob mode mood more most mother move much must nail name near neat need nest net
    new news next nice night node none note nut oak odd off oil old one open oral order our out
    owl pace pack pact page paid pain pair pal pan park part pass past path pay peace peer pen
    people pet pick piece pig pile pipe pit place plan play plot plus point pole pool poor pop
    port post pot power press price pride prime print pro pub pull pump pure push put quick quit
    race rack raid rail rain ram range rank rap rare rate raw reach read real red rest rice rich
    rid ride right ring rise risk road rob rock rod role room root rope rose row rub rug rule run
    rush sad safe sail salt sand sat save say scale scan scope score sea seal seat see seed sell
    send sense serve set share sharp she shed ship shop short show side sign sing sit site size
    skill skin sky slow smart smile snow soap sob soft soil sold sole some son song soon sort soul
    sound south space spare speak spin spot spray stand star start stay steam step stick still
    stir stock stop store storm story sub such suit sum sun sure swift swing tab tag take tale
    talk tall tan tank tap task tax tea team tear tell ten tent test text tie time tin tip tire
    tone too tool top toss touch tour town track trade train tray tree trend trial trim trip true
    trust try tub tune turn two type ugly unit upon urge us use van vary vast vet via view visit
    vital vote wage wait walk wall war warm wash wave wax way weak wear web wed week well went
    west wet wide wife wild win wind wine wing wise wish wit won wood word work world worth wrap
    yard year yet young zero zip zone zoo""".split()
)
"""Words that mean something else in small letters: an "IT" counts, an "it" does not."""


class GlossaryEntryError(FootnoteError):
    """A term or what it stands for cannot be used."""


def checked_pair(term: str, expansion: str) -> Pair:
    """Return an entry as it is kept, white space collapsed and unseen characters gone.

    Raises GlossaryEntryError with what is wrong.
    """
    term, expansion = (
        _checked("term", term, MAX_TERM),
        _checked("expansion", expansion, MAX_EXPANSION),
    )
    if term.casefold() == expansion.casefold():
        raise GlossaryEntryError(f"“{term}” stands for itself; give what it stands for.")
    for side in (term, expansion):
        if all(word in STOP_WORDS for word in WORD.findall(side)):
            raise GlossaryEntryError(
                f"“{side}” stands in nearly every question; write it as people write it when they"
                " mean this, such as IT."
            )
    return term, expansion


def _checked(what: str, given: str, limit: int) -> str:
    joined = " ".join(given.split())
    seen = "".join(letter for letter in joined if unicodedata.category(letter) != "Cf")
    plain = unicodedata.normalize("NFC", seen).strip()
    shown = "".join(letter if letter.isprintable() else "�" for letter in plain[:limit])
    if not WORD.search(plain):
        raise GlossaryEntryError(f"The {what} has no letter or digit; give a word.")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Co") for letter in plain):
        raise GlossaryEntryError(
            f"The {what} “{shown}” holds a character that is no text; type it again."
        )
    if len(plain) > limit:
        raise GlossaryEntryError(
            f"The {what} “{shown}…” has {len(plain)} characters; take at most {limit}."
        )
    return plain


@dataclass(frozen=True)
class Added:
    """What a turn said, and the wording that joined the search for it.

    `weight` is that of its words against the turn's own.
    """

    found: str
    words: str
    weight: float

    def to_json(self) -> dict[str, str | float]:
        """Return it as JSON types."""
        return {"found": self.found, "added": self.words, "weight": round(self.weight, 3)}


@dataclass(frozen=True)
class Expansion:
    """A question and the turns before it as they are searched for.

    `question` and `earlier` are what is embedded. `term_weights` are the added words' ids,
    weighted as `question_terms` weighs the question's own.
    """

    question: str
    earlier: tuple[str, ...]
    term_weights: Mapping[int, float] = field(default_factory=dict)
    added: tuple[Added, ...] = ()

    def joined(self, term_weights: Mapping[int, float]) -> dict[int, float]:
        """Return the question's own term weights with the added ones; the greater counts."""
        joined = dict(term_weights)
        for term, weight in self.term_weights.items():
            joined[term] = max(joined.get(term, 0.0), weight)
        return joined


@dataclass(eq=False)
class _Wording:
    """A term or an expansion, with what it stands for the other way round, by their keys.

    A `cased` one counts only as it is written.
    """

    text: str
    key: str
    cased: bool
    others: dict[str, str] = field(default_factory=dict)


@dataclass
class _Node:
    """Where a wording may go on, word by word; `wording` ends here."""

    following: dict[str, "_Node"] = field(default_factory=dict)
    wording: _Wording | None = None


@lru_cache(maxsize=4_096)
def _keys(word: str) -> tuple[str, ...]:
    """Return what a word may be in a wording: itself, what it is the plural of, its stem."""
    folded = word.casefold().replace(".", "")
    singular = folded[:-1] if len(folded) > PLURAL_FROM and folded[-1] == "s" else folded
    written = (singular, folded) if ACRONYMS.fullmatch(word) else (folded, singular)
    return tuple(dict.fromkeys((*written, stem(folded))))


@dataclass(frozen=True)
class _Token:
    """A word or sign of a turn, from `start`."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_sign(self) -> bool:
        return len(self.text) == 1 and self.text in SIGNS

    @property
    def keys(self) -> tuple[str, ...]:
        return _keys(self.text)


class Glossary:
    """The active entries, ready to be found in a question: one step a word, however many."""

    def __init__(self, entries: Iterable[Pair]) -> None:
        """Take pairs of a term and an expansion; either may have several of the other."""
        self._root = _Node()
        wordings: dict[str, _Wording] = {}
        for term, expansion in entries:
            for side, other in ((term, expansion), (expansion, term)):
                key = _key(side)
                if key != _key(other):
                    wording = wordings.setdefault(key, _Wording(side, key, _is_cased(side)))
                    wording.others.setdefault(_key(other), other)
        for wording in wordings.values():
            self._place(wording)

    def _place(self, wording: _Wording) -> None:
        node = self._root
        for word in wording.key.split():
            node = node.following.setdefault(word, _Node())
        node.wording = wording

    def expand(self, question: str, earlier: Sequence[str] = ()) -> Expansion:
        """Return what to search for; `earlier` are the turns before it, oldest first."""
        turns = [question, *reversed(earlier)]
        found = [list(self._found(turn)) for turn in turns] if self._root.following else []
        if not any(found):
            return Expansion(question, tuple(earlier))
        said = {wording.key for places in found for wording, _ in places}
        added = [list(islice(_added(places, said), MAX_ADDED)) for places in found]
        spoken = [_with(turn, joining) for turn, joining in zip(turns, added, strict=True)]
        once = dict.fromkeys(one for joining in added for one, _ in joining)
        return Expansion(spoken[0], tuple(reversed(spoken[1:])), _weights(added), tuple(once))

    def _found(self, turn: str) -> Iterator[tuple[_Wording, int]]:
        """Find wordings from left to right with their ends, each the longest there."""
        tokens = [_Token(found.group(), found.start()) for found in TOKEN.finditer(turn)]
        shouted = len(tokens) > SHOUTED_FROM and turn.isupper()
        place = 0
        while place < len(tokens):
            wording, end = self._longest(turn, tokens, place, shouted)
            if wording is not None:
                yield wording, tokens[end - 1].end
            place = max(end, place + 1)

    def _longest(
        self, turn: str, tokens: Sequence[_Token], place: int, shouted: bool
    ) -> tuple[_Wording | None, int]:
        """Return the longest wording that begins with a token, and where the next may begin."""
        best: tuple[_Wording | None, int] = (None, place)
        nodes = [self._root]
        for end in range(place, len(tokens)):
            if end > place and SENTENCE_END.search(turn, tokens[end - 1].end, tokens[end].start):
                break
            token = tokens[end]
            nodes = [n.following[key] for n in nodes for key in token.keys if key in n.following]
            if not nodes:
                break
            fitting = (
                node.wording
                for node in nodes
                if node.wording is not None
                and not (node.wording.cased and (shouted or not _as_written(node.wording, token)))
            )
            wording = next(fitting, None)  # the nearest spelling: "POS" is no plural of "PO"
            if wording is not None and _stands_alone(tokens, place, end):
                best = (wording, end + 1)
        return best


class CurrentGlossary:
    """The glossary of a workspace as it is now, read again when it changed."""

    def __init__(
        self, engine: Engine, workspace_id: int, refresh_every: float = REFRESH_EVERY
    ) -> None:
        """Look for changes at most every `refresh_every` seconds."""
        self._engine = engine
        self._workspace_id = workspace_id
        self._refresh_every = refresh_every
        self._glossary = Glossary(())
        self._mark = ""
        self._looked_at = -math.inf
        self._lock = Lock()

    def now(self) -> Glossary:
        """Return it; a change is seen after `refresh_every` seconds at most."""
        with self._lock:
            if time.monotonic() - self._looked_at >= self._refresh_every:
                mark = active_mark(self._engine, self._workspace_id)
                if mark != self._mark:
                    self._glossary = Glossary(active_pairs(self._engine, self._workspace_id))
                    self._mark = mark
                self._looked_at = time.monotonic()
            return self._glossary


def _key(wording: str) -> str:
    """Return a wording's words as they are compared, a space between them."""
    return " ".join(_compared(token.group()) for token in TOKEN.finditer(wording))


def _compared(word: str) -> str:
    """Return an acronym's letters, without the s of its plural, or an ordinary word's stem."""
    if word[1:] == word[1:].lower() and not any(map(str.isdigit, word)):
        return stem(word.casefold())
    acronym = word[:-1] if ACRONYMS.fullmatch(word) else word
    return acronym.replace(".", "").casefold()


def _is_cased(wording: str) -> bool:
    return wording.isupper() and wording.casefold() in ORDINARY


def _as_written(wording: _Wording, token: _Token) -> bool:
    return token.text.replace(".", "") in (wording.text, f"{wording.text}s")


def _stands_alone(tokens: Sequence[_Token], first: int, last: int) -> bool:
    """Whether no sign is glued to the words: there is no "C" in "C++", no "R" in "R&D"."""
    before, after = tokens[first - 1] if first else None, next(iter(tokens[last + 1 :]), None)
    glued_before = before is not None and before.is_sign and before.end == tokens[first].start
    glued_after = after is not None and after.is_sign and after.start == tokens[last].end
    return not glued_before and not glued_after


def _added(found: Sequence[tuple[_Wording, int]], said: Set[str]) -> Iterator[tuple[Added, int]]:
    """Give what joins one turn, and after which code point.

    These are all meanings of what stands there, or those that the conversation has said.
    """
    first: dict[_Wording, int] = {}
    for wording, end in found:
        first.setdefault(wording, end)
    here = {wording.key for wording in first}
    for wording, end in first.items():
        meant = [key for key in wording.others if key in said] or list(wording.others)
        for key in meant:
            if key not in here:
                yield Added(wording.text, wording.others[key], EXPANSION_WEIGHT / len(meant)), end


def _with(turn: str, joining: Sequence[tuple[Added, int]]) -> str:
    """Return a turn as it is embedded: "How much PTO (paid time off) do I have?"."""
    for one, end in reversed(joining):
        turn = f"{turn[:end]} ({one.words}){turn[end:]}"
    return turn


def _weights(added: Sequence[Sequence[tuple[Added, int]]]) -> dict[int, float]:
    """Weigh the added words by their turn, the question first, as its own words are."""
    weights: dict[int, float] = {}
    for back, joining in enumerate(added):
        for one, _ in joining:
            weight = one.weight * turn_weight(back, len(added) - 1)
            for term in map(term_id, terms(one.words)):
                weights[term] = max(weights.get(term, 0.0), weight)
    return weights
