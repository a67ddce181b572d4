"""The Celery tasks of training: thin shells over jobs. What trains is imported when one comes."""

from functools import cache

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import Settings, settings
from core.tasks import celery
from finetune.rules import run_rules_job
from finetune.runs import carry_out
from store.datasets import Dataset, Format
from store.engine import connect
from store.retraining import CHECK_RETRAINING
from store.runs import TRAIN_MODEL
from store.shutdowns import CHECK_SHUTDOWNS

# Seconds. Celery would take 0 for its own limit of minutes; nobody trains for a month.
NO_LIMIT = 30 * 86_400
LONG_SOFT_LIMIT = 3_000  # a dataset of many transcripts is built
LONG_HARD_LIMIT = 3_060

log = logger(__name__)


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=4)


@celery.task(  # type: ignore[untyped-decorator]
    name=TRAIN_MODEL, soft_time_limit=NO_LIMIT, time_limit=NO_LIMIT
)
def train_model(job_id: int) -> None:
    """Carry out a training run; why it failed is kept in its row."""
    try:
        carry_out(_engine(), settings(), job_id, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("model not trained", job=job_id, error=type(error).__name__)


def _build(
    engine: Engine, config: Settings, workspace_id: int, chosen: Format, name: str, actor: str
) -> Dataset:
    from finetune.dataset.build import build_dataset  # noqa: PLC0415 - the embedder, and more

    return build_dataset(engine, config, workspace_id, chosen, name, actor)


@celery.task(  # type: ignore[untyped-decorator]
    name=CHECK_RETRAINING, soft_time_limit=LONG_SOFT_LIMIT, time_limit=LONG_HARD_LIMIT
)
def check_retraining(job_id: int) -> None:
    """Start what is due by the rules of a workspace."""
    try:
        run_rules_job(_engine(), settings(), job_id, _build, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("rules not looked at", job=job_id, error=type(error).__name__)


@celery.task(name=CHECK_SHUTDOWNS)  # type: ignore[untyped-decorator]
def check_shutdowns(job_id: int) -> None:
    """Ask providers when they end a workspace's models."""
    from finetune.shutdowns import run_shutdowns_job  # noqa: PLC0415 - openai's SDK: a second

    try:
        run_shutdowns_job(_engine(), settings(), job_id, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("providers not asked", job=job_id, error=type(error).__name__)
