"""A change of the embedding model: the old space answers until the new one is whole."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Engine, inspect

from ingestion.ingest import Ingester
from ingestion.refresh import cancel_refresh, run_refresh_job, submit_refresh
from retrieval.embeddings import Embedder, Vectors
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.audit import read_audit
from store.jobs import find_job
from store.refresh import begin_space, list_spaces
from store.spaces import RefreshUnderWayError, active_space
from tests.fakes.embedding import embed
from tests.integration.asking import markdown_file

WORDS = "words"
NARROW = "words-narrow"


class Words:
    """Vectors of hashed words; `before` is called ahead of each batch."""

    def __init__(self, model: str, dimensions: int) -> None:
        self.model = model
        self.dimensions = dimensions
        self.texts: list[str] = []
        self.before: list[object] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text."""
        self.texts += texts
        while self.before:
            action = self.before.pop()
            assert callable(action)
            action()
        rows = [embed(text, self.dimensions) for text in texts]
        return np.asarray(rows, dtype=np.float32).reshape(len(texts), self.dimensions)


@pytest.fixture
def models() -> dict[str, Words]:
    """Two models."""
    return {WORDS: Words(WORDS, 64), NARROW: Words(NARROW, 32)}


@pytest.fixture
def shop(engine: Engine, workspace_id: int, models: dict[str, Words]) -> Ingester:
    """A workspace with a hundred short documents in the first model's space."""
    made = Ingester(engine, workspace_id, models[WORDS], lambda name: models[name])
    for number in range(100):
        made.ingest(
            markdown_file(f"rule{number}.md", f"# Rule {number}\n\nShelf {number} is blue.")
        )
    return made


def ask(shop: Ingester, models: dict[str, Words], question: str) -> str:
    """Return the best passage for a question."""
    first: Embedder = models[WORDS]
    retriever = Retriever(shop.engine, shop.workspace_id, first, lambda name: models[name])
    found = retriever.retrieve(question, [], OPERATOR_ACCESS, datetime.now(UTC))
    return found.passages[0].candidate.title


def tables(engine: Engine) -> set[str]:
    """Return the vector tables there are."""
    return {name for name in inspect(engine).get_table_names() if name.startswith("vectors_")}


def test_the_old_space_answers_until_the_new_one_takes_over(
    shop: Ingester, models: dict[str, Words]
) -> None:
    """A turn ends after a batch; the next goes on from there, switches and drops the old one."""
    engine, workspace_id = shop.engine, shop.workspace_id
    job_id = submit_refresh(engine, workspace_id, NARROW, "U1")

    assert run_refresh_job(engine, job_id, lambda name: models[name], turn=0) is None

    old = active_space(engine, workspace_id)
    assert old is not None
    assert old.model == WORDS
    assert [(s.state, s.vectors) for s in list_spaces(engine, workspace_id)] == [
        ("active", 100),
        ("building", 64),
    ]
    paused = find_job(engine, job_id)
    assert paused is not None
    assert (paused.state, paused.attempts, paused.done, paused.total) == ("queued", 0, 64, 100)
    assert ask(shop, models, "Which shelf is rule 70?") == "Rule 70"

    done = run_refresh_job(engine, job_id, lambda name: models[name])

    assert done == {"model": NARROW, "embedded": 100, "dropped": [WORDS]}
    assert len(models[NARROW].texts) == 100
    now = active_space(engine, workspace_id)
    assert now is not None
    assert now.model == NARROW
    assert tables(engine) == {now.table}
    assert ask(shop, models, "Which shelf is rule 70?") == "Rule 70"
    assert read_audit(engine, workspace_id)[0].detail == {"before": WORDS}


def test_what_is_published_meanwhile_is_in_the_new_space(
    shop: Ingester, models: dict[str, Words]
) -> None:
    """A document that comes between two turns, or while the last chunks are embedded, is found."""
    engine, workspace_id = shop.engine, shop.workspace_id
    job_id = submit_refresh(engine, workspace_id, NARROW, "U1")
    run_refresh_job(engine, job_id, lambda name: models[name], turn=0)
    shop.ingest(markdown_file("late.md", "# Late rule\n\nBicycles stand behind the hall."))
    models[NARROW].before = [
        lambda: shop.ingest(markdown_file("later.md", "# Later rule\n\nCanoes lie on the roof."))
    ]

    run_refresh_job(engine, job_id, lambda name: models[name])

    (space,) = list_spaces(engine, workspace_id)
    assert (space.state, space.vectors, space.chunks) == ("active", 102, 102)
    assert ask(shop, models, "Where do bicycles stand?") == "Late rule"
    assert ask(shop, models, "Where do canoes lie?") == "Later rule"


def test_a_file_under_way_at_the_switch_is_embedded_for_the_new_space(
    shop: Ingester, models: dict[str, Words]
) -> None:
    """The switch comes between embedding a file and publishing it; nothing is half there."""
    engine, workspace_id = shop.engine, shop.workspace_id
    job_id = submit_refresh(engine, workspace_id, NARROW, "U1")
    models[WORDS].before = [lambda: run_refresh_job(engine, job_id, lambda name: models[name])]

    report = shop.ingest(markdown_file("mid.md", "# Mid rule\n\nScooters need a lock."))

    assert report.is_new
    (space,) = list_spaces(engine, workspace_id)
    assert (space.space.model, space.vectors, space.chunks) == (NARROW, 101, 101)
    assert ask(shop, models, "Do scooters need a lock?") == "Mid rule"


def test_one_change_at_a_time_and_it_can_be_given_up(
    shop: Ingester, models: dict[str, Words]
) -> None:
    """A second model has to wait; giving up leaves the present space as it was."""
    engine, workspace_id = shop.engine, shop.workspace_id
    job_id = submit_refresh(engine, workspace_id, NARROW, "U1")
    run_refresh_job(engine, job_id, lambda name: models[name], turn=0)

    with pytest.raises(RefreshUnderWayError, match="A change to words-narrow is under way"):
        begin_space(engine, workspace_id, "third", 16)

    assert cancel_refresh(engine, workspace_id) == [NARROW]
    assert run_refresh_job(engine, job_id, lambda name: models[name]) is None
    (space,) = list_spaces(engine, workspace_id)
    assert (space.state, space.vectors) == ("active", 100)
    assert tables(engine) == {space.space.table}
