"""The sources of an answer as a modal and as a message: each quote, and what became of it.

Pure functions. A quote is shown in the words around it in its section; where its document has
changed since, what stands there now is shown beside it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.blocks import (
    Block,
    Element,
    actions,
    button,
    cut,
    divider,
    grouped,
    link,
    notes,
    paragraphs,
    plain_text,
    text,
)
from bot.render import (
    SOURCES,
    Message,
    ago,
    clean,
    dates,
    day,
    footnote,
    one_line,
    packed,
    page,
    place_name,
    plain,
    title,
    web_address,
)
from graph.footnotes import superscript
from retrieval.quotes import stands
from retrieval.sentences import split as sentences
from retrieval.wording import broken_pieces, counterpart
from store.cited import CitedAnswer, CitedWords
from store.documents import Version

PAGE_BLOCKS = 90  # blocks on a page of the modal; Slack takes 100 in a view
EACH = 2  # further blocks of each source: a picture and a divider
MOST = 20  # sources on a page
PAGE_SIZE = 200_000  # characters of a page's sources as they are sent; Slack takes 250,000
QUOTE_SHOWN = 9_000  # characters of one quote in the modal
NAME_SHOWN = 1_000  # characters of title and section
NOW_SHOWN = 1_900  # characters of the words in force now; Slack takes 2,000 in a field
CONTEXT = 200  # characters before a quote and behind it, in its own section
ALT_LIMIT = 300  # characters said of a picture
COMMAND_POSTS = 5  # that Slack takes on one response_url

BACK, NEXT = "sources_page:back", "sources_page:next"  # action ids
TITLE = "Sources"
LOOKING = "Looking up the sources…"
NOT_FOUND = "I can't find that answer."
QUOTES_NOTHING = "This answer quotes no document."
THE_REST = "The rest is behind the button."

Became = Literal["current", "unchanged", "changed", "gone", "not_in_force", "withdrawn"]


@dataclass(frozen=True)
class Fate:
    """What became of quoted words by the moment they are looked at.

    Where they changed, `then` are the parts of the quote that are said no more and `now` what
    stands there instead, as far as it can be told.
    """

    became: Became
    version: Version | None = None
    then: str = ""
    now: str = ""


def fate(cited: CitedWords) -> Fate:
    """Return what became of a quote, by the rules that corrections go by."""
    if cited.deleted_at is not None:
        return Fate("withdrawn")
    if cited.current is None:
        return Fate("not_in_force")
    if cited.is_current:
        return Fate("current", cited.current)
    citation, old, new = cited.citation, cited.quoted.text, cited.current.text
    broken = broken_pieces(old, citation.start, citation.end, new)
    if not broken:
        return Fate("unchanged", cited.current)
    instead = [words for piece in broken if (words := counterpart(piece, old, new))]
    return Fate(
        "changed" if instead else "gone",
        cited.current,
        " … ".join(broken),
        " … ".join(dict.fromkeys(instead)),
    )


# --- the modal -----------------------------------------------------------------------------


def looking() -> dict[str, Any]:
    """Return the modal that opens at once."""
    return _modal(notes(LOOKING))


def not_found() -> dict[str, Any]:
    """Return the modal for an answer that is not there, or not for who asks."""
    return _modal(paragraphs(text(NOT_FOUND)))


@dataclass(frozen=True)
class Sources:
    """An answer's sources as blocks; `pages` are their places among them, page by page."""

    cited: CitedAnswer
    blocks: tuple[tuple[Block, ...], ...]
    pages: tuple[tuple[int, ...], ...]

    def page(self, number: int) -> tuple[int, ...]:
        """Return the places of the sources on a page (from 0), those of the nearest there is."""
        return self.pages[self._near(number)] if self.pages else ()

    def modal(self, number: int, pictures: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Return one page of the modal; `pictures` are ids of files in Slack by place."""
        if not self.pages:
            return _modal(paragraphs(text(QUOTES_NOTHING)))
        number = self._near(number)
        blocks: list[Block] = []
        if self.cited.superseded_at is not None:
            blocks += notes(f"This answer was superseded on {day(self.cited.superseded_at)}.")
        for place in self.pages[number]:
            picture = (pictures or {}).get(place)
            shown = [_picture(self.cited.words[place], picture)] if picture else []
            blocks += [*self.blocks[place], *shown, divider()]
        if len(self.pages) > 1:
            blocks += notes(f"Page {number + 1} of {len(self.pages)}")
        return _modal([*blocks, *actions(self._turning(number))])

    def _near(self, number: int) -> int:
        return min(max(number, 0), len(self.pages) - 1)

    def _turning(self, number: int) -> list[Element]:
        ways = (("Earlier", BACK, number - 1), ("More", NEXT, number + 1))
        return [
            button(words, way, json.dumps({"answer": self.cited.answer.id, "page": to}))
            for words, way, to in ways
            if 0 <= to < len(self.pages)
        ]


def sources(cited: CitedAnswer, now: datetime) -> Sources:
    """Return what the modal shows of an answer's sources, as seen from `now`."""
    blocks = tuple(tuple(_source(words, now)) for words in cited.words)
    pages: list[tuple[int, ...]] = []
    for run in grouped(range(len(blocks)), lambda n: _written(blocks[n]), PAGE_SIZE, MOST):
        groups = grouped(run, lambda n: len(blocks[n]) + EACH, PAGE_BLOCKS, MOST)
        pages += map(tuple, groups)
    return Sources(cited, blocks, tuple(pages))


def _written(blocks: Sequence[Block]) -> int:
    """Return the characters of blocks as they are sent, with room for a picture."""
    return len(json.dumps(blocks)) + 2 * ALT_LIMIT


def _modal(blocks: Sequence[Block]) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": plain_text(TITLE),
        "close": plain_text("Close"),
        "blocks": list(blocks),
    }


def _source(cited: CitedWords, now: datetime) -> list[Block]:
    """Return the blocks of one source, two dozen at most."""
    citation = cited.citation
    mark = "Closest: " if cited.closest else f"{superscript([citation.number])} "
    address = web_address(citation.link)
    return [
        *paragraphs(text(mark + cut(place_name(citation), NAME_SHOWN), bold=True)),
        *_quoted(_in_context(cited)),
        *notes(" · ".join(_standing(cited, now))),
        *(paragraphs(link("Open the document", address)) if address else []),
        *_since(cited),
    ]


def _in_context(cited: CitedWords) -> list[Element]:
    """Return the quote, marked, in the words around it that stand in its section."""
    whole, citation = cited.quoted.text, cited.citation
    begins, ends = cited.section
    quote = clean(citation.quote)
    if len(quote) > QUOTE_SHOWN:
        quote = quote[:QUOTE_SHOWN] + "…"
    around = [
        text(clean(_before(whole[begins : citation.start]))),
        text(quote, bold=True),
        text(clean(_behind(whole[citation.end : ends]))),
    ]
    return [element for element in around if element["text"]]


def _before(words: str) -> str:
    """Return the end of the words before a quote, from where a sentence or a word begins."""
    words = words.lstrip()
    if len(words) <= CONTEXT:
        return words
    near = words[-CONTEXT:]
    begun = [start for start, _ in sentences(near)[1:]]
    return "… " + (near[begun[0] :] if begun else near.partition(" ")[2])


def _behind(words: str) -> str:
    """Return the beginning of the words behind a quote, up to where a sentence or a word ends."""
    words = words.rstrip()
    if len(words) <= CONTEXT:
        return words
    near = words[:CONTEXT]
    ended = [end for _, end in sentences(near)[:-1]]
    return (near[: ended[-1]] if ended else near.rpartition(" ")[0]) + " …"


def _quoted(elements: Sequence[Element]) -> list[Block]:
    """Return elements set apart as a quotation."""
    blocks = paragraphs(*elements)
    return [
        block | {"elements": [part | {"type": "rich_text_quote"} for part in block["elements"]]}
        for block in blocks
    ]


def _standing(cited: CitedWords, now: datetime) -> Iterator[str]:
    citation = cited.citation
    yield f"v{citation.version}"
    yield dates(citation)
    if citation.page:
        yield f"p. {citation.page}"
    if cited.quoted.owner:
        yield f"owner: {cut(one_line(cited.quoted.owner), 200)}"
    yield f"{'checked' if cited.watched else 'received'} {ago(cited.checked_at, now)}"


def _since(cited: CitedWords) -> list[Block]:
    """Return what became of the document, with its old words beside the new."""
    found = fate(cited)
    told = _told(found, cited)
    blocks = notes(told) if told else []
    if found.became == "changed" and found.version is not None:
        then = f"Then · v{cited.citation.version}\n{_shown(found.then)}"
        now = f"Now · v{found.version.number}\n{_shown(found.now)}"
        blocks.append({"type": "section", "fields": [plain_text(then), plain_text(now)]})
    return blocks


def _shown(words: str) -> str:
    line = clean(words).strip()
    return line if len(line) <= NOW_SHOWN else line[:NOW_SHOWN] + "…"


def _told(found: Fate, cited: CitedWords) -> str:
    if found.became == "withdrawn" and cited.deleted_at is not None:
        return f"This document was withdrawn on {day(cited.deleted_at)}."
    if found.became == "not_in_force":
        return "No version of this document is in force now."
    if found.version is None or found.became == "current":
        return ""
    now = f"v{found.version.number}, in force since {day(found.version.effective_from)}"
    if found.became == "unchanged":
        return f"{now}, says the same."
    if found.became == "gone":
        return f"These words are no longer in {now}."
    return f"These words changed in {now}."


def _picture(cited: CitedWords, file_id: str) -> Block:
    name = cut(place_name(cited.citation), ALT_LIMIT)
    words = f"The page of {name} on which these words stand, with the words marked"
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": words}


# --- the message ---------------------------------------------------------------------------


def cite_messages(
    cited: CitedAnswer, *, own: bool, as_of: datetime | None = None
) -> tuple[Message, ...]:
    """Return the messages that cite an answer, five at most, the last with its button.

    `own` says that who reads it asked the question. With `as_of` each document is quoted as it
    was on that day: `cited` must have been found for it.
    """
    if not cited.words:
        return plain(QUOTES_NOTHING)
    heading = _heading(cited, own=own, as_of=as_of)
    blocks = paragraphs(text(heading))
    for words in cited.words:
        blocks += _cited_on(words, as_of) if as_of else _cited(words)
    tail = actions([button("Sources", SOURCES, cited.answer.id)])
    messages = packed(heading, blocks, tail)
    if len(messages) <= COMMAND_POSTS:
        return messages
    rest = packed(THE_REST, notes(THE_REST), tail)
    return (*messages[: COMMAND_POSTS - 1], *rest)


def _heading(cited: CitedAnswer, *, own: bool, as_of: datetime | None) -> str:
    answered = f"my answer to “{clean(cited.answer.question).strip()}”" if own else "that answer"
    heading = f"The sources of {answered}"
    if as_of is not None:
        heading += f", as of {day(as_of)}"
    elif cited.as_of is not None:
        heading += f", which was as of {day(cited.as_of)}"
    if cited.superseded_at is not None:
        heading += f" (superseded on {day(cited.superseded_at)})"
    return heading + ":"


def _cited(cited: CitedWords) -> list[Block]:
    found = fate(cited)
    told = _told(found, cited)
    blocks = footnote(cited.citation)
    if found.became == "changed":
        now = text(clean(found.now), italic=True)
        return [*blocks, *paragraphs(text(f"{told[:-1]}: “"), now, text("”"))]
    return [*blocks, *(notes(told) if told else [])]


def _cited_on(cited: CitedWords, as_of: datetime) -> list[Block]:
    """Return what a document said on a day in the place of a quote."""
    mark = text(f"{superscript([cited.citation.number])} On {day(as_of)} ")
    named = [mark, *title(cited.citation)]
    if cited.deleted_at is not None:
        return paragraphs(*named, text(f": {_told(Fate('withdrawn'), cited)}"))
    if cited.current is None:
        return paragraphs(*named, text(" was not in force."))
    version = f" v{cited.current.number}"
    words = words_on(cited)
    if not words:
        return paragraphs(*named, text(f"{version} said nothing of this."))
    same = page(cited.citation) if cited.is_current else ""
    quote = text(clean(words), italic=True)
    return paragraphs(*named, text(f"{version}{same} said: “"), quote, text("”"))


def words_on(cited: CitedWords) -> str:
    """Return what the version in force then says where the quote stands, "" where nothing."""
    if cited.current is None:
        return ""
    if cited.is_current:
        return cited.citation.quote
    citation, old, new = cited.citation, cited.quoted.text, cited.current.text
    broken = broken_pieces(old, citation.start, citation.end, new)
    said = []
    for start, end in sentences(citation.quote):
        piece = citation.quote[start:end]
        if piece.strip() in broken:
            said.append(counterpart(piece.strip(), old, new) or "")
        elif (found := stands(piece, new)) is not None:
            said.append(new[found.start : found.end])
    return " ".join(dict.fromkeys(words for words in said if words))
