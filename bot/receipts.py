"""What is said of shared files: that they are read, how far that is, and what became of each."""

from collections.abc import Iterator, Sequence

from bot.blocks import Block, Element, bullets, escape, link, messages, paragraphs, split, text
from bot.incoming import Shared
from bot.render import Message, clean, plain, web_address
from ingestion.errors import display_name
from ingestion.outcomes import Outcome, outcome_of, refused
from ingestion.uploads import FileState

NAMED = 3  # files that are named while they are read; of more only the number is told
LINE_LIMIT = 300  # characters told of one file, beside its notes
NOTE_LIMIT = 300  # characters of a note
SHAPES = ((8, 300), (4, 300), (2, 300), (1, 300), (0, 300), (0, 120), (0, 40))
"""Notes of a file and characters of its line: the first with which all fits one message."""
FALLBACK_LIMIT = 700  # characters; chat.update takes 4,000 bytes, and "&" becomes 5 of them
NOTHING = "There is nothing left to tell of these files; share them again."


def receipt(files: Sequence[FileState], wanted: Sequence[Shared], page: str | None) -> Message:
    """Return the one message about an upload; `wanted` are its files still to be fetched.

    `page` is the address under which people open documents, if there is one. What does not fit
    is shortened, so that the message can be changed in place.
    """
    if wanted or any(file.state in ("queued", "running") for file in files):
        return _underway(files, wanted)
    told = [(file, _outcome(file)) for file in files]
    blocks: list[Block] = []
    for notes, line in SHAPES:
        blocks = [b for file, outcome in told for b in _told(file, outcome, notes, line, page)]
        if len(messages(blocks)) <= 1:
            break
    lines = " · ".join(_line(outcome) for _, outcome in told)
    return _message(lines, blocks) if told else plain(NOTHING)[0]


def _underway(files: Sequence[FileState], wanted: Sequence[Shared]) -> Message:
    open_files = [file for file in files if file.state in ("queued", "running")]
    names = [file.name for file in open_files] + [display_name(file.name) for file in wanted]
    words = ", ".join(names) if len(names) <= NAMED else f"{len(names)} files"
    heading = f"Reading {clean(words)}…"
    lines = [_line(_outcome(file)) for file in files if file not in open_files]
    lines += [
        f"{file.name}: {file.done} of {file.total} new passages embedded"
        for file in open_files
        if file.total
    ]
    return _message(heading, [*paragraphs(text(heading)), *bullets(lines)])


def _outcome(file: FileState) -> Outcome:
    if file.report is not None:
        return outcome_of(file.report)
    return refused(file.error or "It was not read; share it again.", file.name)


def _told(
    file: FileState, outcome: Outcome, notes: int, line: int, page: str | None
) -> Iterator[Block]:
    yield from paragraphs(text(_cut(_line(outcome), line)), *_link(file, outcome, page))
    yield from bullets([_cut(clean(note), NOTE_LIMIT) for note in outcome.notes[:notes]])


def _link(file: FileState, outcome: Outcome, page: str | None) -> list[Element]:
    """Return a link to the version, where people can reach the page."""
    version = (file.report or {}).get("version_id")
    address = web_address(f"{page}/documents/{version}") if page and version else None
    return [text(" "), link("open", address)] if address and outcome.state == "new" else []


def _line(outcome: Outcome) -> str:
    return _cut(clean(outcome.marked), LINE_LIMIT)


def _cut(words: str, limit: int) -> str:
    return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"


def _message(words: str, blocks: Sequence[Block]) -> Message:
    fallback = escape(split(words, FALLBACK_LIMIT)[0])
    return Message(fallback, tuple(messages(blocks)[0]))
