from datetime import UTC, datetime

import pytest

from ingestion.errors import FrontMatterError
from ingestion.parse import parse
from store.documents import ParsedDocument


def read(head: str, body: str = "Words.") -> ParsedDocument:
    return parse("returns.md", f"---\n{head}\n---\n{body}".encode())


def test_known_keys_are_read() -> None:
    """Title, key, dates, owner and link come from the block at the top, which is not text."""
    document = read(
        "title: 'Returns policy'\ndocument: returns\nowner: Ann Lee  # since May\n"
        'link: "https://shop.example/returns"\neffective_from: 2026-09-01\n'
        "effective_to: 2027-01-01T12:00:00+02:00"
    )
    assert document.text == "Words."
    assert document.title == "Returns policy"
    assert document.document_key == "returns"
    assert document.owner == "Ann Lee"
    assert document.link == "https://shop.example/returns"
    assert document.effective_from == datetime(2026, 9, 1, tzinfo=UTC)
    assert document.effective_to == datetime(2027, 1, 1, 10, tzinfo=UTC)


def test_other_keys_lists_and_comments_are_passed_over() -> None:
    """Front matter of site generators does no harm."""
    document = read("# comment\nlayout: sheet\nredirect_from:\n  - /a\nversions:\n  fpt: '*'\n\n")
    assert (document.text, document.title, document.owner) == ("Words.", "Returns", None)
    assert document.warnings == ()


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("effectve_from", "effective_from"),
        ("efective-to", "effective_to"),
        ("Effective date", "effective_from"),
        ("titel", "title"),
        ("documnet", "document"),
        ("links", "link"),
    ],
)
def test_a_key_that_is_nearly_known_gives_a_warning(key: str, meant: str) -> None:
    """A misspelt key is not obeyed, and not passed over in silence."""
    document = read(f"{key}: 2026-09-01")
    shown = key.lower().replace("-", "_").replace(" ", "_")
    assert document.warnings == (f"“{shown}” was ignored; write {meant} if that is meant.",)
    assert (document.title, document.effective_from) == ("Returns", None)


@pytest.mark.parametrize(
    "key", ["layout", "subtitle", "redirect_from", "tags", "date", "author", "permalink", "lang"]
)
def test_keys_of_other_programs_are_silent(key: str) -> None:
    """What site generators write is no misspelling of ours."""
    assert read(f"{key}: words").warnings == ()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("---\n\nWords: yes\n", id="ruler"),
        pytest.param("---\nWords go on\n---\n", id="no pairs"),
        pytest.param("---\ntitle: x\n\nWords", id="never closed"),
        pytest.param("Words\n---\ntitle: x\n---\n", id="not at the top"),
    ],
)
def test_what_is_no_front_matter_is_text(source: str) -> None:
    """Words are not lost to something that only looks like a head."""
    document = parse("returns.md", source.encode())
    assert "Words" in document.text


@pytest.mark.parametrize(
    ("head", "message"),
    [
        pytest.param("effective_from: 2026-13-01",
                     "returns.md: effective_from is “2026-13-01”, which is not a date; "
                     "write it as 2026-09-01.", id="no such month"),
        pytest.param("effective_to: soon", "returns.md: effective_to is “soon”, which is not a "
                     "date; write it as 2026-09-01.", id="a word"),
        pytest.param("effective_from: 2026-09-01\neffective_to: 2026-09-01",
                     "returns.md: effective_to is not after effective_from; correct the dates at "
                     "the top of the file.", id="ends before it begins"),
    ],
)  # fmt: skip
def test_a_bad_date_is_refused_by_name(head: str, message: str) -> None:
    """The sentence names the file, the key and the right form."""
    with pytest.raises(FrontMatterError) as refusal:
        read(head)
    assert str(refusal.value) == message


def test_line_ends_and_a_mark_at_the_start_do_not_matter() -> None:
    """A file from Windows has the same head."""
    source = "\ufeff---\r\ntitle: Returns\r\neffective_from: 2026-09-01\r\n---\r\nWords."
    document = parse("a.md", source.encode())
    assert (document.title, document.text) == ("Returns", "Words.")
