"""The Celery task of the first pass: a thin shell over its job."""

from functools import cache

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from finetune.curate import run_curation_job
from store.engine import connect
from store.transcripts import CURATE_TRANSCRIPTS

# Seconds: an import of 10,000 exchanges takes some four minutes.
SOFT_LIMIT = 3_000
HARD_LIMIT = 3_060

log = logger(__name__)


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=3)


@celery.task(  # type: ignore[untyped-decorator]
    name=CURATE_TRANSCRIPTS, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT
)
def curate_transcripts(job_id: int) -> None:
    """Read the transcripts that nobody has read; why that failed is kept in the job's row."""
    try:
        run_curation_job(_engine(), job_id, settings().shown_hosts, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("transcripts not read", job=job_id, error=type(error).__name__)
