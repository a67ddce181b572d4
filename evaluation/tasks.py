"""The Celery tasks that measure models: thin shells over jobs. What measures is imported late."""

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import Settings, settings
from core.tasks import celery
from evaluation.canary import run_canary_watch
from finetune.runs import GATE_MODEL
from store.datasets import Dataset, Format
from store.engine import connect
from store.evaluations import EVALUATE_MODELS
from store.model_registry import WATCH_CANARY

if TYPE_CHECKING:
    from retrieval.embeddings import Embedder

# Seconds. A local model on a slow machine takes an hour for its 700 replies.
SOFT_LIMIT = 6 * 3_600
HARD_LIMIT = SOFT_LIMIT + 60

log = logger(__name__)


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=4)


@cache
def _embedder() -> "Embedder":
    from retrieval.embeddings import open_embedder  # noqa: PLC0415 - a worker waits without it

    return open_embedder(settings())


@celery.task(  # type: ignore[untyped-decorator]
    name=GATE_MODEL, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT
)
def gate_model(job_id: int) -> None:
    """Send a model through its gate; what could not be measured is told by its job."""
    from evaluation.gates import run_gate_job  # noqa: PLC0415 - the graph, for who measures

    try:
        run_gate_job(_engine(), settings(), _embedder(), job_id, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("model not gated", job=job_id, error=type(error).__name__)


@celery.task(  # type: ignore[untyped-decorator]
    name=EVALUATE_MODELS, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT
)
def evaluate_models(job_id: int) -> None:
    """Measure the models in use, for the rules of retraining to see them drift."""
    from evaluation.gates import run_evaluation_job  # noqa: PLC0415 - the same

    lease = settings().job_lease
    try:
        run_evaluation_job(_engine(), settings(), _embedder(), job_id, _build, lease)
    except FootnoteError as error:
        log.warning("models not evaluated", job=job_id, error=type(error).__name__)


@celery.task(name=WATCH_CANARY)  # type: ignore[untyped-decorator]
def watch_canary(job_id: int) -> None:
    """Judge a model on trial: a larger share, or the way back."""
    try:
        run_canary_watch(_engine(), job_id, settings().job_lease)
    except FootnoteError as error:
        log.warning("canary not judged", job=job_id, error=type(error).__name__)


def _build(
    engine: Engine, config: Settings, workspace_id: int, chosen: Format, name: str, actor: str
) -> Dataset:
    from finetune.dataset.build import build_dataset  # noqa: PLC0415 - the same

    return build_dataset(engine, config, workspace_id, chosen, name, actor)
