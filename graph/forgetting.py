"""Forgetting by age, as a Celery task: a thin shell over a job."""

from functools import cache

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from store.engine import connect
from store.leases import LEASE, run_leased
from store.privacy import FORGET_OLD, forget_old

log = logger(__name__)


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=2)  # one for the lease beside the work


@celery.task(name=FORGET_OLD)  # type: ignore[untyped-decorator]
def forget_old_messages(job_id: int) -> None:
    """Delete what is older than messages are kept."""
    try:
        run_forgetting(_engine(), job_id, settings().keep_messages_days, settings().job_lease)
    except FootnoteError as error:
        log.warning("old messages not forgotten", job=job_id, error=type(error).__name__)


def run_forgetting(engine: Engine, job_id: int, days: int, lease: float = LEASE) -> None:
    """Claim a job and forget what is older than so many days; its result says how much."""
    run_leased(
        engine,
        job_id,
        lambda _job, _owner: dict(forget_old(engine, days)),
        "Forgetting old messages",
        lease=lease,
    )
