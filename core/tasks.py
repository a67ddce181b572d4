"""The Celery app. Tasks stand beside their domain; the worker's command imports them."""

from celery import Celery

QUEUE_NAMES = ("ingest", "embed", "default", "train")
VISIBILITY_TIMEOUT = 3600  # seconds; leases in Postgres, not the broker, notice a lost job
SOFT_TIME_LIMIT = 240  # seconds for a task
HARD_TIME_LIMIT = 300

celery = Celery("footnote")
celery.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue="default",
    task_soft_time_limit=SOFT_TIME_LIMIT,
    task_time_limit=HARD_TIME_LIMIT,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT},
)


def configure_broker(url: str) -> Celery:
    """Point the app at a broker and return it.

    `redis://…` is used as it is; a PostgreSQL address becomes kombu's sqlalchemy transport,
    which polls every 0.1 s and needs no other server.
    """
    if url.startswith("postgresql"):
        # kombu takes what stands before a + for a transport of its own.
        url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        celery.conf.broker_transport = "core.postgres_transport:Transport"
        celery.conf.broker_transport_options = {"pool_pre_ping": True, "pool_size": 2}
    celery.conf.broker_url = url
    return celery
