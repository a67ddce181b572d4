"""What is said of shared files: that they are read, how far that is, and what became of each."""

from collections.abc import Iterator, Sequence

from bot.blocks import Block, Element, bullets, escape, link, messages, paragraphs, split, text
from bot.incoming import Shared
from bot.render import Message, clean, web_address
from ingestion.errors import display_name
from ingestion.outcomes import Outcome, outcome_of, refused
from ingestion.uploads import FileState

NAMED = 3  # files that are named while they are read; of more only the number is told
LINE_LIMIT = 300  # characters told of one file, beside its notes
NOTE_LIMIT = 300  # characters of a note
NOTES = (8, 4, 2, 1, 0)  # notes of a file, the first number with which all fits one message
FALLBACK_LIMIT = 900  # characters; chat.update takes 4,000 bytes, and a character has up to 4


def receipt(files: Sequence[FileState], wanted: Sequence[Shared], page: str | None) -> Message:
    """Return the one message about an upload; `wanted` are its files still to be fetched.

    `page` is the address under which people open documents, if there is one. What does not fit
    is shortened, so that the message can be changed in place.
    """
    if wanted or any(file.state in ("queued", "running") for file in files):
        return _underway(files, wanted)
    told = [(file, _outcome(file)) for file in files]
    for most in NOTES:
        blocks = [b for file, outcome in told for b in _told(file, outcome, most, page)]
        if len(messages(blocks)) <= 1:
            break
    lines = " · ".join(_line(outcome) for _, outcome in told)
    return _message(lines, blocks)


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
    return refused(file.error or f"{file.name} was not read; share it again.")


def _told(file: FileState, outcome: Outcome, notes: int, page: str | None) -> Iterator[Block]:
    yield from paragraphs(text(_line(outcome)), *_link(file, outcome, page))
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
