"""The Celery app's promises: acknowledge late, keep no results, take any broker."""

from collections.abc import Iterator

import pytest

from core.postgres_transport import POLLING_INTERVAL, Transport
from core.tasks import HARD_TIME_LIMIT, VISIBILITY_TIMEOUT, celery, configure_broker


@pytest.fixture
def _restored() -> Iterator[None]:
    conf = celery.conf
    kept = conf.broker_url, conf.broker_transport, conf.broker_transport_options
    yield
    conf.broker_url, conf.broker_transport, conf.broker_transport_options = kept


@pytest.mark.usefixtures("_restored")
def test_redis_is_used_as_it_is() -> None:
    """A Redis address is the broker's, and a message comes back only after its task's limit."""
    app = configure_broker("redis://localhost:6379/0")
    assert app.conf.broker_url == "redis://localhost:6379/0"
    assert app.conf.broker_transport_options == {"visibility_timeout": VISIBILITY_TIMEOUT}
    assert VISIBILITY_TIMEOUT > HARD_TIME_LIMIT


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_postgres_carries_wake_ups_where_no_redis_is(scheme: str) -> None:
    """A Postgres address goes to kombu's transport for SQLAlchemy, which polls often here."""
    app = configure_broker(f"{scheme}://u:p@localhost/x")
    transport = app.connection().transport
    assert isinstance(transport, Transport)
    assert transport.polling_interval == POLLING_INTERVAL
    assert app.connection().hostname == "postgresql://u:p@localhost/x"


def test_a_killed_worker_loses_no_task() -> None:
    """Tasks are acknowledged when done, given back when their process dies, one at a time."""
    conf = celery.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert (conf.worker_prefetch_multiplier, conf.accept_content) == (1, ["json"])
