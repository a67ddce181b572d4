"""What datasets are built from: held while one is kept, and in which conversation it was said."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text

from store.conversations import Turn, add_turn, ensure_conversation
from store.datasets import DatasetRow, find_dataset, renew_dataset, save_dataset
from store.examples import changed_since, conversations_of, known_answers
from store.reviews import label_transcript, reopen_transcript
from tests.integration.finetune.approved import approve, said
from tests.integration.store.answers import WORDS, kept_answer
from tests.integration.store.shelf import Shelf


def test_what_changed_since_it_was_read_is_told(shelf: Shelf) -> None:
    """Another revision, another state, and what is gone."""
    place = (shelf.engine, shelf.workspace_id)
    kept, labelled, reopened, deleted = (
        approve(*place, key, said("Hello there", f"Good day, {key}.")) for key in "abcd"
    )
    with shelf.engine.begin() as connection:
        label_transcript(connection, shelf.workspace_id, labelled.id, {"route": "policy"}, "U1")
        reopen_transcript(connection, shelf.workspace_id, reopened.id, "U1")
        connection.execute(text("DELETE FROM transcripts WHERE id = :id"), {"id": deleted.id})
    read = {one.id: one.revision for one in (kept, labelled, reopened, deleted)}

    with shelf.engine.begin() as connection:
        changed = changed_since(connection, shelf.workspace_id, read)

    assert changed == [labelled.id, reopened.id, deleted.id]


def test_nobody_takes_an_approval_back_while_a_dataset_is_kept(shelf: Shelf) -> None:
    """Whoever does waits, and withdraws what was kept in the meantime."""
    one = approve(shelf.engine, shelf.workspace_id, "a", said("Hello there", "Good day."))

    def reopen() -> list[int]:
        with shelf.engine.begin() as connection:
            return reopen_transcript(connection, shelf.workspace_id, one.id, "U1")[1]

    with ThreadPoolExecutor(1) as pool:
        with shelf.engine.begin() as connection:
            assert changed_since(connection, shelf.workspace_id, {one.id: one.revision}) == []
            reopening = pool.submit(reopen)
            dataset, _ = save_dataset(
                connection, shelf.workspace_id, "d", "sft", [_row(one.id)], {}, "U1"
            )
        assert reopening.result(timeout=30) == [dataset.id]
    assert find_dataset(shelf.engine, shelf.workspace_id, dataset.id).withdrawn_at is not None


def test_a_renewed_dataset_holds_the_same_rows(shelf: Shelf) -> None:
    """Rows that are not its own are refused: it stays what its hash says."""
    one = approve(shelf.engine, shelf.workspace_id, "a", said("Hello there", "Good day."))
    with shelf.engine.begin() as connection:
        made, _ = save_dataset(
            connection, shelf.workspace_id, "d", "sft", [_row(one.id)], {}, "U1"
        )
        renewed = renew_dataset(connection, made, [_row(one.id)], {"rows": 1}, "U1")
        with pytest.raises(ValueError, match="other rows"):
            renew_dataset(connection, made, [], {}, "U1")

    assert (renewed.id, renewed.manifest) == (made.id, {"rows": 1})


def test_answers_are_found_with_their_conversation(shelf: Shelf) -> None:
    """Those that were forgotten are left out."""
    conversation = ensure_conversation(shelf.engine, shelf.workspace_id, "T:C1:1")
    with shelf.engine.begin() as connection:
        turn = _turn(connection, conversation)
    spoken, alone = kept_answer(shelf, turn_id=turn), kept_answer(shelf)
    wanted = [spoken.id, alone.id, "forgotten"]

    places = conversations_of(shelf.engine, shelf.workspace_id, wanted)
    answers = known_answers(shelf.engine, shelf.workspace_id, wanted)

    assert places == {spoken.id: conversation}
    assert set(answers) == {spoken.id, alone.id}
    assert [one.quote for one in answers[alone.id].citations] == [WORDS]


def _row(transcript_id: int) -> DatasetRow:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    return DatasetRow("train", {"messages": messages, "task": "tone"}, "c", transcript_id)


def _turn(connection: Connection, conversation: int) -> int:
    return add_turn(connection, conversation, Turn("asker", "May I?"))
