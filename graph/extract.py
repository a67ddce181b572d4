"""The extractive answerer: which sentences of the passages are quoted as the answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from graph.state import Draft, DraftClaim
from retrieval.lexical import terms
from retrieval.retriever import Retrieval, Sentence

# A sentence's score, tuned on 600 turns of public-service dialogues for how often the quoted
# sentences cover half of the gold words (29.8 → 43 %; docs/decisions).
ALONE_SHARE = 0.7  # similarity to the question; the rest is similarity within the conversation
HEADING_WEIGHT = 0.2  # of the similarity of the heading, lead-in or table head above
WORDS_WEIGHT = 0.3  # of the share of the question's words that the sentence has
PASSAGE_WEIGHT = 1.5  # of the passage's rank, as a share of the best passage's score
NEIGHBOUR_SHARE = 0.5  # of the best relevance, from which a sentence beside it is quoted too
SECOND_SHARE = 0.92  # of the best score, from which a second passage is quoted too
MAX_CLAIMS = 3
LEAST_WORDS = 3  # in a sentence worth quoting
CELL_JOINER = " | "  # as documents are read
LONGEST_LIST = 400  # characters of a list quoted whole with its lead-in


@dataclass(frozen=True)
class _Line:
    """A sentence in its passage, with what it needs to be understood.

    `above` is the lead-in of a list item ("The following cannot be returned:") or the head of a
    table row. `quotable` is False for headings, scraps and table heads.
    """

    sentence: Sentence
    heading: float  # similarity of the heading above, at least 0
    above: Sentence | None
    quotable: bool


def extract(question: str, retrieval: Retrieval, note: str | None = None) -> Draft:
    """Quote the best-supported sentence, those beside it that belong to it, a second passage."""
    passages = [list(_lines(sentences)) for sentences in _by_passage(retrieval.sentences)]
    lines = [line for passage in passages for line in passage if line.quotable]
    if not lines:
        return Draft("extractive", (), note)
    relevance = {line: _relevance(question, line) for line in lines}
    top = max(retrieval.passages[0].scores.total, 1e-9)
    score = {
        line: relevance[line] + PASSAGE_WEIGHT * line.sentence.passage.scores.total / top
        for line in lines
    }
    best = max(lines, key=lambda line: score[line])
    home = next(passage for passage in passages if best in passage)
    chosen = [best, *_beside(best, home, relevance), *_second(best, score)][:MAX_CLAIMS]
    chosen.sort(key=lambda line: (line not in home, line.sentence.start))
    claims = [claim for line in chosen for claim in _claims(line)]
    return Draft("extractive", tuple(dict.fromkeys(claims)), note)


def _by_passage(sentences: Sequence[Sentence]) -> Iterator[list[Sentence]]:
    for _, group in groupby(sentences, key=lambda sentence: id(sentence.passage)):
        yield list(group)


def _lines(sentences: Sequence[Sentence]) -> Iterator[_Line]:
    """Return a passage's sentences with what stands above each."""
    heading = 0.0
    lead: Sentence | None = None
    head: Sentence | None = None
    for place, sentence in enumerate(sentences):
        is_head = False
        if sentence.kind == "heading":
            heading, lead, head = max(0.0, sentence.similarity), None, None
        elif sentence.kind == "table_row":
            follows = sentences[place + 1 : place + 2]
            headed = head is None and any(row.kind == "table_row" for row in follows)
            is_head = headed and not _is_labelled(sentence)
            head = sentence if is_head else head
        elif sentence.kind != "list_item":
            lead, head = (sentence if sentence.text.endswith(":") else None), None
        over = None if is_head or _is_labelled(sentence) else head
        above = {"list_item": lead, "table_row": over}.get(sentence.kind)
        quotable = not is_head and _says_something(sentence, above)
        yield _Line(sentence, heading, above, quotable)


def _is_labelled(row: Sentence) -> bool:
    """Whether each cell of a row names its column, as those of sheets do: no row is its head."""
    return all(": " in cell for cell in row.text.split(CELL_JOINER))


def _says_something(sentence: Sentence, above: Sentence | None) -> bool:
    """Whether a sentence can be quoted: no heading, no scrap, no item torn from its list."""
    if sentence.kind == "heading" or len(sentence.text.split()) < LEAST_WORDS:
        return False
    return sentence.kind != "list_item" or above is not None or sentence.text[-1] in ".!?"


def _relevance(question: str, line: _Line) -> float:
    """Return how near a line is to the question, what stands above it counted in part."""
    sentence, asked = line.sentence, set(terms(question))
    words = set(terms(sentence.text)) | (set(terms(line.above.text)) if line.above else set())
    context = max(line.heading, line.above.similarity if line.above else 0.0)
    return (
        ALONE_SHARE * sentence.similarity
        + (1 - ALONE_SHARE) * sentence.in_conversation
        + HEADING_WEIGHT * context
        + WORDS_WEIGHT * len(asked & words) / max(len(asked), 1)
    )


def _beside(best: _Line, home: Sequence[_Line], relevance: dict[_Line, float]) -> list[_Line]:
    """Return the sentences right before and after the best one that belong to it, nearer first.

    Only running text goes on: a table row or list item is quoted for itself.
    """
    if best.sentence.kind in {"table_row", "list_item"}:
        return []
    place = home.index(best)
    near = [
        line
        for line in (*home[max(0, place - 1) : place], *home[place + 1 : place + 2])
        if line.sentence.kind == best.sentence.kind
        and relevance.get(line, 0.0) >= NEIGHBOUR_SHARE * relevance[best]
    ]
    return sorted(near, key=lambda line: -relevance[line])


def _second(best: _Line, score: dict[_Line, float]) -> list[_Line]:
    """Return a sentence of another passage that is as good, unless it says the same."""
    here, said = best.sentence.passage, best.sentence.text
    others = [x for x in score if x.sentence.passage is not here and x.sentence.text != said]
    second = max(others, key=lambda line: score[line], default=None)
    if second is None or score[second] < SECOND_SHARE * score[best]:
        return []
    return [second]


def _claims(line: _Line) -> Iterator[DraftClaim]:
    """Return a line as a claim, never without the lead-in or table head that gives it sense.

    A short list is quoted from its lead-in to the item, or, for a lead-in, to the list's end.
    """
    sentence = line.sentence
    passage, text = sentence.passage, sentence.passage.candidate.text
    first = line.above or sentence
    start = first.start - passage.candidate.start
    end = sentence.end - passage.candidate.start
    if sentence.text.endswith(":"):
        end = min(_list_end(sentence), start + LONGEST_LIST)
        end = text.rfind("\n", start, end) if end < _list_end(sentence) else end
        end = max(end, sentence.end - passage.candidate.start)
    if line.above is not None and (sentence.kind == "table_row" or end - start > LONGEST_LIST):
        yield DraftClaim(line.above.text, passage, line.above.text)
        yield DraftClaim(sentence.text, passage, sentence.text)
        return
    yield DraftClaim(text[start:end], passage, text[start:end])


def _list_end(lead: Sentence) -> int:
    """Return where, in its passage, the list that follows a lead-in ends."""
    candidate = lead.passage.candidate
    following = [block for block in candidate.blocks if block[0] >= lead.end]
    for start, kind in following:
        if kind != "list_item":
            return len(candidate.text[: start - candidate.start].rstrip())
    return len(candidate.text) if following else lead.end - candidate.start
