"""The Celery tasks of ingestion: thin shells over jobs."""

from functools import cache

from sqlalchemy import Engine

from core.errors import ConfigurationError, FootnoteError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from ingestion.ingest import Ingester
from ingestion.jobs import INGEST_FILE, run_file_job
from retrieval.embeddings import Embedder, open_embedder
from store.engine import connect
from store.jobs import find_job

log = logger(__name__)


@cache
def _embedder() -> Embedder:
    return open_embedder(settings())


@cache
def _engine() -> Engine:
    """Connect once in each worker process, after the fork."""
    url = settings().database_url
    if url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    return connect(url.get_secret_value(), pool_size=4)


@celery.task(name=INGEST_FILE)  # type: ignore[untyped-decorator]
def ingest_file(job_id: int) -> None:
    """Ingest the file of a job; a refusal is kept in the job's row."""
    job = find_job(_engine(), job_id)
    if job is None:
        return
    try:
        run_file_job(Ingester(_engine(), job.workspace_id, _embedder()), job_id)
    except FootnoteError as error:
        log.warning("file refused", job=job_id, error=type(error).__name__)
