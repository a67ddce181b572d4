"""Watching over what `up` started: services are replaced, a lost server is noticed."""

import time
from collections.abc import Callable

import redis
from sqlalchemy import make_url

from cli.brokers import given_redis
from cli.services import Service
from core.errors import ServiceUnavailableError
from core.settings import Settings
from store.cluster import Cluster
from store.embedded import Postmaster

WATCH_EVERY = 0.5  # seconds between looks
ANSWER_TIMEOUT = 5.0  # seconds; a Redis that takes longer is busy, not gone


class LostServerError(ServiceUnavailableError):
    """An embedded server ended under the services that use it."""


def watch(
    services: list[Service],
    lost: Callable[[], str | None],
    tell: Callable[[str, str, str], None],
    late: Callable[[], Service | None] = lambda: None,
) -> None:
    """Start services again that die, until interrupted; `late` gives one that is needed by now.

    Raises ServiceUnavailableError where one dies too often, LostServerError where `lost` names
    a server: its successor has another address, which services learn only when they start.
    """
    while True:
        time.sleep(WATCH_EVERY)
        name = lost()
        if name is not None:
            raise LostServerError(
                f"The embedded {name} keeps ending; see its log, and free memory and disk."
            )
        needed = late()
        if needed is not None:
            needed.start()
            services.append(needed)
            tell("✓", needed.name, f"started; log: {needed.log}")
        for service in services:
            if service.exit_code is None:
                continue
            tell("✗", f"{service.name} ended", f"starting it again; log: {service.log}")
            if not service.restart():
                raise ServiceUnavailableError(
                    f"The {service.name} keeps ending: {service.last_words()}"
                    f" (its log is {service.log})."
                )


def lost_server(config: Settings, database: str, broker: str | None) -> str | None:
    """Return which embedded server is gone, or None; given servers are waited for instead."""
    if config.database_url is None and not _database_runs(config, database):
        return "database"
    if broker is not None and given_redis(config) is None and not _redis_runs(broker):
        return "broker"
    return None


def _database_runs(config: Settings, url: str) -> bool:
    postmaster = Postmaster.of(Cluster(config.home).data)
    return postmaster is not None and postmaster.port == make_url(url).port and postmaster.alive()


def _redis_runs(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_TIMEOUT) as client:
            client.ping()
    except redis.TimeoutError:
        return True
    except redis.ConnectionError:
        return False
    return True
