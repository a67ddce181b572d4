"""What identifies people is replaced by placeholders, whatever form it is written in."""

import copy
import pickle
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.redact import redact

SAID = (
    ("EMAIL", "mail me at alexis.w+shop@example.co.uk.", "alexis.w+shop@example.co.uk"),
    ("EMAIL", "jane_doe [at] example [dot] org", "jane_doe"),
    ("EMAIL", "jane dot doe at example dot com is mine", "jane dot doe at example dot com"),
    ("EMAIL", "reach me: jo\u200bhn＠example．com", "hn＠example"),
    ("EMAIL", "jane@münchen.de", "jane@münchen.de"),
    ("PHONE", "call (977) 625-2661 please", "(977) 625-2661"),
    ("PHONE", "+33 6 12 34 56 78", "+33 6 12 34 56 78"),
    ("PHONE", "Tel.: 030/901820", "030/901820"),
    ("PHONE", "five five five, oh one two three, four five six seven", "oh one two"),
    ("CARD", "4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("CARD", "４１１１１１１１１１１１１１１１", "４１１１"),
    ("CARD", "my visa ends in 4242", "4242"),
    ("IBAN", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "refund to NL91ABNA0417164300", "NL91ABNA0417164300"),
    ("IP", "from 10.0.0.12", "10.0.0.12"),
    ("IP", "from 2001:db8::1", "2001:db8::1"),
    ("MAC", "00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
    ("URL", "postgres://me:pw@db.example.com/x", "me:pw"),
    ("URL", "see https://example.com/reset?token=abcDEF123", "abcDEF123"),
    ("URL", "https://www.linkedin.com/in/crystal-minh", "crystal-minh"),
    ("KEY", "sk-proj-abcdEFGH1234567890", "abcdEFGH"),
    ("KEY", "xoxb-123456-abcdef", "xoxb"),
    ("KEY", "AKIAIOSFODNN7EXAMPLE", "AKIA"),
    ("KEY", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_"),
    ("KEY", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3", "eyJ"),
    ("KEY", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n", "MIIEpA"),
    ("KEY", "password is Tr0ub4dor&3", "Tr0ub4dor"),
    ("KEY", "pwd: correcthorse", "correcthorse"),
    ("KEY", "my pin is 4821", "4821"),
    ("SLACK_ID", "ask <@U024BE7LH|joe>", "U024BE7LH"),
    ("SLACK_ID", "W012A3CDE knows", "W012A3CDE"),
    ("SSN", "078-05-1120", "078-05-1120"),
    ("NATIONAL_ID", "NINO QQ123456C", "QQ123456C"),
    ("NATIONAL_ID", "my passport number is K1234567", "K1234567"),
    ("NATIONAL_ID", "12345678Z", "12345678Z"),
    ("ACCOUNT", "sort code 12-34-56", "12-34-56"),
    ("ACCOUNT", "My customer number: 99812", "99812"),
    ("ORDER", "Order ID: 3348917502", "3348917502"),
    ("ORDER", "booking reference XK7P2Q", "XK7P2Q"),
    ("ADDRESS", "9756 Primrose Street Newark, MI 85971", "Primrose"),
    ("ADDRESS", "Hauptstraße 12, 10115 Berlin", "Hauptstraße"),
    ("ADDRESS", "12 rue de la Paix, 75002 Paris", "rue de la Paix"),
    ("ADDRESS", "PO Box 1234", "1234"),
    ("DATE_OF_BIRTH", "I was born on the 3rd of March 1984", "3rd of March"),
    ("DATE_OF_BIRTH", "DOB 03-04-85", "03-04-85"),
    ("USERNAME", "my user name is jdoe", "jdoe"),
    ("USERNAME", "it is cminh730 I think", "cminh730"),
    ("NAME", "My name is alexis", "alexis"),
    ("NAME", "I am Dr. med. Annegret Hübner", "Hübner"),
    ("NAME", "My name is Siobhán O'Connell-Byrne.", "O'Connell"),
    ("NAME", "Best regards,\nTadhg", "Tadhg"),
    ("NAME", "Nguyễn Thị Minh here", "Nguyễn"),
    ("NAME", "Mein Name ist Jürgen Müller, guten Tag", "Müller"),
    ("NAME", "name on card J. R. Hartley", "Hartley"),
    ("NAME", "hi, i'm angela and i need help", "angela"),
    ("NATIONAL_ID", "SSN ending 6789", "6789"),
    ("ACCOUNT", "My employee number's E-10442", "10442"),
    ("NAME", "tell Ludwig van Beethoven so", "Beethoven"),
)


@pytest.mark.parametrize(("kind", "text", "value"), SAID, ids=[one[2] for one in SAID])
def test_what_identifies_is_replaced(kind: str, text: str, value: str) -> None:
    """By a placeholder of its kind; nothing of it is left."""
    done = redact([text])
    assert value not in done.texts[0]
    assert f"[{kind}_1]" in done.texts[0]
    assert done.counts[kind] >= 1


@pytest.mark.parametrize(
    "text",
    [
        "Sale items can be returned within 14 days for €40.",
        "See version 1.2.3.4 of 2024-05-01, valid until 31.12.2026, at 10:30.",
        "I am sure this is fine. Thanks, that made my day!",
        "It was 1,500,000 or 9,192,631,770 in 2019-2020.",
        "My password is wrong and my order is late.",
        "May I have your name, please? I will mark it.",
        "The weather in San Francisco and New York is nice.",
        "Call us at any time. Please send it to the office.",
        "Please see https://example.com/help for ISO-27001.",
        "Will you go to the Old Town Inn on Monday?",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    """Amounts, periods, dates, versions, places and everyday words are left alone."""
    assert redact([text]).texts == (text,)


def test_a_value_has_one_placeholder_throughout() -> None:
    """Also in another message; another value has another number, in the order of reading."""
    done = redact(["a@example.com or b@example.com", "b@example.com, then a@example.com"])
    assert done.texts == ("[EMAIL_1] or [EMAIL_2]", "[EMAIL_2], then [EMAIL_1]")
    assert done.counts == {"EMAIL": 4}


def test_names_are_found_again_where_nothing_announces_them() -> None:
    """Before and after the message that introduces them, and by each of their parts."""
    done = redact(["Is minh there?", "My name is Crystal Minh.", "What is your level Crystal?"])
    assert done.texts[0] == "Is [NAME_1] there?"
    assert "Crystal" not in done.texts[2]


def test_names_of_the_directory_are_known() -> None:
    """Whole or in part, in the middle of a sentence."""
    text = "yesterday xiu wrote that Oyelaran and Hope would come, I hope"
    done = redact([text], names=["Xiu Oyelaran", "Hope Ng"])
    assert done.texts == (
        "yesterday [NAME_1] wrote that [NAME_2] and [NAME_3] would come, I hope",
    )


def test_a_large_directory_is_read_once() -> None:
    """Thousands of names cost a conversation little; names of teams are no names of people."""
    letters = "bdfgklmnprst"
    people = [f"Xa{a}o{b}a Ye{c}i{a}u" for a in letters for b in letters for c in letters]
    people += ["Customer Support", "The Team", "Hope Rose"]
    redact(["warm"], people)
    began = time.process_time()
    for number in range(100):
        done = redact(
            [f"ask xaboba yedibu of the team at customer support, in hope {number}"], people
        )
    assert done.texts[0] == "ask [NAME_1] of the team at customer support, in hope 99"
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("question", "reply", "kind"),
    [
        ("sure, may I have your name please?", "crystal minh", "NAME"),
        ("Could you give me your account number?", "it's 68318", "ACCOUNT"),
        ("Right, and your PIN as well please.", "9431", "KEY"),
        ("Could you provide your date of birth?", "29/02/1980", "DATE_OF_BIRTH"),
        ("What was your mother's maiden name?", "Sanchez", "NAME"),
        ("and the new address please?", "Rose Cottage 4, Little Snoring", "ADDRESS"),
        ("What is your username?", "moonchild", "USERNAME"),
        ("Could I have your phone?", "sure: 0 4 1 5 5 5 1 2 3 4", "PHONE"),
    ],
)
def test_an_answer_counts_as_what_was_asked_for(question: str, reply: str, kind: str) -> None:
    """A value that nothing else announces is told by the question before it."""
    done = redact([question, reply])
    assert done.texts[0] == question
    assert f"[{kind}_1]" in done.texts[1]


def test_a_vault_restores_and_leaves_the_process_in_no_form() -> None:
    """It gives values back, and can be neither printed, pickled nor copied."""
    texts = ["Jane Doe, jane@example.com", "jane@example.com: 4111 1111 1111 1111"]
    done = redact(texts)
    assert [done.vault.restore(text) for text in done.texts] == texts
    assert repr(done.vault) == "Vault({'CARD': 1, 'EMAIL': 1, 'NAME': 1})"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never stored"):
            leave(done.vault)


def test_placeholders_that_stand_there_are_kept_apart() -> None:
    """A new value gets a number that no text has."""
    done = redact(["[EMAIL_3] and a@example.com"])
    assert done.texts == ("[EMAIL_3] and [EMAIL_4]",)
    assert done.vault.restore(done.texts[0]) == "[EMAIL_3] and a@example.com"


def test_what_was_redacted_stays_as_it_is() -> None:
    """Every form above, together and alone."""
    texts = [text for _, text, _ in SAID]
    for one in (texts, *([text] for text in texts)):
        done = redact(one).texts
        again = redact(done)
        assert (again.texts, dict(again.counts)) == (done, {})


def test_hostile_lengths_take_time_in_proportion() -> None:
    """Long words, signs and blanks do not make it slow: a second is far beyond what they take."""
    began = time.process_time()
    for piece in ("a", "1", "a.", "-", "é", "\n", "1 ", "a@", "A", "( "):
        redact([piece * (4_000 // len(piece))])
    assert time.process_time() - began < 6


def test_a_long_word_of_letters_and_digits_is_a_key() -> None:
    """Whole, however long; around it everything is found as ever."""
    key = "Ab1+" * 200
    done = redact([f"it is {key} for jane@example.com"])
    assert done.texts == ("it is [KEY_1] for [EMAIL_1]",)
    text = f"{'ж' * 300} jane@example.com"
    assert redact([text]).texts == (f"{'ж' * 300} [EMAIL_1]",)


PIECES = st.sampled_from(
    [text for _, text, _ in SAID]
    + ["my name is", "Order", "number", "phone?", "\n", "＠", "[NAME_1]", "at", "dot", "'", "-"]
)
TEXTS = st.lists(
    st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=4).map(" ".join)), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_conversation_is_redacted_once_and_restored(texts: list[str]) -> None:
    """Redacting again changes nothing, and the vault gives back what was there in form C."""
    done = redact(texts)
    assert redact(done.texts).texts == done.texts
    restored = [done.vault.restore(text) for text in done.texts]
    assert restored == [unicodedata.normalize("NFC", text) for text in texts]
