"""The Celery task that rechecks answers: a thin shell over its job."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from graph.recheck import AskAgain, run_recheck_job
from retrieval.embeddings import Embedder, open_embedder
from store.engine import connect
from store.rechecks import RECHECK_ANSWERS

if TYPE_CHECKING:
    from graph.graph import Agent

AGENTS = 4  # workspaces whose agents are kept in memory

log = logger(__name__)


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=2)


@cache
def _embedder() -> Embedder:
    return open_embedder(settings())


@lru_cache(maxsize=AGENTS)
def _agent(workspace_id: int) -> "Agent":
    """Compose a workspace's agent when a question is asked again: most rechecks need none."""
    from graph.graph import open_agent  # noqa: PLC0415 - a second, and memory

    return open_agent(settings(), _engine(), workspace_id, _embedder())


def _ask_again(workspace_id: int) -> AskAgain:
    return _agent(workspace_id).ask_again


@celery.task(name=RECHECK_ANSWERS)  # type: ignore[untyped-decorator]
def recheck_answers(job_id: int) -> None:
    """Recheck a workspace's answers; one that failed is due again at the next turn."""
    try:
        run_recheck_job(_engine(), job_id, _ask_again, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("answers not rechecked", job=job_id, error=type(error).__name__)
