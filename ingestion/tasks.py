"""The Celery tasks of ingestion: thin shells over jobs."""

from functools import cache

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from ingestion.ingest import Ingester
from ingestion.jobs import INGEST_FILE, run_file_job
from ingestion.places import scanner_of
from ingestion.refresh import REFRESH_EMBEDDINGS, run_refresh_job
from ingestion.watch import run_sync_job
from retrieval.embeddings import Embedder, Embedders, open_embedder
from store.engine import connect
from store.jobs import find_job
from store.sources import SYNC_SOURCE

# Seconds: a site is read politely, some two pages each; an index over a million vectors is built.
LONG_SOFT_LIMIT = 3_000
LONG_HARD_LIMIT = 3_060

log = logger(__name__)


@cache
def _embedder() -> Embedder:
    return open_embedder(settings())


@cache
def _embedders() -> Embedders:
    return Embedders(settings(), _embedder())


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=4)


def _ingester(workspace_id: int) -> Ingester:
    return Ingester(_engine(), workspace_id, _embedder(), _embedders().named)


@celery.task(name=INGEST_FILE)  # type: ignore[untyped-decorator]
def ingest_file(job_id: int) -> None:
    """Ingest the file of a job; a refusal is kept in the job's row."""
    job = find_job(_engine(), job_id)
    if job is None:
        return
    try:
        run_file_job(_ingester(job.workspace_id), job_id, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("file refused", job=job_id, error=type(error).__name__)


@celery.task(  # type: ignore[untyped-decorator]
    name=SYNC_SOURCE, soft_time_limit=LONG_SOFT_LIMIT, time_limit=LONG_HARD_LIMIT
)
def sync_source(job_id: int) -> None:
    """Look at a source; why that failed is kept in the job's row and the source's."""
    try:
        run_sync_job(
            _engine(),
            job_id,
            lambda source: scanner_of(source, settings()),
            lease=settings().job_lease,
        )
    except FootnoteError as error:
        log.warning("source not read", job=job_id, error=type(error).__name__)


@celery.task(  # type: ignore[untyped-decorator]
    name=REFRESH_EMBEDDINGS, soft_time_limit=LONG_SOFT_LIMIT, time_limit=LONG_HARD_LIMIT
)
def refresh_embeddings(job_id: int) -> None:
    """Take a turn at embedding all chunks with another model."""
    try:
        run_refresh_job(_engine(), job_id, _embedders().named, lease=settings().job_lease)
    except FootnoteError as error:
        log.warning("embeddings not refreshed", job=job_id, error=type(error).__name__)
