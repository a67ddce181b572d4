"""Celery's wake-ups through Postgres: kombu's transport for SQLAlchemy, polled more often."""

from kombu.transport import sqlalchemy

POLLING_INTERVAL = 0.1  # seconds; kombu's own is one


class Transport(sqlalchemy.Transport):
    """The transport named by `broker_transport`.

    kombu passes all of `broker_transport_options` to SQLAlchemy, so the interval cannot be one
    of them.
    """

    polling_interval = POLLING_INTERVAL
