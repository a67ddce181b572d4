import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from ingestion.errors import (
    DocumentError,
    EmptyFileError,
    ProtectedFileError,
    TooComplexError,
    UnreadableFileError,
)
from ingestion.parse import parse
from ingestion.sniff import is_email
from tests.unit.ingestion.documents import PATIENCE, assert_sound

HEADERS = (
    b"From: ann@halvermoor.example\r\nTo: all@halvermoor.example\r\n"
    b"Date: Tue, 3 Mar 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
)


def letter(subject: str = "Leave in 2026", text: str = "", html: str = "") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Ann <ann@halvermoor.example>"
    message["To"] = "all@halvermoor.example"
    message["Date"] = "Tue, 3 Mar 2026 10:00:00 +0100"
    message["Subject"] = subject
    message["Message-ID"] = "<1@halvermoor.example>"
    if text:
        message.set_content(text)
    if html and text:
        message.add_alternative(html, subtype="html")
    elif html:
        message.set_content(html, subtype="html")
    return message


def read(message: EmailMessage) -> tuple[list[str], tuple[str, ...]]:
    document = parse("leave.eml", message.as_bytes())
    assert_sound(document, "")
    return [part for part in document.text.split("\n") if part], document.warnings


def test_an_e_mail_is_its_subject_date_and_words() -> None:
    """Plain words are preferred to the page that says the same; addresses are no text."""
    message = letter("Re: Löhne – ¾", "Grüße,\n\n- one\n- two\n", "<p>Other</p>")
    document = parse("a.eml", message.as_bytes())
    assert document.title == "Löhne – ¾"
    assert document.text == "Re: Löhne – ¾\n\nDate: 3 March 2026\n\nGrüße,\n\none\ntwo"
    assert [b.kind for b in document.blocks] == [
        "heading", "paragraph", "paragraph", "list_item", "list_item",
    ]  # fmt: skip
    assert document.source_map == ()
    assert document.warnings == ()


def test_a_page_in_an_e_mail_is_read_as_a_page() -> None:
    """Hidden words of newsletters are left out and counted."""
    html = "<h2>Days</h2><table><tr><td>a<td>b</table><p style='display:none'>preheader</p>"
    document = parse("a.eml", letter(html=html).as_bytes())
    assert document.text == "Leave in 2026\n\nDate: 3 March 2026\n\nDays\n\na | b"
    assert document.hidden_characters == len("preheader")


QUOTED = "The earlier messages quoted in it were left out."
GMAIL = '<p>New</p><div class="gmail_quote">On 3 May 2026 Bo wrote:<p>Old</p></div>'
OUTLOOK = '<p>New</p><hr><div id="divRplyFwdMsg">From: Bo</div><p>Old</p>'


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(letter(text="New\n\nOn 3 May 2026, Bo wrote:\n> Old\n>> Older\n"),
                     id="signs"),
        pytest.param(letter(text="New\n\nOn Sun, 3 May 2026 at 10:00,\nBo <bo@x.example> "
                                 "wrote:\n\n> Old\n"), id="introduced in two lines"),
        pytest.param(letter(text="New\n\n-----Original Message-----\nFrom: Bo\n\nOld"),
                     id="original"),
        pytest.param(letter(text="New\n\nFrom: Bo\nSent: Monday\nTo: Ann\nSubject: x\n\nOld"),
                     id="headers"),
        pytest.param(letter(html=GMAIL), id="quote in a page"),
        pytest.param(letter(html=OUTLOOK), id="headers in a page"),
        pytest.param(letter(html="<p>New<blockquote type=cite>Old</blockquote>"), id="cited"),
    ],
)  # fmt: skip
def test_what_an_e_mail_answers_is_left_out(message: EmailMessage) -> None:
    """Quoted history says what somebody wrote before, and is not indexed."""
    found, warnings = read(message)
    assert found == ["Leave in 2026", "Date: 3 March 2026", "New"]
    assert warnings == (QUOTED,)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(letter("Fwd: x", "-----Original Message-----\nFrom: Bo\n\nKept"), id="text"),
        pytest.param(letter("FW: x", html=GMAIL.replace("Old", "Kept")), id="page"),
    ],
)
def test_what_an_e_mail_forwards_is_kept(message: EmailMessage) -> None:
    """A policy that was forwarded is what the e-mail is about."""
    found, warnings = read(message)
    assert found[-1] == "Kept"
    assert warnings == ()


def test_attachments_are_named_and_not_read() -> None:
    """The report says what was left aside."""
    message = letter(text="See attached.")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="../a b.pdf")
    message.add_attachment("secret words", filename="notes.txt")
    found, warnings = read(message)
    assert found[-1] == "See attached."
    assert warnings == ("Attachments are not read: a b.pdf, notes.txt.",)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        pytest.param(b'Content-Type: text/plain; charset="iso-8859-1"', b"caf\xe9 nights",
                     "café nights", id="Latin-1"),
        pytest.param(b'Content-Type: text/plain; charset="x-none"', "café".encode(), "café",
                     id="an encoding nobody knows"),
        pytest.param(b"Content-Type: text/plain", b"caf\xe9", "café", id="none said"),
        pytest.param(b"Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: "
                     b"base64", b"8NLJ18XU", "Привет", id="base64"),
    ],
)  # fmt: skip
def test_each_part_says_how_it_is_encoded(headers: bytes, body: bytes, expected: str) -> None:
    """A part is decoded as it says; one that says nonsense as it reads best."""
    data = HEADERS + b"Subject: Cafes\r\n" + headers + b"\r\n\r\n" + body
    assert parse("a.eml", data).text.splitlines()[-1] == expected


def test_an_e_mail_is_known_by_the_headers_that_programs_write() -> None:
    """A memo with "From:" and "Subject:" is text, whatever its name; an e-mail needs no name."""
    memo = b"From: HR\nTo: All\nDate: 3 March 2026\nSubject: Leave\n\nWords of it."
    assert not is_email(memo)
    assert "From: HR" in parse("memo.txt", memo).text
    assert "From: HR" in parse("memo.eml", memo).text
    data = letter(text="Words").as_bytes()
    assert parse("no ending", data).title == "Leave in 2026"
    assert "From:" in parse("a.md", data).text


def _nested(depth: int) -> bytes:
    parts = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(depth)
    )
    return HEADERS + parts + b"Content-Type: text/plain\r\n\r\nDeep"


PGP = b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
PLAIN = b"Content-Type: text/plain\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        pytest.param(HEADERS + PGP, ProtectedFileError, "is encrypted", id="encrypted"),
        pytest.param(HEADERS + PLAIN, EmptyFileError, "no words of its own", id="no words"),
        pytest.param(HEADERS + PLAIN + b"> Old\r\n", EmptyFileError, "no words of its own",
                     id="only history"),
        pytest.param(_nested(2_000), TooComplexError, "a.eml ", id="deep"),
        pytest.param(HEADERS + b"Content-Type: text/plain; " + b"a*0=b;" * 3_000 + b"\r\n\r\nx",
                     TooComplexError, "headers that are far too long", id="long content type"),
        pytest.param(HEADERS + b"Subject: " + b"(" * 30_000 + b"\r\n" + PLAIN + b"x",
                     TooComplexError, "headers that are far too long", id="long header"),
    ],
)  # fmt: skip
def test_bad_e_mails_are_refused_in_a_sentence(
    data: bytes, error: type[DocumentError], message: str
) -> None:
    """Encrypted, empty and nested e-mails are told apart, and quickly."""
    started = time.process_time()
    with pytest.raises(error) as refusal:
        parse("a.eml", data)
    assert str(refusal.value).startswith("a.eml ")
    assert message in str(refusal.value)
    assert time.process_time() - started < PATIENCE


def test_an_e_mail_of_attachments_says_what_to_send() -> None:
    """There is nothing to read in it, but in what hangs on it there may be."""
    message = letter()
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
    with pytest.raises(EmptyFileError, match=r"send the attached files\.$"):
        parse("a.eml", message.as_bytes())


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"Subject: =?utf-8?b?!!!!?= =?x?q?a?=", id="encoded words"),
        pytest.param(b"Date: 99 Foo 99999999 25:61", id="date"),
        pytest.param(b"Content-Type: ;;;=\"\xff", id="content type"),
        pytest.param(b"Content-Disposition: attachment; filename*0*=utf-8''%ff%; filename*2=b",
                     id="file name"),
        pytest.param(b"Subject: " + b"=?utf-8?q?" * 190, id="many encoded words"),
        pytest.param(b"Content-Type: text/plain; " + b"a*0=b;" * 280, id="parameters"),
        pytest.param(b"Content-Transfer-Encoding: x-uuencode", id="encoding"),
    ],
)  # fmt: skip
def test_nonsense_in_headers_does_not_stop_reading(header: bytes) -> None:
    """A header that means nothing is read as far as it goes, or the e-mail refused, in time."""
    started = time.process_time()
    said = ""
    try:
        said = parse("a.eml", HEADERS + header + b"\r\n\r\nWords go here.\r\n").text
    except (UnreadableFileError, EmptyFileError) as error:
        said = str(error)
    assert "Words go here." in said or said.startswith("a.eml ")
    assert time.process_time() - started < PATIENCE


@pytest.mark.parametrize(
    "unit", ["> a\n", "> a\n\n", "a:\n> b\n", "From: a\n", "\n", "-- original\n", ">" * 99]
)
def test_long_e_mails_take_linear_time(unit: str) -> None:
    """A million characters of history are no reason to hang."""
    started = time.process_time()
    data = HEADERS + b"Subject: x\r\n\r\nWords.\n" + (unit * (1_000_000 // len(unit))).encode()
    assert "Words." in parse("a.eml", data).text
    assert time.process_time() - started < PATIENCE
