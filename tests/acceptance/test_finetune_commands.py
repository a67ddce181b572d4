"""Training runs as people start them: commands, a Celery worker, a tuning service."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from store.datasets import DatasetRow, save_dataset
from store.engine import connect
from store.model_registry import list_models
from store.runs import find_run, run_points
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote, Running, wait_until
from tests.fakes.openai import OpenAIServer
from tests.integration.finetune.tuning import BASE, sft_rows

pytestmark = pytest.mark.timeout(180)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="kills by POSIX signals")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A tuning service."""
    with OpenAIServer() as made:
        yield made


@pytest.fixture
def footnote(installed: Footnote, database_url: str, server: OpenAIServer) -> Footnote:
    """The installation with a database of this test's own and the service in its settings."""
    environment = installed.environment | {
        "DATABASE_URL": database_url,
        "OPENAI_API_KEY": server.api_key,
        "OPENAI_BASE_URL": server.url,
        "FOOTNOTE_BROKER": "postgres",
    }
    return Footnote(installed.home, environment)


@pytest.fixture
def own_engine(database_url: str) -> Iterator[Engine]:
    """An engine on that database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def dataset(own_engine: Engine) -> str:
    """The number of a dataset of 60 training rows."""
    manifest = {"rows": 65, "redactions": {"email": 3}, "duplicates": 2}
    with own_engine.begin() as connection:
        workspace_id = ensure_workspace(own_engine)
        kept, _ = save_dataset(
            connection, workspace_id, "tone", "sft", sft_rows(), manifest, "operator"
        )
        return str(kept.id)


@contextmanager
def trainer(footnote: Footnote, name: str, **changes: str) -> Iterator[Running]:
    """Run a worker for the queue `train`."""
    ready = footnote.home / name
    arguments = ("worker", "--queues", "train", "--ready-file", str(ready))
    running = footnote.start(*arguments, **changes)
    try:
        wait_until(lambda: ready.exists() or running.process.poll() is not None)
        assert running.process.poll() is None, running.told
        yield running
    finally:
        running.stop()
        sys.stdout.write(f"{running.told}\n")  # pytest shows it where a test fails


def started(footnote: Footnote, dataset: str, *more: str) -> dict[str, Any]:
    """Start a hosted run and return it."""
    arguments = ("--backend", "hosted", "--dataset", dataset, "--base", BASE, "--json", *more)
    done = footnote.run("finetune", "start", *arguments)
    assert done.code == 0, done.told
    run: dict[str, Any] = done.json()
    return run


@on_posix
def test_a_worker_trains_and_another_goes_on_after_its_death(
    footnote: Footnote, own_engine: Engine, server: OpenAIServer, dataset: str
) -> None:
    """A killed worker's run is followed by the next one: one job there, one candidate here."""
    server.tuning.held_at = 2  # steps
    run = started(footnote, dataset, "--recipe", "price_per_million=2.5")
    with trainer(footnote, "first", FOOTNOTE_JOB_LEASE="3") as first:
        wait_until(lambda: len(run_points(own_engine, run["id"])) == 2)
        os.killpg(first.process.pid, signal.SIGKILL)
        first.join()
    server.tuning.held_at = None
    with trainer(footnote, "second"):
        followed = footnote.run("finetune", "status", str(run["id"]), "--follow")

    assert followed.code == 0, followed.told
    assert "succeeded" in followed.out
    assert len(server.tuning.jobs) == 1
    shown = footnote.run("finetune", "show", str(run["id"]), "--json").json()
    assert (shown["state"], len(shown["points"])) == ("succeeded", 6)
    assert shown["model"] is not None
    assert shown["cost"]["money"] == 0.01
    again = started(footnote, dataset, "--recipe", "price_per_million=2.5")
    assert (again["id"], again["new"]) == (run["id"], False)


def test_without_a_worker_the_command_does_it_and_shows_it(
    footnote: Footnote, server: OpenAIServer, dataset: str, tmp_path: Path
) -> None:
    """`--wait` carries the run out here; show has curve, costs, recipe, dataset and a chart."""
    run = started(footnote, dataset, "--wait", "--name", "style-test")
    assert run["state"] == "succeeded"
    number = str(run["id"])

    shown = footnote.run("finetune", "show", number, "--chart", tmp_path / "loss.svg")
    assert shown.code == 0, shown.told
    assert shown.out.startswith(f"style-test · hosted on {BASE} · 65 examples (3 redactions, 2")
    assert "train █▄▂▂▁▁ 2 → 0.333 (lowest 0.333 at step 6)" in shown.out
    assert "3,000 tokens" in shown.out
    assert (tmp_path / "loss.svg").read_text("utf-8").startswith("<svg")
    listed = footnote.run("finetune", "list")
    assert listed.out.startswith(f"{number}  style-test · hosted · succeeded")
    logs = footnote.run("finetune", "logs", number)
    assert "The job has successfully completed" in logs.out
    ended = footnote.run("finetune", "cancel", number)
    assert "has ended already: succeeded" in ended.out
    assert len(server.tuning.jobs) == 1


def test_what_cannot_be_started_is_told_in_one_line(
    footnote: Footnote, server: OpenAIServer, dataset: str
) -> None:
    """Wrong settings, a closed service, a run that is not there: a sentence and status 1."""
    hosted = ("finetune", "start", "--backend", "hosted", "--dataset", dataset)
    server.fail("fine_tuning", "403")
    told = [
        footnote.run(*hosted, "--base", BASE),
        footnote.run(*hosted, "--base", BASE, "--recipe", "epochs=none"),
        footnote.run(*hosted),
        footnote.run("finetune", "show", "7"),
    ]
    assert [one.code for one in told] == [1] * 4
    for one, words in zip(
        told,
        ("may not create fine-tunes", "epochs must be", "--base", "There is no run 7"),
        strict=True,
    ):
        assert words in one.err
        assert one.err.count("\n") == 1
    assert footnote.run("finetune", "list", "--json").json() == {"runs": []}


def test_a_rule_is_set_tried_and_taken_back(footnote: Footnote) -> None:
    """It is off by default; the dry run says what it would do and why; nothing is started."""
    nothing = footnote.run("finetune", "schedule", "dry-run")
    assert "Nothing is trained by rule" in nothing.out
    rule = ("finetune", "schedule", "set", "style", "--backend", "hosted", "--base", BASE)
    assert "A rule needs to know when" in footnote.run(*rule).err
    made = footnote.run(*rule, "--new-examples", "100", "--every-days", "90")
    assert made.out.startswith(f"style: hosted on {BASE}, 90 days after the last run or with 100")
    due = footnote.run("finetune", "schedule", "dry-run", "--json").json()
    assert [(one["due"], one["why"]) for one in due["rules"]] == [(True, "it was never trained")]
    assert "is off" in footnote.run("finetune", "schedule", "off", "style").out
    assert "style (off)" in footnote.run("finetune", "schedule", "show").out
    assert footnote.run("finetune", "list", "--json").json() == {"runs": []}


ROUTES = {
    "policy": "How many days do I have to return {}?",
    "small_talk": "Thanks so much, {} made my day!",
    "human": "Can I talk to a real person about {}?",
    "out_of_scope": "Who won the football match against {}?",
}
THINGS = (
    "a lamp", "the blue shoes", "my order", "a gift", "the sofa", "two shirts", "a phone",
    "a book", "the camera", "a ticket", "the chair", "a kettle",
)  # fmt: skip


@pytest.fixture
def routes(own_engine: Engine) -> str:
    """The number of a dataset of labelled messages."""
    rows = [
        DatasetRow(
            "validation" if number % 4 == 3 else "train",
            {"text": words.format(thing), "history": [], "label": label, "head": "route"},
            f"{label} {number}",
        )
        for label, words in ROUTES.items()
        for number, thing in enumerate(THINGS)
    ]
    with own_engine.begin() as connection:
        workspace_id = ensure_workspace(own_engine)
        manifest = {"rows": len(rows)}
        kept, _ = save_dataset(
            connection, workspace_id, "routes", "routes", rows, manifest, "operator"
        )
        return str(kept.id)


def ended(engine: Engine, kind: str) -> bool:
    """Whether a job of a kind was done, however it ended."""
    statement = text("SELECT count(*) FROM jobs WHERE kind = :kind AND state = ANY(:ends)")
    with engine.connect() as connection:
        found = connection.execute(statement, {"kind": kind, "ends": ["succeeded", "failed"]})
        return bool(found.scalar_one())


def test_a_worker_trains_a_router_without_any_model_or_service(
    footnote: Footnote, own_engine: Engine, routes: str
) -> None:
    """Labelled messages become a candidate of numbers and no code, which goes to its gate."""
    workspace_id = ensure_workspace(own_engine)
    start = ("finetune", "start", "--backend", "router", "--dataset", routes, "--json")
    with trainer(footnote, "third", OPENAI_API_KEY="", OPENAI_BASE_URL=""):
        started = footnote.run(*start, OPENAI_API_KEY="", OPENAI_BASE_URL="")
        assert started.code == 0, started.told
        number = started.json()["id"]
        wait_until(lambda: find_run(own_engine, workspace_id, number).ended, patience=120)
        wait_until(lambda: ended(own_engine, "gate_model"), patience=120)
    run = find_run(own_engine, workspace_id, number)
    assert (run.state, run.reason) == ("succeeded", None)

    (model,) = list_models(own_engine, workspace_id, "router")
    assert model.run_id == run.id
    assert model.state in ("candidate", "canary", "rejected")
    suffixes = {path.suffix for path in Path(model.artefact).iterdir()}
    assert suffixes == {".npz", ".json"}
