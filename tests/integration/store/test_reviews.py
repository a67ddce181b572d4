"""Transcripts and what people decide about them, on a real database."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select

from core.errors import NotFoundError
from store import tables
from store.audit import read_audit
from store.curation import FirstPass, count_unread, save_first_pass, unread_transcripts
from store.datasets import DatasetRow, find_dataset, read_rows, save_dataset
from store.privacy import forget_person, kept_about
from store.reviews import (
    ChangedMeanwhileError,
    DecidedError,
    NotReadYetError,
    delete_transcripts,
    edit_transcript,
    label_transcript,
    reopen_transcript,
    review_candidate,
)
from store.transcripts import (
    CURATE_TRANSCRIPTS,
    Finding,
    Imported,
    Said,
    Transcript,
    add_candidate,
    add_imported,
    count_by_state,
    find_transcript,
    list_transcripts,
)

RAW = (Said("asker", "I am Xylophon."), Said("team", "Hello!", canned=True))
REDACTED = (Said("asker", "I am [NAME_1]."), Said("team", "Hello!", canned=True))
FINDING = Finding("policy_fact", "It states a number.")

Keep = Callable[..., Transcript]


@pytest.fixture
def keep(engine: Engine, workspace_id: int) -> Keep:
    """Keep an exchange and, unless told otherwise, let the first pass read it."""

    def kept(key: str = "a1", *, read: bool = True, finding: Finding | None = None) -> Transcript:
        with engine.begin() as connection:
            add_candidate(
                connection,
                workspace_id,
                "shortcut",
                key,
                RAW,
                user_id="UASKER",
                added_by="U9",
                disliked="Xylophon, no.",
                people=["UTEAM"],
            )
        (waiting,) = unread_transcripts(engine, workspace_id, 1)
        if read:
            found = FirstPass(
                REDACTED,
                {"NAME": 2},
                (finding,) if finding else (),
                quarantined=False,
                disliked="[NAME_1], no.",
                language="en",
                quality=0.5,
                signature=b"\x00",
            )
            with engine.begin() as connection:
                assert save_first_pass(connection, waiting, found)
        return find_transcript(engine, workspace_id, waiting.id)

    return kept


def test_what_is_kept_submits_the_first_pass(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """In the same transaction; words that change before it is done are read anew."""
    waiting = keep(read=False)
    assert (waiting.words, waiting.people, waiting.disliked) == ((), ("UTEAM",), "Xylophon, no.")
    with engine.connect() as connection:
        kinds = connection.execute(select(tables.jobs.c.kind)).scalars().all()
    assert kinds == [CURATE_TRANSCRIPTS]
    keep(read=False)  # the same again, while the first pass holds what it read before
    found = FirstPass((), {}, (), False, None, None, 0.0, b"")
    with engine.begin() as connection:
        assert not save_first_pass(connection, waiting, found)
    assert count_unread(engine, workspace_id) == 1


def test_an_approval_leaves_no_word_as_it_came(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """Redacted words stand in every column; who decided is known."""
    read = keep()
    assert read.messages == RAW
    with engine.begin() as connection:
        approved = review_candidate(connection, workspace_id, read.id, "approved", "UADMIN")
    assert (approved.state, approved.reviewed_by) == ("approved", "UADMIN")
    assert approved.messages == approved.words == REDACTED
    with engine.connect() as connection:
        row = connection.execute(select(tables.transcripts)).one()
    assert "Xylophon" not in str(row)
    assert [entry.action for entry in read_audit(engine, workspace_id)] == ["transcript approved"]


def test_nothing_unread_is_approved_or_edited(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """Before the first pass there are no redacted words; it can still be rejected, for good."""
    read = keep(read=False)
    with pytest.raises(NotReadYetError, match="curate"), engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "approved", "U9")
    with pytest.raises(NotReadYetError), engine.begin() as connection:
        edit_transcript(connection, workspace_id, read.id, RAW, {}, "U9")
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "rejected", "U9")
    with pytest.raises(NotReadYetError), engine.begin() as connection:
        reopen_transcript(connection, workspace_id, read.id, "U9")


def test_who_comes_second_is_told_so(engine: Engine, workspace_id: int, keep: Keep) -> None:
    """A change names the revision that its maker saw; an older one changes nothing."""
    read = keep()
    with engine.begin() as connection:
        label_transcript(
            connection, workspace_id, read.id, {"route": "policy"}, "U8", revision=read.revision
        )
    better = (REDACTED[0], Said("team", "Good morning!"))
    with pytest.raises(ChangedMeanwhileError, match="look at it again"), engine.begin() as other:
        edit_transcript(other, workspace_id, read.id, better, {}, "U9", revision=read.revision)
    assert find_transcript(engine, workspace_id, read.id).edited is None


def test_edits_and_labels_are_what_is_learned(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """The edit stands beside the redacted words, a label set to nothing goes."""
    read = keep()
    better = (REDACTED[0], Said("team", "Good morning!"))
    with engine.begin() as connection:
        edit_transcript(connection, workspace_id, read.id, better, {"NAME": 1}, "U9")
        label_transcript(connection, workspace_id, read.id, {"route": "policy"}, "U9")
        now = label_transcript(
            connection, workspace_id, read.id, {"route": None, "tone": ["warm"]}, "U9"
        )
    assert (now.words, now.redacted, now.labels) == (better, REDACTED, {"tone": ["warm"]})
    assert now.redactions == {"NAME": 1}
    assert now.revision == read.revision + 3


def test_reopening_withdraws_what_was_made_of_it(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """Nothing unapproved is trained on: datasets that hold it are withdrawn."""
    read = keep()
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "approved", "U9")
        rows = [DatasetRow("train", {"text": "x"}, "c", read.id)]
        dataset, _ = save_dataset(connection, workspace_id, "d", "routes", rows, {}, "U9")
        again, withdrawn = reopen_transcript(connection, workspace_id, read.id, "U9")
    assert (again.state, again.reviewed_by, withdrawn) == ("candidate", None, [dataset.id])
    assert find_dataset(engine, workspace_id, dataset.id).withdrawn_at is not None
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "rejected", "U9")
    with pytest.raises(DecidedError, match="reopen"), engine.begin() as connection:
        edit_transcript(connection, workspace_id, read.id, REDACTED, {}, "U9")


def test_what_is_deleted_is_gone_from_datasets_too(
    engine: Engine, workspace_id: int, keep: Keep
) -> None:
    """All or none; the rows go with it, and the dataset is withdrawn."""
    read = keep()
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "approved", "U9")
        rows = [DatasetRow("train", {"text": "x"}, "c", read.id)]
        dataset, _ = save_dataset(connection, workspace_id, "d", "routes", rows, {}, "U9")
    with pytest.raises(NotFoundError), engine.begin() as connection:
        delete_transcripts(connection, workspace_id, [read.id, 999_999], "U9")
    with engine.begin() as connection:
        assert delete_transcripts(connection, workspace_id, [read.id] * 2, "U9") == [dataset.id]
    assert read_rows(engine, dataset.id) == []
    assert list_transcripts(engine, workspace_id, None) == []
    assert read_audit(engine, workspace_id)[0].action == "transcript deleted"


def test_lists_are_filtered_and_paged(engine: Engine, workspace_id: int, keep: Keep) -> None:
    """By what was found in them, and in which nothing was; the next page begins behind an id."""
    first, second = keep("a"), keep("b", finding=FINDING)

    def ids(**chosen: object) -> list[int]:
        return [one.id for one in list_transcripts(engine, workspace_id, **chosen)]  # type: ignore[arg-type]

    assert ids(clean=True) == [first.id]
    assert ids(finding="policy_fact") == [second.id]
    assert ids(origin="import") == []
    assert ids(after=first.id, state=None, limit=None) == [second.id]
    assert count_by_state(engine, workspace_id) == {"candidate": 2}
    with pytest.raises(NotFoundError, match="transcripts list"):
        find_transcript(engine, workspace_id + 1, first.id)


def test_the_same_file_again_adds_nothing(engine: Engine, workspace_id: int) -> None:
    """Rows are told apart by their keys; what was kept stays as it is."""
    rows = [Imported("f:1", RAW, {"route": "policy"}), Imported("f:2", RAW)]
    with engine.begin() as connection:
        add = {"audience": ["everyone"], "added_by": "U9"}
        assert add_imported(connection, workspace_id, rows, **add) == 2  # type: ignore[arg-type]
        assert add_imported(connection, workspace_id, rows, **add) == 0  # type: ignore[arg-type]
    first, _ = list_transcripts(engine, workspace_id)
    assert (first.origin, first.origin_key, first.messages) == ("import", "f:1", RAW)
    assert (first.labels, first.audience) == ({"route": "policy"}, ("everyone",))


def test_people_of_a_file_are_forgotten_by_their_ids(engine: Engine, workspace_id: int) -> None:
    """Who asked, and who wrote for the team."""
    rows = [
        Imported("f:1", RAW, user_id="901", people=("7",)),
        Imported("f:2", RAW, user_id="902", people=("7", "8")),
        Imported("f:3", RAW),
    ]
    with engine.begin() as connection:
        add_imported(connection, workspace_id, rows, audience=["everyone"], added_by="U9")
    assert forget_person(engine, workspace_id, "901").counts["candidates"] == 1
    assert forget_person(engine, workspace_id, "8").counts["candidates"] == 1
    (left,) = list_transcripts(engine, workspace_id)
    assert left.origin_key == "f:3"


@pytest.mark.parametrize("person", ["UASKER", "UTEAM"])
def test_a_person_takes_their_examples_along(
    engine: Engine, workspace_id: int, keep: Keep, person: str
) -> None:
    """Whose words it holds, on either side: the row goes, and datasets that held it are marked."""
    read = keep()
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "approved", "UADMIN")
        rows = [DatasetRow("train", {"text": "x"}, "c", read.id)]
        dataset, _ = save_dataset(connection, workspace_id, "d", "routes", rows, {}, "U9")
    (kind,) = kept_about(engine, workspace_id, person).kinds
    assert (kind.name, kind.count) == ("transcripts", 1)
    assert forget_person(engine, workspace_id, person).counts["transcripts"] == 1
    assert list_transcripts(engine, workspace_id, None) == []
    assert find_dataset(engine, workspace_id, dataset.id).withdrawn_at is not None


def test_who_approved_is_forgotten_by_name(engine: Engine, workspace_id: int, keep: Keep) -> None:
    """The example stays; that they approved it does not say who."""
    read = keep()
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, read.id, "approved", "UADMIN")
    forget_person(engine, workspace_id, "UADMIN")
    assert find_transcript(engine, workspace_id, read.id).reviewed_by == "a person"
