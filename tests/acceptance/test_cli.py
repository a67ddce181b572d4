"""The commands as people run them, each in a process of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import COMMANDS
from core.settings import ROOT
from tests.acceptance.processes import COMMAND, Finished, Footnote, installation
from tests.fakes.openai import OpenAIServer

SAMPLES = ROOT / "samples" / "policies"
ROUTES = {"policy", "small_talk", "human", "out_of_scope", "clarify"}
OUTCOMES = {"answered", "refused", "clarifying", "escalated", "error"}
CITATION = {
    "document": str, "title": str, "version": int, "section": str, "page": int | None,
    "start": int, "end": int, "quote": str,
}  # fmt: skip
SALE_QUESTION = "Can I return a sale item after three weeks?"


def asked(footnote: Footnote, question: str, *options: str) -> Any:
    """Ask with --json, and hold what comes to the schema that is promised."""
    done = footnote.run("ask", question, "--json", *options)
    assert done.code == 0, done.told
    answer = done.json()
    assert answer["route"] in ROUTES
    assert answer["outcome"] in OUTCOMES
    assert isinstance(answer["answer"], str)
    for claim in answer["claims"]:
        assert claim["text"]
        for citation in claim["citations"]:
            for name, kind in CITATION.items():
                assert isinstance(citation[name], kind), name
            assert citation["end"] - citation["start"] == len(citation["quote"])
    return answer


# --- help ----------------------------------------------------------------------------------


def test_help_names_every_command_and_leaves_no_trace(tmp_path: Path) -> None:
    """--help works before anything is there, and makes no folder."""
    fresh = Footnote(tmp_path / "home")
    told = fresh.run("--help")

    assert told.code == 0
    assert not [name for name in COMMANDS if f"  {name} " not in told.out]
    assert not fresh.home.exists()


# --- ingest and documents ------------------------------------------------------------------


def test_ingest_tells_a_line_a_file_and_a_sum(first_ingestion: Finished) -> None:
    """Each file's version, title, date and cost are told, then the total."""
    assert first_ingestion.code == 0
    assert (
        "returns-policy.md: version 2 of Returns policy, in force from 2026-09-01"
        in first_ingestion.told
    )
    assert first_ingestion.out.strip() == "11 files: 11 new, 0 unchanged"
    assert first_ingestion.told.count("newly embedded") == 11


def test_ingesting_the_same_again_changes_nothing(library: Footnote) -> None:
    """Every file is told to read the same, in JSON too."""
    done = library.run("ingest", SAMPLES, "--json")

    files = done.json()["files"]
    assert done.code == 0
    assert len(files) == 11
    assert not any(file["new_version"] or file["embedded"] for file in files)


def test_documents_lists_what_is_in_force(library: Footnote) -> None:
    """One version a document, and another one for an earlier day."""
    now = library.run("documents", "--json").json()["documents"]
    then = library.run("documents", "--as-of", "2025-06-01")

    versions = {row["document"]: row["version"] for row in now}
    assert len(now) == len(versions) >= 10
    assert versions["returns-policy"] == 2
    assert "Returns policy" in then.out
    assert "v1, in force since 2025-03-01" in then.out
    assert then.out.endswith("1 document in force\n")


# --- ask -----------------------------------------------------------------------------------


def test_an_answer_reads_as_in_print(library: Footnote) -> None:
    """The answer has marks; each footnote has its place, version, date, words and link."""
    told = library.run("ask", SALE_QUESTION)

    answer, _, notes = told.out.partition("\n\n")
    assert told.code == 0
    assert told.err == ""
    assert "¹" in answer
    assert " 1  Returns policy" in notes
    assert "v2, in force since 2026-09-01" in notes
    assert "“Items bought in a sale can be returned within 14 days of delivery.”" in notes
    assert "/documents/" in notes
    assert "claims verified · trace " in notes


@pytest.fixture(scope="module")
def answer(library: Footnote) -> Any:
    """An answer as JSON."""
    return asked(library, SALE_QUESTION)


def test_ask_in_json_keeps_to_its_schema(answer: Any) -> None:
    """Route, outcome, answer, and claims whose citations have all that is promised."""
    assert (answer["route"], answer["outcome"]) == ("policy", "answered")
    assert "14 days" in answer["claims"][0]["citations"][0]["quote"]
    assert answer["claims"][0]["citations"][0]["title"] == "Returns policy"


def test_a_refusal_is_a_success_of_the_command(library: Footnote) -> None:
    """An honest no is an answer too: exit status 0, and the closest words."""
    answer = asked(library, "Who won the 1998 world cup?")

    assert (answer["route"], answer["outcome"]) == ("out_of_scope", "refused")
    assert answer["claims"] == []


def test_ask_takes_a_day(library: Footnote) -> None:
    """--as-of answers from what was in force at the end of that day."""
    answer = asked(library, "How long can sale items be returned?", "--as-of", "2025-06-01")

    assert "within 7 days" in answer["answer"]


def test_ask_takes_a_history_letter_for_letter(library: Footnote) -> None:
    """JSON on the command line is no path: double slashes and dots in it stay."""
    turns = [
        {"role": "customer", "text": "I bought a lamp in a sale: https://shop.example//lamp"},
        {"role": "agent", "text": "Which ./part of it do you ask about?"},
    ]
    question = "Within how many days of delivery can it be returned?"
    with OpenAIServer(fallback='{"claims": []}') as server:
        library.run(
            "ask",
            question,
            "--history",
            json.dumps(turns),
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY=server.api_key,
        )
        (request,) = server.chats()

    prompt = request["messages"][-1]["content"]
    assert all(json.dumps(turn["text"]) in prompt for turn in turns)


def test_ask_as_somebody_in_a_channel(library: Footnote, tmp_path: Path) -> None:
    """--user and --channel decide what may be said: guests get nothing of a channel's document."""
    policy = tmp_path / "board.md"
    policy.write_text("# Board pay\n\nChairwoman Ashworth is paid €9,321 a year.", "utf-8")
    ingested = library.run("ingest", policy, "--audience", "channel:CBOARD")
    library.run("members", "set", "UGUEST", "--standing", "guest")
    question = "What is the chairwoman paid a year?"

    inside = asked(library, question, "--channel", "CBOARD")
    guest = library.run("ask", question, "--json", "--user", "UGUEST", "--channel", "CBOARD")

    assert ingested.code == 0
    assert "9,321" in inside["answer"]
    assert guest.json()["outcome"] == "refused"
    assert "Ashworth" not in guest.out


def test_a_trace_shows_how_an_answer_came_about(library: Footnote, answer: Any) -> None:
    """Route, timings, checks and candidates, as text and as JSON."""
    text = library.run("trace", answer["id"])
    kept = library.run("trace", answer["id"], "--json").json()

    assert f"question    {SALE_QUESTION}" in text.out
    assert "policy → answered" in text.out
    assert "returns-policy v2" in text.out
    assert kept["claims"] == answer["claims"]
    assert {"candidates", "dropped", "milliseconds", "answerer"} <= kept["trace"].keys()


def test_members_are_set_and_shown(library: Footnote) -> None:
    """What is set is what is shown."""
    principals = ["--principal", "group:S1", "--principal", "channel:C1"]
    role = ["--role", "knowledge_admin"]
    made = library.run("members", "set", "U7", *principals, *role, "--json").json()
    shown = library.run("members", "show", "U7", "--json").json()

    assert made == shown
    assert shown == {
        "user": "U7",
        "standing": "member",
        "principals": ["channel:C1", "group:S1"],
        "roles": ["knowledge_admin"],
    }


# --- doctor --------------------------------------------------------------------------------


def test_doctor_tells_every_part_and_how_to_mend_it(library: Footnote) -> None:
    """A wrong key, a dead Redis and a swapped token are errors; the other parts are told too."""
    with OpenAIServer() as server:
        found = library.run(
            "doctor",
            "--json",
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY="sk-wrong",
            REDIS_URL="redis://127.0.0.1:1/0",
            SLACK_BOT_TOKEN="xapp-1",
            SLACK_APP_TOKEN="xoxb-1",
        )

    checks = {check["part"]: check for check in found.json()["checks"]}
    states = {part: check["state"] for part, check in checks.items()}
    assert found.code == 1
    assert (states["Postgres"], states["Embedder"]) == ("ok", "ok")
    assert [states[part] for part in ("Model", "Broker", "Slack")] == ["error"] * 3
    assert "OPENAI_API_KEY" in checks["Model"]["detail"]
    assert "REDIS_URL" in checks["Broker"]["detail"]
    assert "swapped" in checks["Slack"]["detail"]


def test_doctor_is_content_with_parts_that_are_a_choice(library: Footnote) -> None:
    """No model and no Slack are no errors; Postgres as a broker is told to be the slower one."""
    found = library.run("doctor", FOOTNOTE_BROKER="postgres")

    assert found.code == 0, found.told
    assert "Broker      limited" in found.out
    assert "Model       none" in found.out
    assert "Slack       none" in found.out


# --- eval ----------------------------------------------------------------------------------


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A set of one document and two questions."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pets.md").write_text("# Pets\n\nDogs are let in on Fridays.", "utf-8")
    rows = [
        {"id": "1", "question": "When are dogs let in?", "history": [], "answerable": True,
         "doc": "pets.md", "quote": "Dogs are let in on Fridays."},
        {"id": "2", "question": "What does a visa for Peru cost?", "history": [],
         "answerable": False, "doc": None, "quote": None},
    ]  # fmt: skip
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "questions.jsonl").write_text(text, "utf-8")
    return tmp_path


def test_eval_measures_retrieval_and_answers(library: Footnote, questions: Path) -> None:
    """Both print their figures, as JSON and as text."""
    retrieval = library.run("eval", "retrieval", questions, "--json")
    answers = library.run("eval", "answers", questions)

    assert retrieval.code == answers.code == 0, answers.told
    assert retrieval.json()["passage"]["1"] == {
        "percent": 100.0, "low": 100.0, "high": 100.0, "count": 1,
    }  # fmt: skip
    assert "quotes that verify              100.0" in answers.out


# --- odd terminals -------------------------------------------------------------------------


def test_a_reader_that_leaves_early_is_no_failure_to_report(library: Footnote) -> None:
    """As in `footnote documents | head -0`: no traceback, nothing at all on standard error."""
    with subprocess.Popen(
        [*COMMAND, "documents"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=library.variables(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()

    assert told == b""
    assert process.returncode == 1


def test_a_terminal_without_the_letters_gets_others(library: Footnote, answer: Any) -> None:
    """What cannot be written in the terminal's encoding is replaced; JSON stays readable."""
    environment = library.variables(PYTHONIOENCODING="cp1252")
    text, as_json = (
        subprocess.run(
            [*COMMAND, "trace", answer["id"], *options],
            capture_output=True,
            env=environment,
            check=True,
        ).stdout
        for options in ([], ["--json"])
    )

    assert "policy ? answered" in text.decode("cp1252")
    assert json.loads(as_json.decode("ascii"))["outcome"] == "answered"


# --- without a server ----------------------------------------------------------------------


def test_commands_work_without_up_and_leave_nothing_running(
    embedder_cache: Path, tmp_path: Path
) -> None:
    """The embedded database is started for a command and stopped after it."""
    policy = tmp_path / "pets.md"
    policy.write_text("# Pets\n\nDogs are let in on Fridays.", "utf-8")
    with installation(embedder_cache) as alone:
        ingested = alone.run("ingest", policy)
        answer = asked(alone, "When are dogs let in?")
        left = alone.processes()

    assert ingested.code == 0, ingested.told
    assert "Fridays" in answer["answer"]
    assert left == []
