"""Datasets on a real database: what was approved and nothing else, the same again, taken back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cli.dataset_lines import validating
from core.settings import Settings
from finetune.curate import curate
from finetune.dataset.build import build_dataset
from finetune.dataset.decontaminate import GateSet, load_gate_set
from finetune.dataset.wanted import DatasetError, Wanted
from finetune.imports import import_file
from finetune.upload import jsonl
from store.audit import read_audit
from store.datasets import Dataset, DatasetRow, Format, find_dataset, read_rows
from store.privacy import forget_person
from store.reviews import reopen_transcript, review_candidate
from store.transcripts import Said, Transcript, list_transcripts
from store.workspaces import ensure_workspace
from tests.integration.finetune.approved import approve, said

THANKS = "Thanks a lot, that helped me very much with the printer."
WELCOME = "You are most welcome, come back whenever the printer sulks again."


@dataclass(frozen=True)
class Team:
    """A workspace of this test's own, where transcripts are approved and datasets built."""

    engine: Engine
    id: int
    config: Settings

    def approve(self, key: str, messages: list[Said], **told: Any) -> Transcript:
        """Keep and approve an exchange."""
        return approve(self.engine, self.id, key, messages, **told)

    def build(
        self, chosen: Format = "sft", gates: Sequence[GateSet] = (), **wishes: Any
    ) -> Dataset:
        """Build a dataset of what is approved."""
        wanted = Wanted(chosen, **wishes)
        return build_dataset(
            self.engine, self.config, self.id, chosen, "first", "U1", wanted=wanted, gates=gates
        )

    def rows(self, dataset: Dataset) -> list[DatasetRow]:
        """Read what is kept of a dataset."""
        return read_rows(self.engine, dataset.id)


@pytest.fixture
def team(engine: Engine, workspace_id: int, plain_settings: Settings) -> Team:
    """The local workspace of this test's database."""
    return Team(engine, workspace_id, plain_settings)


def _talk(number: int) -> list[str]:
    words = "amber basalt cedar dune ember fjord grove heron islet jetty knoll larch".split()
    thing, other = words[number % 12], words[number * 7 % 12]
    return [
        f"Hello, my {thing} screen went dark over by the {other} desk again",
        f"Oh no, that {thing} screen is a diva. Let me look at it with the {other} crew.",
    ]


def test_nothing_unapproved_gets_into_a_dataset(team: Team) -> None:
    """Neither what waits nor what was rejected is in any row."""
    kept = team.approve("a", said(THANKS, WELCOME))
    team.approve("b", said("What is the secret?", "Zanzibar."), decided=False)
    turned_down = team.approve("c", said("Hi", "Go away now."), decided=False)
    with team.engine.begin() as connection:
        review_candidate(connection, team.id, turned_down.id, "rejected", "U1")

    dataset = team.build()

    rows = team.rows(dataset)
    assert [row.transcript_id for row in rows] == [kept.id]
    assert rows[0].content["messages"][1:] == [
        {"role": "user", "content": THANKS},
        {"role": "assistant", "content": WELCOME},
    ]
    assert dataset.manifest["transcripts"]["by_state"] == {
        "approved": 1, "candidate": 1, "rejected": 1
    }  # fmt: skip


def test_the_same_transcripts_are_the_same_dataset(team: Team) -> None:
    """Built again it has the same hash and is one dataset; one more transcript makes another."""
    for number in range(12):
        team.approve(f"t{number}", said(*_talk(number)), day=number)
    first, again = team.build(), team.build()
    assert (again.id, again.sha256) == (first.id, first.sha256)
    assert first.manifest["sha256"] == first.sha256

    team.approve("more", said(THANKS, WELCOME))
    assert team.build().sha256 != first.sha256


def test_the_newest_conversations_validate(team: Team) -> None:
    """A quarter of the rows, none of them older than a row that is trained on."""
    for number in range(12):
        team.approve(f"t{number}", said(*_talk(number)), day=number)
    rows = team.rows(team.build(validation_share=0.25))

    validating = [row.conversation for row in rows if row.split == "validation"]
    assert sorted(validating) == ["import:t10", "import:t11", "import:t9"]


def test_taking_an_approval_back_withdraws_the_dataset(team: Team) -> None:
    """It cannot be trained on until the same words are approved again and it is built anew."""
    kept = team.approve("a", said(THANKS, WELCOME))
    dataset = team.build()
    with team.engine.begin() as connection:
        _, withdrawn = reopen_transcript(connection, team.id, kept.id, "U1")
    assert withdrawn == [dataset.id]
    with pytest.raises(DatasetError, match="No transcript is approved yet, and 1 wait"):
        team.build()
    assert find_dataset(team.engine, team.id, dataset.id).withdrawn_at is not None

    with team.engine.begin() as connection:
        review_candidate(connection, team.id, kept.id, "approved", "U1")
    renewed = team.build()
    assert (renewed.id, renewed.withdrawn_at) == (dataset.id, None)
    assert [row.transcript_id for row in team.rows(dataset)] == [kept.id]


def test_rows_go_with_their_transcript(team: Team) -> None:
    """What was deleted is in no dataset's rows any more."""
    kept = team.approve("a", said(THANKS, WELCOME))
    team.approve("b", said(*_talk(3)))
    dataset = team.build()
    with team.engine.begin() as connection:
        connection.execute(text("DELETE FROM transcripts WHERE id = :id"), {"id": kept.id})
    assert kept.id not in [row.transcript_id for row in team.rows(dataset)]


def test_forgetting_a_person_takes_their_rows_out_of_datasets(team: Team) -> None:
    """The dataset is withdrawn, and what is built of the rest is another one."""
    theirs = team.approve("mine", said(THANKS, WELCOME), origin="shortcut", user_id="U7")
    other = team.approve("b", said(*_talk(3)))
    dataset = team.build()
    assert {row.transcript_id for row in team.rows(dataset)} == {theirs.id, other.id}

    forget_person(team.engine, team.id, "U7", actor="U1")

    assert [row.transcript_id for row in team.rows(dataset)] == [other.id]
    assert find_dataset(team.engine, team.id, dataset.id).withdrawn_at is not None
    rest = team.build()
    assert (rest.id != dataset.id, rest.withdrawn_at) == (True, None)


def test_personal_data_that_was_missed_stops_the_build(team: Team) -> None:
    """The transcript and the kind are named, the value is not; left out on demand, and told."""
    left = "You are welcome, write to rosa.lind@example.com whenever you like."
    bad = team.approve("bad", said(THANKS, left))
    team.approve("good", said(*_talk(1)))
    with pytest.raises(DatasetError, match=rf"Transcript {bad.id} still .* EMAIL") as refused:
        team.build()
    assert "rosa" not in str(refused.value)

    dataset = team.build(skip_bad=True)
    assert "rosa" not in json.dumps([row.content for row in team.rows(dataset)])
    assert dataset.manifest["problems"]["all"] == 1


def test_rows_that_the_gate_asks_about_are_left_out(team: Team, tmp_path: Path) -> None:
    """They are counted under the name of the gate's set."""
    team.approve("a", said(THANKS, WELCOME))
    kept = team.approve("b", said(*_talk(3)))
    asked = {"question": f"Well: {THANKS.upper()}", "history": []}
    (tmp_path / "questions.jsonl").write_text(json.dumps(asked), encoding="utf-8")

    dataset = team.build(gates=[load_gate_set(tmp_path / "questions.jsonl")])

    assert [row.transcript_id for row in team.rows(dataset)] == [kept.id]
    told = dataset.manifest["decontaminated"][0]
    assert (told["set"], told["rows"]) == ("questions.jsonl", 1)


def test_training_holds_nothing_that_validation_asks(team: Team) -> None:
    """The gate measures on a dataset's own validation rows, so they count as a gate's set."""
    shared = "the big grey printer in the hall beside the old lift"
    for number in range(8):
        team.approve(f"t{number}", said(*_talk(number)), day=number)
    old = team.approve("old", said(f"Who moved {shared}?", "Nobody told us, sorry!"), day=1)
    team.approve("new", said(f"Hi! Somebody kicked {shared}, poor thing.", "Ouch!"), day=20)

    dataset = team.build(validation_share=0.1)

    assert [row.conversation for row in team.rows(dataset) if row.split == "validation"] == [
        "import:new"
    ]
    assert old.id not in {row.transcript_id for row in team.rows(dataset)}
    (told,) = dataset.manifest["decontaminated"]
    assert (told["set"], told["by"]) == ("its own validation rows", {"run": 1})


def test_another_dataset_s_validation_rows_can_be_kept_apart(team: Team) -> None:
    """So that what was measured on goes on being asked of models that never saw it."""
    for number in range(8):
        team.approve(f"t{number}", said(*_talk(number)), day=number)
    frozen = team.build(validation_share=0.25)
    asked = {row.conversation for row in team.rows(frozen) if row.split == "validation"}

    gate = validating(team.engine, team.id, frozen.id)
    dataset = team.build(validation_share=0.0, gates=[gate])

    assert gate.name == f"dataset {frozen.id} (first)"
    assert {row.conversation for row in team.rows(dataset)} == {
        f"import:t{number}" for number in range(8)
    } - asked
    assert len(asked) == 2


def test_transcripts_are_chosen_by_label_quality_and_audience(team: Team) -> None:
    """Of a label with several values, one of them is enough."""
    warm = team.approve("warm", said(*_talk(1)), labels={"tone": ["warm", "short"]})
    dull = team.approve("dull", said(*_talk(2)), quality=0.2, labels={"tone": ["dull"]})
    few = team.approve("few", said(*_talk(3)), audience=["channel:C1"])

    def used(**wishes: Any) -> list[int]:
        return list(team.build(**wishes).manifest["transcripts"]["ids"])

    assert used(labels=(("tone", "warm"),)) == [warm.id]
    assert used(min_quality=0.5) == [warm.id, few.id]
    assert used(audience=("everyone",)) == [warm.id, dull.id]
    assert used() == [warm.id, dull.id, few.id]


def test_another_workspace_s_examples_are_its_own(team: Team) -> None:
    """A dataset holds transcripts of its workspace alone."""
    approve(team.engine, ensure_workspace(team.engine, "other"), "a", said(THANKS, WELCOME))
    with pytest.raises(DatasetError, match="No transcript is approved"):
        team.build()


def test_edits_and_dislikes_become_preferences(team: Team) -> None:
    """What a curator wrote is preferred to what stood there; a better answer to the bot's."""
    curt, kind = "Restart it.", "Ah, printers! Give it a restart and it will purr again."
    team.approve("e", said("My printer hums", curt),
            edited=said("My printer hums", kind))  # fmt: skip
    team.approve("f", said("May I return shoes?", "Sure, within 14 days!"),
            origin="feedback", disliked="Within 14 days.")  # fmt: skip
    team.approve("g", said("May I return hats?", "Sure, within 30 days!"),
            origin="feedback", disliked="Within 14 days.")  # fmt: skip

    dataset = team.build("dpo")

    pairs = {
        (row.content["task"], row.content["chosen"], row.content["rejected"])
        for row in team.rows(dataset)
    }
    assert pairs == {
        ("tone", kind, curt),
        ("style", "1. Sure, within 14 days! [1]", "1. Within 14 days. [1]"),
    }
    assert dataset.manifest["left_out"] == {
        "bettered: the better words differ: a number, date or amount changed": 1
    }


def test_labels_become_rows_of_the_router(team: Team) -> None:
    """One for each head; a label that no head knows is refused with the fix."""
    team.approve("a", said("I am so worried about my pay", "We will look."),
            labels={"route": "policy", "sentiment": "worried", "tone": ["kind"]})  # fmt: skip
    rows = team.rows(team.build("routes"))
    assert {(row.content["head"], row.content["label"]) for row in rows} == {
        ("route", "policy"),
        ("sentiment", "worried"),
    }
    wrong = team.approve("b", said("Hi", "Hello there."), labels={"route": "x"})
    with pytest.raises(DatasetError, match=f"Transcript {wrong.id} has the route x; label it"):
        team.build("routes")


IDENTIFIERS = (
    ("rosa.lind@example.com", "mail me at rosa.lind@example.com"),
    ("+44 20 7946 0958", "call +44 20 7946 0958"),
    ("4111 1111 1111 1111", "my card is 4111 1111 1111 1111"),
    ("GB82 WEST 1234 5698 7654 32", "my IBAN is GB82 WEST 1234 5698 7654 32"),
    ("203.0.113.77", "I come from 203.0.113.77"),
    ("sk-proj-9aB3xK7mQ2vT5wY8", "the key is sk-proj-9aB3xK7mQ2vT5wY8"),
    ("U04ABCD1234", "ask <@U04ABCD1234> about it"),
    ("078-05-1120", "my SSN is 078-05-1120"),
    ("ZX-48213-77", "the order number is ZX-48213-77"),
    ("14 Juniper Lane", "I live at 14 Juniper Lane, Bath"),
    ("Oluwaseun", "my name is Oluwaseun Achterberg"),
    ("12 March 1981", "my date of birth is 12 March 1981"),
)


def test_what_a_person_gave_away_is_in_no_dataset(team: Team, tmp_path: Path) -> None:
    """From the file to what a service would be sent: rows, manifest, audit log, upload."""
    file = tmp_path / "talks.jsonl"
    talks = [
        {
            "id": str(number),
            "messages": [
                {"role": "customer", "text": f"{_talk(number)[0]}, {words}."},
                {"role": "agent", "text": _talk(number)[1]},
                {"role": "customer", "text": "Did you get that?"},
                {"role": "agent", "text": f"You said {value}, right?"},
            ],
        }
        for number, (value, words) in enumerate(IDENTIFIERS)
    ]
    file.write_text("\n".join(map(json.dumps, talks)), encoding="utf-8")
    import_file(team.engine, team.id, file, actor="U1")
    curate(team.engine, team.id)
    with team.engine.begin() as connection:
        for one in list_transcripts(team.engine, team.id, None, None):
            review_candidate(connection, team.id, one.id, "approved", "U1")

    dataset = team.build(validation_share=0.2)

    rows = team.rows(dataset)
    told = json.dumps([row.content for row in rows]) + json.dumps(dataset.manifest)
    told += "".join(jsonl(rows, split, "supervised").decode() for split in ("train", "validation"))
    told += str(read_audit(team.engine, team.id))
    assert len(rows) == 12
    assert [value for value, _ in IDENTIFIERS if value in told] == []
    assert sum(dataset.manifest["redactions"].values()) >= len(IDENTIFIERS)
