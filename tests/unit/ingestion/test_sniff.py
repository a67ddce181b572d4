import codecs

import pytest

from ingestion.errors import (
    BinaryFileError,
    DocumentError,
    EmptyFileError,
    FileTooLargeError,
    UndecodableFileError,
    UnsupportedFileError,
    display_name,
    printable,
)
from ingestion.parse import parse
from ingestion.sniff import MAX_TEXT_SIZE, Kind, binary_kind, decode, read

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        pytest.param("a.md", "Words", "markdown", id="markdown by name"),
        pytest.param("a.html", "<p>Words</p>", "html", id="HTML by name"),
        pytest.param("a.txt", "Words", "plain", id="text by name"),
        pytest.param("a", "Words", "plain", id="no ending"),
        pytest.param("a.txt", "<!DOCTYPE html><p>Words", "html", id="HTML in a text file"),
        pytest.param("a.txt", " <!-- x --><HTML><p>Words", "html", id="HTML behind a comment"),
        pytest.param("a", "# Title\n\nWords", "markdown", id="Markdown without an ending"),
        pytest.param("a", '<?xml version="1.0"?><html><p>Words', "html", id="XHTML"),
        pytest.param("a", "<p>a</p><p>b</p>", "html", id="a fragment of HTML"),
        pytest.param("a.html", "No tags", "plain", id="text in an HTML file"),
        pytest.param("a.txt", "---\ntitle: x\n---\nWords", "markdown", id="front matter"),
        pytest.param("a.md", "<p align=center>Words</p>", "markdown", id="HTML inside Markdown"),
    ],
)
def test_the_content_tells_the_type(name: str, text: str, kind: Kind) -> None:
    """The name is a hint, the content decides."""
    assert decode(name, text.encode()) == (text, kind)


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        pytest.param("a.md", b"", EmptyFileError, "a.md is empty", id="no bytes"),
        pytest.param("a.md", b" \n\t\n", EmptyFileError, "a.md is empty", id="only white space"),
        pytest.param("a.md", codecs.BOM_UTF8, EmptyFileError, "a.md is empty", id="only a mark"),
        pytest.param("a.md", PNG, BinaryFileError, "a.md is a PNG picture", id="picture"),
        pytest.param("a.pdf", b"MZ\x90\x00\x03", BinaryFileError, "a.pdf is a Windows program",
                     id="program"),
        pytest.param("a.md", b"words\x00words", BinaryFileError, "a.md is not a text file",
                     id="zero bytes"),
        pytest.param("a.txt", b"\x01\x02\x03\x04" * 99, BinaryFileError, "control characters",
                     id="control characters"),
        pytest.param("a.md", b"PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.graphics",
                     UnsupportedFileError, "a.md is an OpenDocument file", id="drawing"),
        pytest.param("a.zip", b"PK\x03\x04..readme.txt", BinaryFileError, "a.zip is a ZIP archive",
                     id="ZIP"),
        pytest.param("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", UnsupportedFileError,
                     "old Office document", id="old Word"),
        pytest.param("a.txt", b"{\\rtf1 Words}", UnsupportedFileError, "RTF", id="RTF"),
        pytest.param("a.txt", b"<?xml version='1.0'?><svg/>", UnsupportedFileError, "XML",
                     id="XML"),
        pytest.param("a.md", b"x" * (MAX_TEXT_SIZE + 1), FileTooLargeError,
                     "a.md is 10.0 MiB, more than the 10 MiB", id="too large"),
        pytest.param("a.txt", "Привет, мир".encode("cp1251"), UndecodableFileError,
                     "a.txt is not valid UTF-8", id="Cyrillic of old"),
        pytest.param("a.txt", "Café zoë naïve".encode() + b" \xff", UndecodableFileError,
                     "byte 18 cannot be read", id="broken UTF-8"),
        pytest.param("a.txt", codecs.BOM_UTF16_LE + b"a", UndecodableFileError,
                     "a.txt is not valid UTF-16", id="half a character"),
        pytest.param("a.txt", "Words go here".encode("utf-16-le"), UndecodableFileError,
                     "UTF-16 without its mark", id="UTF-16 without mark"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_a_sentence(
    name: str, data: bytes, error: type[DocumentError], message: str
) -> None:
    """Each refusal is of its own kind and names the file and the cause."""
    with pytest.raises(error) as refusal:
        parse(f"/secret/place/{name}", data)
    assert type(refusal.value) is error
    assert message in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\n\n%PDF-1.4\n", "pdf"),
        (b"PK\x03\x04..[Content_Types].xml..word/document.xml", "docx"),
        (b"PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.textPK", "odt"),
        (b"# Words", None),
    ],
)
def test_a_document_is_known_by_its_content(data: bytes, kind: str | None) -> None:
    """A file's ending may say anything."""
    assert binary_kind("a.exe", data) == kind


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("---\ntitle: x\n---\n", id="front matter"),
        pytest.param("<!-- a -->\n\n[a]: /b\n\n***\n", id="markup"),
        pytest.param("\u200b\u00ad", id="characters without a shape"),
    ],
)
def test_a_file_without_visible_words_is_empty(source: str) -> None:
    """Markup alone is nothing to answer from."""
    with pytest.raises(EmptyFileError, match=r"^a\.md holds no visible words"):
        parse("a.md", source.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_read_alike(encoding: str) -> None:
    """UTF-8, and UTF-16 or UTF-32 with their mark, give the same text."""
    assert decode("a.txt", "Café für 5 €".encode(encoding))[0] == "Café für 5 €"


def test_western_text_of_old_is_read_with_a_warning() -> None:
    """What is not UTF-8 but reads well as Windows-1252 is taken as that, and says so."""
    decoded = read("a.txt", "A café costs 5 € – “always”, in every shop of ours.".encode("cp1252"))
    assert decoded.text == "A café costs 5 € – “always”, in every shop of ours."
    assert decoded.warnings == ("a.txt is not UTF-8; it was read as Windows-1252.",)


def test_a_page_may_declare_its_encoding() -> None:
    """The charset of a meta element is believed where the bytes are not UTF-8."""
    page = "<!doctype html><meta charset='windows-1251'><p>Привет"
    assert decode("a.html", page.encode("cp1251"))[0] == page


@pytest.mark.parametrize(
    "name",
    ["a.json", "a.tsv", "a.py", "a.yaml", "a.xml", "a.log", "a.mdx", "a.docx", "a.md.bak", "a.md~",
     ".env", "a.tar.b"],
)  # fmt: skip
def test_data_and_code_are_refused_by_their_ending(name: str) -> None:
    """Text that is no policy is not quoted as one; the sentence says what to do."""
    with pytest.raises(UnsupportedFileError) as refusal:
        parse(name, b"# Title\n\nWords: yes")
    ending = name.rpartition(".")[2].lower()
    assert str(refusal.value) == (
        f"{name} ends in .{ending}, which is not read; save it as PDF, Word (.docx), Markdown,"
        " text or HTML."
    )


@pytest.mark.parametrize(
    "name",
    ["a.markdown", "a.mdown", "a.MD", "a.text", "a.xhtml", "README", "Policy 3.1 Returns",
     "terms v1.2", "Terms of Acme Inc.", "No. five"],
)  # fmt: skip
def test_documents_and_names_without_an_ending_are_read(name: str) -> None:
    """A stop in a name is not an ending."""
    assert parse(name, b"<p>Words</p><p>go</p> on").text


def test_a_wrong_ending_is_said() -> None:
    """A document in another format's clothes is read, with a warning."""
    document = parse("a.txt", b"<!doctype html><p>Words")
    assert document.warnings == ("a.txt holds HTML, whatever its ending says.",)
    assert parse("a.htm", b"<p>Words").warnings == ()


def test_names_are_display_text() -> None:
    """Paths, control characters and endless names are not shown."""
    assert display_name("C:\\home\\ann\\a.md") == "a.md"
    assert display_name("/home/ann/\u202ea\nb\x1b[2J\udcff.md") == "a b[2J.md"
    assert display_name("../") == ".."
    assert len(display_name("x" * 999 + ".md")) == 80
    assert display_name("") == "unnamed file"


def test_a_name_with_control_characters_leaves_none_in_titles_and_messages() -> None:
    """What a file is called cannot break a line or colour a terminal."""
    name = "sick\nleave\x1b[31m\x07"
    assert parse(f"{name}.md", b"Words").title == "Sick leave[31m"
    assert printable(f"staff/{name}.md") == "staff/sick leave[31m.md"
    for data in (b"", b"PK\x03\x04", b"\xff\x81", b"---\neffective_to: soon\n---\nWords"):
        with pytest.raises(DocumentError) as refusal:
            parse(f"{name}.md", data)
        assert str(refusal.value).isprintable()
    with pytest.raises(UnsupportedFileError) as unsupported:
        parse("a.js\x1b[31m", b"Words")
    assert str(unsupported.value).isprintable()
