"""Files of transcripts as they come: forms, encodings, and what is wrong with a row."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finetune.import_rows import Problem, TranscriptFileError, opened, rows_of
from finetune.labels import LabelError, checked_labels, parse_labels
from store.transcripts import Imported, Said

ASKED, ANSWERED = "May I send it back?", "Of course you may."
EXPECTED = (Said("asker", ASKED), Said("team", ANSWERED))


def read(tmp_path: Path, data: bytes, name: str = "f", **columns: str) -> list[Imported | Problem]:
    """What a file with these bytes holds."""
    path = tmp_path / name
    path.write_bytes(data)
    with opened(path) as stream:
        return list(rows_of(stream, "f", columns))


def lines(*rows: Any) -> bytes:
    """Rows as JSON lines."""
    return "\n".join(json.dumps(row) for row in rows).encode()


PAIR = {"role": "customer", "text": ASKED}, {"role": "agent", "text": ANSWERED}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be nice."},
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "{}"},
        {"role": "assistant", "content": ANSWERED},
    ]
}
TICKET = {
    "ticket": {
        "id": 7,
        "requester_id": 1,
        "created_at": "2026-03-01T10:00:00Z",
        "comments": [
            {"author_id": 1, "body": ASKED, "public": True},
            {"author_id": 2, "body": "He is a nuisance.", "public": False},
            {"author_id": 2, "html_body": "<p>Of course <b>you</b> may.</p>"},
        ],
    }
}
CONVERSATION = {
    "type": "conversation",
    "id": "c9",
    "created_at": 1_772_359_200,
    "source": {"author": {"type": "lead"}, "body": f"<p>{ASKED}</p>"},
    "conversation_parts": {
        "conversation_parts": [
            {"part_type": "note", "author": {"type": "admin"}, "body": "nuisance"},
            {"part_type": "assignment", "author": {"type": "admin"}, "body": None},
            {"part_type": "comment", "author": {"type": "bot"}, "body": "Please wait."},
            {"part_type": "comment", "author": {"type": "admin"}, "body": ANSWERED},
        ]
    },
}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"messages": PAIR}, id="roles and texts"),
        pytest.param(CHAT, id="chat"),
        pytest.param(TICKET, id="ticket"),
        pytest.param(CONVERSATION, id="conversation"),
        pytest.param({"question": ASKED, "answer": ANSWERED}, id="pair"),
        pytest.param({"prompt": ASKED, "completion": ANSWERED}, id="prompt"),
    ],
)
def test_each_form_gives_the_same_exchange(tmp_path: Path, row: Any) -> None:
    """What is internal, of a bot or of the system is left out; markup goes."""
    for data in (
        lines(row),
        b"\xef\xbb\xbf" + lines(row, row),
        gzip.compress(lines(row)),
        json.dumps({"tickets": [row]}).encode(),
        json.dumps([row], indent=2).encode(),
    ):
        found = read(tmp_path, data)
        assert found
        for one in found:
            assert isinstance(one, Imported), one
            assert one.messages == EXPECTED


@pytest.mark.parametrize(
    ("row", "asker", "others"),
    [
        (TICKET, "1", ("2",)),
        (
            {
                "source": {"author": {"type": "user", "id": "u9"}, "body": ASKED},
                "conversation_parts": [
                    {"author": {"type": "admin", "id": 4}, "body": ANSWERED},
                    {"author": {"type": "user", "id": "u9"}, "body": "Thanks!"},
                ],
            },
            "u9",
            ("4",),
        ),
        (
            {
                "messages": [
                    {"role": "customer", "text": ASKED, "user_id": "U1"},
                    {"role": "agent", "text": ANSWERED, "user_id": "U2"},
                ]
            },
            "U1",
            ("U2",),
        ),
        ({"user_id": "someone@example.com", "messages": PAIR}, None, ()),
    ],
)
def test_who_wrote_is_kept_by_their_ids(
    tmp_path: Path, row: Any, asker: str | None, others: tuple[str, ...]
) -> None:
    """So that a person can be forgotten; an address or a name is no id."""
    (one,) = read(tmp_path, lines(row))
    assert isinstance(one, Imported), one
    assert (one.user_id, one.people) == (asker, others)


@pytest.mark.parametrize(
    "data",
    [
        "question,answer\n{a},{b}\n",
        '"Answer";"Question"\n"{b}";"{a}"\n',
        "id\trole\ttext\nx\tcustomer\t{a}\nx\tagent\t{b}\n",
        "ticket_id,author,body\n1,End-User,{a}\n1,Agent,{b}\n",
    ],
)
def test_tables_are_told_by_their_header(tmp_path: Path, data: str) -> None:
    """Pairs in a row, or a message a row; separators are found."""
    (one,) = read(tmp_path, data.format(a=ASKED, b=ANSWERED).encode())
    assert isinstance(one, Imported), one
    assert one.messages == EXPECTED


def test_columns_can_be_named(tmp_path: Path) -> None:
    """Where the header is in another language."""
    data = f"Frage,Antwort\n{ASKED},{ANSWERED}\n".encode()
    (one,) = read(tmp_path, data, question="Frage", answer="Antwort")
    assert isinstance(one, Imported)
    assert one.messages == EXPECTED
    with pytest.raises(TranscriptFileError, match="--column question="):
        read(tmp_path, data)
    with pytest.raises(TranscriptFileError, match="no column Wer; there are: Frage, Antwort"):
        read(tmp_path, data, role="Wer")


def test_ids_times_labels_and_suggestions_are_kept(tmp_path: Path) -> None:
    """A row without an id, or with one that is an address, goes by a hash of its words."""
    said = [PAIR[0], {**PAIR[1], "canned": True}]
    rows = [
        {
            "id": "a-1",
            "messages": said,
            "labels": {"route": "policy", "intent": None},
            "date": "2026-03-01",
        },
        {"id": "me@example.com", "messages": said},
    ]
    first, second = read(tmp_path, lines(*rows))
    assert isinstance(first, Imported)
    assert isinstance(second, Imported)
    assert (first.key, first.labels) == ("f:a-1", {"route": "policy"})
    assert first.messages[1].canned
    assert first.happened_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert second.key.startswith("f:")
    assert "@" not in second.key


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{broken", "no JSON"),
        ("[]", "no object"),
        ('{"text": "Hi"}', "form is not known"),
        (json.dumps({"messages": [PAIR[0]]}), "Only one side speaks; name the other"),
        (json.dumps({"messages": [{"role": "boss", "text": "x"}]}), "write customer or agent"),
        (json.dumps({"messages": [{"role": "agent", "text": 3}]}), "has no text"),
        (json.dumps({"messages": ["Hi"]}), "message 1 is no object"),
        (json.dumps({"messages": []}), "Nobody says anything"),
        (json.dumps({"messages": PAIR, "labels": {"route": "sales"}}), "one of policy"),
        (json.dumps({"messages": PAIR, "date": "soon"}), "write it as 2026-09-01"),
        (json.dumps({"messages": PAIR, "date": "9999-12-31T23:00:00-09:00"}), "date is no date"),
        (json.dumps({"comments": [{"body": "Hi"}]}), "give author_id and requester_id"),
        (json.dumps({"messages": PAIR * 300}), "more than 500 messages"),
    ],
)
def test_a_bad_row_is_named_with_what_mends_it(tmp_path: Path, row: str, reason: str) -> None:
    """The rows around it are read."""
    good = lines({"messages": PAIR})
    first, second, third = read(tmp_path, b"\n".join([good, row.encode(), good]))
    assert isinstance(first, Imported)
    assert isinstance(third, Imported)
    assert isinstance(second, Problem)
    assert second.row == 2
    assert reason in second.reason


def test_what_is_no_file_of_transcripts_is_refused(tmp_path: Path) -> None:
    """In a sentence: archives, bombs, damage, other encodings, disorder."""
    bomb = gzip.compress(b'{"messages": "' + b"a" * 40_000_000 + b'"}', 9)
    assert len(bomb) < 50_000
    for data, reason in (
        (b"PK\x03\x04...", "unpack it first"),
        (bomb, "inflates to far more|longer than"),
        (gzip.compress(lines({"messages": PAIR}))[:-9], "cut off or damaged"),
        ("question,answer\nGrüße,x\n".encode("latin-1"), "save the file as UTF-8"),
        (b"id,role,text\n1,user,a\n2,user,b\n1,agent,c\n", "ended before; sort it"),
        (b'{"a": 1,\n"b":', "neither JSON lines nor"),
    ):
        with pytest.raises(TranscriptFileError, match=reason):
            read(tmp_path, data)
    with pytest.raises(TranscriptFileError, match="cannot be read"), opened(tmp_path / "none"):
        pass


def test_labels_are_checked_and_read_from_words() -> None:
    """A label without a value is taken away; what there is not is named with what there is."""
    read_labels = parse_labels("route=human tone=warm,brief sentiment=")
    assert read_labels == {"route": "human", "tone": ["warm", "brief"], "sentiment": None}
    assert checked_labels({"intent": "card arrival", "urgency": "high"})
    for wrong, reason in (
        ("route=sales", "one of policy, small_talk"),
        ("mood=good", "there are route, sentiment"),
        ("policy", "name=value"),
        ("tone=" + ",".join("abcdefghijk"), "at most 10"),
        ("intent=" + "a" * 41, "up to 40 letters"),
    ):
        with pytest.raises(LabelError, match=reason):
            parse_labels(wrong)
