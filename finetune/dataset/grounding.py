"""Which passages a reply of the team stands on, found by searching as the bot does.

A sentence of the reply stands on a passage if one of its sentences, or two neighbouring ones,
support it by the rules that the bot's own claims are judged by. Searched is what every member may
read, and where guests asked, what they may: what a channel alone may read is not taught to a
model that speaks to all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from finetune.dataset.proposals import Exchange, exchanges
from retrieval.lexical import terms
from retrieval.quotes import stands, unsupported_reason
from retrieval.ranking import Passage
from retrieval.retriever import Retriever
from retrieval.sentences import split
from retrieval.voice import marks, policy_facts
from store.access import EVERYONE, EXTERNAL, OPERATOR_ACCESS, Access
from store.answers import Answer
from store.transcripts import Transcript

SEARCHED = 30  # passages: those that a question's answer is nearly always among
LEAST_TERMS = 4  # of a sentence that can be held against passages; fewer stand everywhere
PASSAGES_KEPT = 4_096  # cut into sentences: the same come back for many questions
KEPT = 0.7  # of a passage's words, in a sentence that says the same in other words
GUESTS = Access(asker=frozenset({EXTERNAL}), place=frozenset({EXTERNAL}))


@dataclass(frozen=True)
class Grounded:
    """An exchange with the passages that its reply stands on and others that were found near.

    `sentences` are the reply's, each with the place of its passage among `cited`, or None for
    one that states no fact. `cited` and `others` are the contents of passages, best first.
    """

    exchange: Exchange
    sentences: tuple[tuple[str, int | None], ...]
    cited: tuple[str, ...]
    others: tuple[str, ...]


def access_to_learn(example: Transcript) -> Access:
    """Return what may be learned from of documents, where this is the conversation."""
    seen_by = set(example.audience)
    return GUESTS if EXTERNAL in seen_by and EVERYONE not in seen_by else OPERATOR_ACCESS


def grounded(
    example: Transcript, retriever: Retriever, as_of: datetime, answer: Answer | None
) -> Iterator[Grounded | str]:
    """Yield each exchange of a transcript with its passages, or why there are none.

    `answer` is the bot's, where the transcript is about one that nobody disliked: passages that
    hold what it quoted count as cited by the last reply.
    """
    found = exchanges(example.words)
    quotes = (
        [citation.quote for citation in answer.citations]
        if answer is not None and not example.disliked
        else []
    )
    for place, one in enumerate(found):
        sentences = [one.replied[start:end] for start, end in split(one.replied)]
        if not any(_is_telling(sentence) for sentence in sentences):
            yield "the reply states nothing that a passage could"
            continue
        earlier = [text for _, text in one.earlier]
        access = access_to_learn(example)
        passages = retriever.retrieve(one.asked, earlier, access, as_of, limit=SEARCHED).passages
        yield _ground(one, sentences, passages, quotes if place == len(found) - 1 else [])


def rewordings(
    example: Transcript, retriever: Retriever, as_of: datetime
) -> Iterator[tuple[str, str]]:
    """Yield (a passage's words, the team's) where the team stated a policy in words of its own.

    Whether both state quite the same is for the caller to judge.
    """
    for one in exchanges(example.words):
        stated = [
            sentence
            for start, end in split(one.replied)
            if _is_telling(sentence := one.replied[start:end])
            and policy_facts(sentence) is not None
        ]
        if not stated:
            continue
        earlier = [text for _, text in one.earlier]
        access = access_to_learn(example)
        passages = retriever.retrieve(one.asked, earlier, access, as_of, limit=SEARCHED).passages
        pieces = [piece for passage in passages for piece in _pieces(passage.candidate.text)]
        for sentence in stated:
            piece = _nearest(sentence, pieces)
            if piece is not None:
                yield piece, sentence


def _nearest(sentence: str, pieces: Sequence[tuple[str, frozenset[str]]]) -> str | None:
    """Return the shortest of the pieces that hold most of a sentence's words and support it.

    The sentence must hold most of the piece's words too: else it leaves something out, such as
    the case in which a rule holds.
    """
    claimed = set(terms(sentence))
    shared = []
    for piece, held in pieces:
        together = len(claimed & held)
        if together and together / len(held) >= KEPT:
            shared.append((-together, len(piece), piece))
    for _, _, piece in sorted(shared):
        if unsupported_reason(sentence, [piece]) is None:
            return piece
    return None


def _ground(
    one: Exchange, sentences: Sequence[str], passages: Sequence[Passage], quotes: Sequence[str]
) -> Grounded | str:
    if marks(one.replied):
        return "the reply holds marks like [1] of its own"
    texts = [passage.candidate.text for passage in passages]
    quoted = {
        place for place, text in enumerate(texts) if any(stands(quote, text) for quote in quotes)
    }
    supports = [_supporting(sentence, texts) for sentence in sentences]
    chosen: dict[int, int] = {}  # of a passage, its place among the cited
    marked: list[tuple[str, int | None]] = []
    for sentence, support in zip(sentences, supports, strict=True):
        words = " ".join(sentence.split())
        if not support:
            if policy_facts(words) is not None:
                return "the reply states what no passage says"
            marked.append((words, None))
            continue
        best = next((place for place in support if place in quoted), support[0])
        marked.append((words, chosen.setdefault(best, len(chosen))))
    if not chosen:
        return "no passage says what the reply says"
    near = {place for support in supports for place in support} | quoted
    contents = [passage.candidate.content for passage in passages]
    cited = tuple(contents[place] for place in chosen)
    others = dict.fromkeys(text for place, text in enumerate(contents) if place not in near)
    return Grounded(one, tuple(marked), cited, tuple(text for text in others if text not in cited))


def _supporting(sentence: str, texts: Sequence[str]) -> list[int]:
    """Return which passages support a sentence, the one with most of its words first."""
    if not _is_telling(sentence):
        return []
    claimed = set(terms(sentence))
    found = []
    for place, text in enumerate(texts):
        best = 0.0
        for quote, held in _pieces(text):
            shared = len(claimed & held) / len(claimed)
            if shared > best and unsupported_reason(sentence, [quote]) is None:
                best = shared
        if best:
            found.append((-best, place))
    return [place for _, place in sorted(found)]


@lru_cache(maxsize=PASSAGES_KEPT)
def _pieces(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return each sentence of a passage, and each with its neighbour, with their terms."""
    spans = split(text)
    alone = [text[start:end] for start, end in spans]
    pairs = [text[start:end] for (start, _), (_, end) in pairwise(spans)]
    return tuple((piece, frozenset(terms(piece))) for piece in (*alone, *pairs))


def _is_telling(sentence: str) -> bool:
    return len(set(terms(sentence))) >= LEAST_TERMS
