"""The glossary from suggestion to answer, in a real database and at the terminal."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cli.glossary_files import GlossaryFileError, as_csv, read_pairs
from core.errors import NotFoundError
from graph.graph import Agent
from graph.state import Question
from ingestion.ingest import Ingester
from ingestion.parse import parse
from ingestion.terms import suggest as suggestions
from retrieval.embeddings import Embedder
from retrieval.glossary import REFRESH_EVERY, CurrentGlossary
from retrieval.retriever import Retrieval, Retriever
from store.access import OPERATOR_ACCESS
from store.audit import read_audit
from store.glossary import (
    accept,
    active_pairs,
    add_entries,
    dismiss,
    list_entries,
    remove,
    suggest,
)
from store.workspaces import ensure_workspace
from tests.conftest import markdown

CARE = "# Help in hardship\n\nThe Halvermoor Care Fund (HCF) gives up to €2,000 once a year."
PTO = ("PTO", "paid time off")
ME = "U1"


def states(engine: Engine, workspace_id: int) -> list[tuple[str, str, str]]:
    """The entries as they stand."""
    return [(e.term, e.expansion, e.state) for e in list_entries(engine, workspace_id)]


def test_a_suggestion_waits_for_a_person(engine: Engine, ingester: Ingester) -> None:
    """A document that is published makes it; it expands nothing until it is accepted."""
    workspace_id, file = ingester.workspace_id, markdown("care.md", CARE)
    ingester.ingest(file)
    pairs = suggestions(parse(file.name, file.data))
    assert states(engine, workspace_id) == [("HCF", "Halvermoor Care Fund", "suggested")]
    assert list_entries(engine, workspace_id)[0].document == "care.md"
    assert active_pairs(engine, workspace_id) == []
    accept(engine, workspace_id, "hcf", None, ME)
    assert active_pairs(engine, workspace_id) == pairs
    assert read_audit(engine, workspace_id)[0].action == "glossary entries accepted"


def test_what_is_known_is_not_suggested_again(engine: Engine, ingester: Ingester) -> None:
    """Active stays active and dismissed dismissed, whatever the case; only removing forgets."""
    workspace_id = ingester.workspace_id
    document_id = ingester.ingest(markdown("care.md", "# Care\n\nNobody is ill.")).document_id
    add_entries(engine, workspace_id, [PTO], ME)
    suggest(engine, workspace_id, document_id, [("SLA", "service level agreement")])
    dismiss(engine, workspace_id, "SLA", None, ME)
    again = [("pto", "Paid Time Off"), ("SLA", "Service Level Agreement")]
    assert suggest(engine, workspace_id, document_id, again) == []
    assert suggest(engine, workspace_id, document_id, []) == []
    assert states(engine, workspace_id) == [
        (*PTO, "active"),
        ("SLA", "service level agreement", "dismissed"),
    ]
    remove(engine, workspace_id, "SLA", None, ME)
    assert suggest(engine, workspace_id, document_id, again) == again[1:]


def test_one_meaning_of_several_can_be_named(engine: Engine, workspace_id: int) -> None:
    """Without it, all meanings of the term are meant; what is not there is said to be so."""
    meanings = [("DPA", "data processing agreement"), ("DPA", "data protection authority")]
    add_entries(engine, workspace_id, meanings, ME)
    assert dismiss(engine, workspace_id, "dpa", "Data Protection Authority", ME) == meanings[1:]
    assert active_pairs(engine, workspace_id) == meanings[:1]
    assert accept(engine, workspace_id, "DPA", meanings[1][1], ME) == meanings[1:]
    assert remove(engine, workspace_id, "DPA", None, ME) == meanings
    for change in (accept, dismiss, remove):
        with pytest.raises(NotFoundError, match="DPA"):
            change(engine, workspace_id, "DPA", None, ME)


def test_an_entry_written_otherwise_takes_the_place_of_the_old(
    engine: Engine, workspace_id: int
) -> None:
    """The same words in another case are one entry; the same again changes nothing."""
    current = CurrentGlossary(engine, workspace_id, refresh_every=0)
    pairs = [("it", "Information technology"), ("IT", "information technology")]
    assert add_entries(engine, workspace_id, pairs, ME) == pairs[:1]
    assert len(current.now().expand("it is").added) == 1
    assert add_entries(engine, workspace_id, pairs[1:], ME) == pairs[1:]
    assert add_entries(engine, workspace_id, pairs[1:], ME) == []
    assert active_pairs(engine, workspace_id) == pairs[1:]
    assert current.now().expand("it is").added == ()
    assert len(read_audit(engine, workspace_id)) == 2


def test_workspaces_have_glossaries_of_their_own(engine: Engine, workspace_id: int) -> None:
    """What one adds, removes or asks for is not the other's."""
    other = ensure_workspace(engine, "other")
    add_entries(engine, other, [PTO], ME)
    assert list_entries(engine, workspace_id) == []
    assert CurrentGlossary(engine, workspace_id).now().expand("PTO").added == ()
    with pytest.raises(NotFoundError):
        remove(engine, workspace_id, "PTO", None, ME)


def test_a_change_counts_at_once(engine: Engine, workspace_id: int) -> None:
    """The entries are looked at again after two seconds; until then nothing is asked."""
    current = CurrentGlossary(engine, workspace_id, refresh_every=0)
    resting = CurrentGlossary(engine, workspace_id)
    assert REFRESH_EVERY < 5
    assert resting.now() is resting.now()
    before = current.now()
    assert current.now() is before
    add_entries(engine, workspace_id, [PTO], ME)
    assert [one.words for one in current.now().expand("PTO").added] == ["paid time off"]
    dismiss(engine, workspace_id, "PTO", None, ME)
    assert current.now().expand("PTO").added == ()
    assert resting.now().expand("PTO").added == ()


def test_the_same_entries_may_be_added_by_many_at_once(engine: Engine, workspace_id: int) -> None:
    """Each is there once, and nobody waits for ever."""
    pairs = [(f"QX{n}", f"queue number {n}") for n in range(200)]

    def add(turn: int) -> int:
        return len(add_entries(engine, workspace_id, pairs[::-1] if turn % 2 else pairs, ME))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(8))) == len(pairs)


def found(retriever: Retriever, question: str, earlier: Sequence[str] = ()) -> Retrieval:
    """What is retrieved for a question now."""
    return retriever.retrieve(question, earlier, OPERATOR_ACCESS, datetime.now(UTC))


def test_the_other_wording_finds_the_policy(
    engine: Engine, ingester: Ingester, embedder: Embedder
) -> None:
    """A document that writes one wording is found by the other, either way round."""
    workspace_id = ingester.workspace_id
    ingester.ingest(markdown("toil.md", "# Sundays\n\nHours on a Sunday earn QTO, twice over."))
    ingester.ingest(markdown("fund.md", "# Hardship\n\nThe quiet care fund gives €2,000."))
    ingester.ingest(markdown("quiet.md", "# Rooms\n\nThe quiet room is for time without calls."))
    ingester.ingest(markdown("other.md", "# QC\n\nQuality control asks how much each gets."))
    add_entries(engine, workspace_id, [("QTO", "quiet time off")], ME)
    add_entries(engine, workspace_id, [("QCF", "quiet care fund")], ME)
    retriever = Retriever(engine, workspace_id, embedder)
    for question, document in (
        ("When is quiet time off earned?", "toil.md"),
        ("How much does the QCF give?", "fund.md"),
    ):
        got = found(retriever, question)
        assert got.passages[0].candidate.document_key == document
        assert len(got.expanded) == 1


def test_a_question_without_terms_finds_what_it_found_before(
    policies: Ingester, embedder: Embedder
) -> None:
    """The same passages, sentences and scores, with a glossary and without."""
    engine, workspace_id = policies.engine, policies.workspace_id
    question, earlier = "Can I return a sale item after three weeks?", ["Is it different in May?"]
    without = found(Retriever(engine, workspace_id, embedder), question, earlier)
    add_entries(engine, workspace_id, [("XQ", "sale of items"), ("IT", "in three"), PTO], ME)
    try:
        with_entries = found(Retriever(engine, workspace_id, embedder), question, earlier)
    finally:
        for term in ("XQ", "IT", "PTO"):
            remove(engine, workspace_id, term, None, ME)
    assert with_entries == without


def test_an_answer_s_trace_shows_what_was_added(agent: Agent, policies: Ingester) -> None:
    """The trace names the term and what joined; the kept question stays as it was asked."""
    engine, workspace_id = policies.engine, policies.workspace_id
    add_entries(engine, workspace_id, [("XBD", "extra days of paid time off")], ME)
    try:
        time.sleep(REFRESH_EVERY)
        answer = agent.answer(Question("How many XBD can I buy a year?"))
    finally:
        remove(engine, workspace_id, "XBD", None, ME)
    assert answer.outcome == "answered"
    assert answer.question == "How many XBD can I buy a year?"
    assert answer.trace["expanded"] == [
        {"found": "XBD", "added": "extra days of paid time off", "weight": 1.0}
    ]


FILES = {
    "header.csv": 'term,expansion\nPTO,paid time off\n\nBNPL,"Buy now, pay later"\n',
    "plain.csv": 'PTO,paid time off,,\r\nBNPL,"Buy now, pay later",,\r\n',
    "tabs.txt": "Acronym\tMeaning\nPTO\tpaid time off\nBNPL\tBuy now, pay later\n",
    "semicolons.csv": "term;expansion\nPTO;paid time off\nBNPL;Buy now, pay later\n",
    "object.json": '{"PTO": "paid time off", "BNPL": ["Buy now, pay later"]}',
}
PAIRS = [PTO, ("BNPL", "Buy now, pay later")]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_every_kind_are_read(name: str, encoding: str, tmp_path: Path) -> None:
    """With a header or without, as spreadsheets save them."""
    path = tmp_path / name
    path.write_bytes(FILES[name].encode(encoding))
    assert read_pairs(path) == PAIRS


def test_what_is_exported_can_be_imported(tmp_path: Path) -> None:
    """Commas, quotation marks and signs come back as they were."""
    pairs = [*PAIRS, ("C++", 'a "language"'), ("=R&D", "research; development")]
    path = tmp_path / "glossary.csv"
    path.write_text(as_csv(pairs), "utf-8")
    assert read_pairs(path) == pairs


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", b"PTO,paid time off\nSLA\n", "a.csv, line 2: .*1 column"),
        ("a.csv", b"PTO,paid,time,off\n", "a.csv, line 1: .*4 columns"),
        ("a.csv", b"term,expansion\n\nPTO,\n", "a.csv, line 3: The expansion"),
        ("a.csv", b"PTO,PTO\n", "a.csv, line 1: .*stands for itself"),
        ("a.csv", b"PTO,paid\x00time\n", "a.csv, line 1: .*no text"),
        ("a.csv", b'PTO,"paid" time\n', "a.csv, line 1: this is no CSV; write a quotation mark"),
        ("a.csv", b"PTO,a\nB,\xff\xfe\xfd", "a.csv, line 2: this is no UTF-8"),
        ("a.csv", b"", "a.csv holds no entries"),
        ("a.csv", b"term,expansion\n", "a.csv holds no entries"),
        ("a.csv", b"PTO," + b"x" * 6_000_000, "larger than 5 MiB"),
        ("a.csv", b"PTO," + b"x" * 200_000, "a.csv, line 1: .*keep texts short"),
        ("a.json", b'{"PTO": \n nothing}', "a.json, line 2: this is no JSON"),
        ("a.json", b"[1]", "no JSON object"),
        ("a.json", b'{"PTO": 1}', "at “PTO”: this is no text"),
        ("a.json", b'{"it": "information technology"}', "at “it”: .*nearly every question"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_file_is_refused_at_its_line(
    name: str, data: bytes, told: str, tmp_path: Path
) -> None:
    """One sentence names the file, the line and what to do; nothing of it is taken."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(GlossaryFileError, match=told):
        read_pairs(path)


def test_ten_thousand_entries_are_imported_and_found(
    engine: Engine, workspace_id: int, tmp_path: Path
) -> None:
    """A large glossary is read, kept and used in seconds."""
    path = tmp_path / "large.json"
    path.write_text(json.dumps({f"QX{n}": f"queue of number {n}" for n in range(10_000)}))
    started = time.monotonic()
    assert len(add_entries(engine, workspace_id, read_pairs(path), ME)) == 10_000
    current = CurrentGlossary(engine, workspace_id, refresh_every=0).now()
    assert [one.words for one in current.expand("Who has QX777?").added] == ["queue of number 777"]
    assert time.monotonic() - started < 20
