"""A trained router in the agent: used at once, in its share of conversations, never silently."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from finetune.router_head import train_with
from graph.graph import Agent, open_agent
from graph.mood import mood, trained_judge
from graph.router import Router
from graph.state import Question, TakesOver
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.answers import Answer
from store.datasets import DatasetRow
from store.model_registry import promote_model, register_model, retire_model, start_canary
from store.workspaces import ensure_workspace
from tests.integration.asking import markdown_file

LUNCH = ("pizza", "soup", "salad", "noodles", "curry", "burgers", "pasta", "sushi")
PERKS = ("badge", "parking space", "laptop", "phone", "locker", "desk", "chair", "monitor")
HUNGRY = "Shall we all get tacos for lunch at noon?"


def rows() -> Iterator[DatasetRow]:
    """What colleagues say about lunch is small talk here; the rest are questions."""
    for number, (dish, perk) in enumerate(zip(LUNCH * 2, PERKS * 2, strict=True)):
        again = "really " if number >= len(LUNCH) else ""
        said = (
            ("route", f"Shall we all {again}get {dish} for lunch at noon?", "small_talk"),
            ("route", f"How do I {again}get a new {perk} for my work?", "policy"),
            ("route", f"What is {again}the orbit of the {dish} planet in space?", "out_of_scope"),
            ("sentiment", f"Oh my, the {perk} {again}broke again and now this", "worried"),
            ("sentiment", f"The {perk} {again}came and it shines", "pleased"),
        )
        for part, text, label in said:
            content = {"head": part, "text": text, "history": [], "label": label}
            yield DatasetRow("train", content, f"{label}{number}")


@pytest.fixture(scope="module")
def trained(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a head that was trained on them."""
    folder = tmp_path_factory.mktemp("head")

    class Silent:
        def step(self, step: int, total: int, **figures: float) -> None:
            """Nobody watches."""

        def event(self, message: str, key: str | None = None) -> None:
            """Nobody reads."""

        def remote(self, **ids: object) -> None:
            """There is no provider."""

    train_with(
        embedder, {"waves": 256, "buckets": 512, "threshold": 0.6}, list(rows()), folder, Silent()
    )
    return folder


@pytest.fixture(scope="module")
def router(embedder: Embedder) -> Router:
    """The examples of routes, embedded once."""
    return Router(embedder)


@pytest.fixture
def workspace(shared_engine: Engine, embedder: Embedder, request: pytest.FixtureRequest) -> int:
    """A workspace of the test's own with one document."""
    made = ensure_workspace(shared_engine, request.node.name)
    text = "# Badges\n\nA new badge is asked for at the front desk and costs €12."
    Ingester(shared_engine, made, embedder).ingest(markdown_file("badges.md", text))
    return made


@pytest.fixture
def agent(
    shared_engine: Engine, workspace: int, embedder: Embedder, router: Router
) -> Iterator[Agent]:
    """An agent that was opened before there was any trained router."""
    made = open_agent(load_settings(), shared_engine, workspace, embedder, router)
    yield made
    made.close()


def eventually(ask: Callable[[], Answer], right: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is as it should be: what is in use is read every second."""
    ends = time.monotonic() + 10
    answer = ask()
    while not right(answer) and time.monotonic() < ends:
        time.sleep(0.2)
        answer = ask()
    return answer


def decided_by(answer: Answer) -> str:
    """Who decided the route."""
    return str(answer.trace["router"]["by"])


def test_a_promotion_counts_without_a_restart(
    shared_engine: Engine, workspace: int, agent: Agent, trained: Path
) -> None:
    """Before it the rules route, after it the head does, and after its end the rules again."""
    before = agent.answer(Question(HUNGRY))
    assert (before.route, decided_by(before)) != ("small_talk", "head")
    model = register_model(shared_engine, workspace, "router", "lunch", str(trained))
    promote_model(shared_engine, workspace, model)

    after = eventually(lambda: agent.answer(Question(HUNGRY)), lambda a: decided_by(a) == "head")
    assert (after.route, after.outcome) == ("small_talk", "answered")
    assert after.trace["router"]["model"] == "lunch"
    assert after.trace["router"]["probability"] >= 0.6

    retire_model(shared_engine, workspace, model, "tests")
    ended = eventually(lambda: agent.answer(Question(HUNGRY)), lambda a: decided_by(a) != "head")
    assert ended.trace["router"]["model"] is None


def test_what_a_head_may_not_decide(
    shared_engine: Engine, workspace: int, agent: Agent, trained: Path
) -> None:
    """Who wants a person or is upset gets one, and good evidence speaks against a guess."""
    model = register_model(shared_engine, workspace, "router", "lunch", str(trained))
    promote_model(shared_engine, workspace, model)
    eventually(lambda: agent.answer(Question(HUNGRY)), lambda a: decided_by(a) == "head")

    person = agent.answer(Question("Shall we get lunch? No, I want to talk to a human"))
    assert (person.route, decided_by(person)) == ("human", "phrases")
    people = TakesOver("#leads")
    upset = agent.answer(
        Question("Shall we all get soup for lunch at noon?! You are useless!!", takes_over=people)
    )
    assert (upset.outcome, upset.trace["handed_over"]) == ("escalated", "upset")
    assert decided_by(upset) != "head"
    known = agent.answer(Question("How do I get a new badge for my work?"))
    assert (known.route, known.outcome) == ("policy", "answered")
    foreign = agent.answer(Question("What is the orbit of the soup planet in space?"))
    assert (foreign.route, foreign.outcome) == ("out_of_scope", "refused")


def test_where_a_head_is_not_sure_the_rules_route(
    shared_engine: Engine, workspace: int, agent: Agent, trained: Path, tmp_path: Path
) -> None:
    """Below its threshold it is only named in the trace."""
    folder = tmp_path / "careful"
    shutil.copytree(trained, folder)
    card = json.loads((folder / "card.json").read_text())
    for part in card["parts"].values():
        part["threshold"] = 1.0
    (folder / "card.json").write_text(json.dumps(card))
    model = register_model(shared_engine, workspace, "router", "careful", str(folder))
    promote_model(shared_engine, workspace, model)

    said = eventually(
        lambda: agent.answer(Question(HUNGRY)), lambda a: a.trace["router"]["model"] == "careful"
    )
    assert decided_by(said) == "examples"
    assert "sure of small_talk" in said.trace["router"]["note"]


def test_a_canary_answers_its_share_of_conversations(
    shared_engine: Engine, workspace: int, agent: Agent, trained: Path
) -> None:
    """Each conversation stays with who answered it, and about a quarter are the canary's."""
    model = register_model(shared_engine, workspace, "router", "trial", str(trained))
    start_canary(shared_engine, workspace, model, 25, "tests")
    heads = agent._tools.router.heads
    assert heads is not None
    time.sleep(1.1)
    drawn = [f"C1:{number}" for number in range(200)]
    served = [heads.serving(key)[0] is not None for key in drawn]
    assert 0.15 < sum(served) / len(drawn) < 0.36
    assert [heads.serving(key)[0] is not None for key in drawn] == served
    assert heads.serving(None) == (None, None)
    inside = drawn[served.index(True)]
    assert decided_by(agent.answer(Question(HUNGRY, conversation=inside))) == "head"
    outside = drawn[served.index(False)]
    assert decided_by(agent.answer(Question(HUNGRY, conversation=outside))) != "head"


def test_a_head_that_is_gone_is_told_in_the_trace(
    shared_engine: Engine,
    workspace: int,
    agent: Agent,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rules route, every trace says why, and the log says it once."""
    folder = tmp_path / "gone"
    shutil.copytree(trained, folder)
    (folder / "numbers.npz").unlink()
    model = register_model(shared_engine, workspace, "router", "gone", str(folder))
    promote_model(shared_engine, workspace, model)

    said = eventually(
        lambda: agent.answer(Question("Thanks a lot!")),
        lambda a: a.trace["router"]["note"] is not None,
    )
    assert (said.route, decided_by(said)) == ("small_talk", "phrases")
    assert "gone: not used, its folder" in said.trace["router"]["note"]
    agent.answer(Question("Thanks!"))
    assert capsys.readouterr().out.count("model not used") == 1


def test_a_trained_judge_hears_how_an_asker_sounds(
    shared_engine: Engine, workspace: int, agent: Agent, trained: Path
) -> None:
    """What the rules take as neutral is judged by the head in use."""
    said = "The laptop came and it shines"
    heads = agent._tools.router.heads
    assert trained_judge(heads, None) is None
    model = register_model(shared_engine, workspace, "router", "lunch", str(trained))
    promote_model(shared_engine, workspace, model)
    time.sleep(1.1)

    assert mood(said).sentiment == "neutral"
    heard = mood(said, head=trained_judge(heads, None))
    assert (heard.sentiment, heard.by) == ("pleased", "head")
