"""Parsed documents as JSON; one that comes out of a sandbox is checked before it is believed."""

from pydantic import TypeAdapter, ValidationError

from ingestion.sandbox_frames import FrameError
from store.documents import ParsedDocument

MAX_WORDS = 10_000  # characters of a title, a heading, a warning and the like
MAX_WARNINGS = 1_000
MAX_LEVEL = 1_000  # of a heading or a list item
MAX_NUMBER = 2**31 - 1  # the largest integer that the tables hold

_DOCUMENT = TypeAdapter(ParsedDocument)


def document_to_json(document: ParsedDocument) -> bytes:
    """Return a document as JSON in UTF-8."""
    return _DOCUMENT.dump_json(document)


def document_from_json(data: bytes) -> ParsedDocument:
    """Return the document that `document_to_json` wrote down.

    Nothing in it is believed: types, offsets, sizes and order are held against what the rest of
    the product relies on. Raises `FrameError`.
    """
    try:
        document = _DOCUMENT.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise FrameError(f"a document whose {first['loc']} is wrong: {first['type']}") from None
    _check_text(document.text)
    _check_words(document)
    _check_dates(document)
    _check_blocks(document)
    _check_source_map(document)
    return document


def _check_text(text: str) -> None:
    # Half letters cannot come here: JSON in UTF-8 has none.
    _demand("\x00" not in text, "a zero character")


def _check_words(document: ParsedDocument) -> None:
    _demand(bool(document.title), "no title")
    _demand(len(document.warnings) <= MAX_WARNINGS, "too many warnings")
    _demand(0 <= document.hidden_characters <= MAX_NUMBER, "a wrong number of hidden characters")
    said = (document.title, document.document_key, document.owner, document.link)
    for words in (*said, *document.warnings):
        if words is not None:
            _check_text(words)
            _demand(len(words) <= MAX_WORDS, "words without end")


def _check_dates(document: ParsedDocument) -> None:
    begin, end = document.effective_from, document.effective_to
    for date in (begin, end):
        _demand(date is None or date.tzinfo is not None, "a date without a zone")
    _demand(begin is None or end is None or begin < end, "dates in the wrong order")


def _check_blocks(document: ParsedDocument) -> None:
    behind = 0
    for block in document.blocks:
        _demand(behind <= block.start < block.end, "blocks in the wrong order")
        _demand(0 <= block.level <= MAX_LEVEL, "a level that cannot be")
        _demand(block.page is None or 1 <= block.page <= MAX_NUMBER, "a page that cannot be")
        for heading in block.heading_path:
            _demand(len(heading) <= MAX_WORDS and "\x00" not in heading, "a wrong heading")
        behind = block.end
    _demand(behind <= len(document.text), "blocks behind the text's end")
    _demand(bool(document.blocks), "no block")


def _check_source_map(document: ParsedDocument) -> None:
    behind = 0
    for run in document.source_map:
        _demand(behind <= run.start and run.length > 0, "a source map in the wrong order")
        _demand(0 <= run.source_start <= MAX_NUMBER, "a place in the source that cannot be")
        behind = run.start + run.length
    _demand(behind <= len(document.text), "a source map behind the text's end")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise FrameError(f"a document with {otherwise}")
