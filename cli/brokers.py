"""Which broker wakes the worker: a Redis that is given, one of our own, or Postgres."""

import contextlib
from collections.abc import Iterator

import redis

from core.broker import EmbeddedRedis, find_redis_server
from core.errors import ConfigurationError, ServiceUnavailableError
from core.settings import Settings

ANSWER_TIMEOUT = 3.0  # seconds for a given Redis to connect and to answer


def given_redis(config: Settings) -> str | None:
    """Return `REDIS_URL` unless `FOOTNOTE_BROKER` says to use Postgres."""
    if config.redis_url is None or config.broker == "postgres":
        return None
    return config.redis_url.get_secret_value()


def has_embedded_redis(config: Settings) -> bool:
    """Whether `up` starts a redis-server of its own."""
    if config.broker == "postgres" or config.redis_url is not None:
        return False
    return find_redis_server() is not None


def redis_version(url: str) -> str:
    """Return a Redis' version. Raises ServiceUnavailableError where it does not answer."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=ANSWER_TIMEOUT, socket_connect_timeout=ANSWER_TIMEOUT
        ) as client:
            return str(client.info("server")["redis_version"])
    except ValueError as error:
        raise ConfigurationError(
            "REDIS_URL is not an address; write redis://host:6379/0, or unset it."
        ) from error
    except redis.RedisError as error:
        raise ServiceUnavailableError(
            f"REDIS_URL does not answer ({type(error).__name__}); check it and that the server"
            " runs, or unset it."
        ) from error


@contextlib.contextmanager
def broker(config: Settings) -> Iterator[str | None]:
    """Give the broker's address: the configured one, an embedded Redis', or None for Postgres.

    Raises ConfigurationError where `FOOTNOTE_BROKER` wants a Redis and there is none.
    """
    url = given_redis(config)
    if url is not None:
        redis_version(url)
        yield url
    elif has_embedded_redis(config):
        server = EmbeddedRedis(config.home)
        try:
            yield server.start()
        finally:
            server.stop()
    elif config.broker == "redis":
        raise ConfigurationError(
            "FOOTNOTE_BROKER wants a Redis and there is none; install redis-server, set"
            " REDIS_URL, or set FOOTNOTE_BROKER=postgres."
        )
    else:
        yield None


def broker_name(config: Settings, url: str | None) -> str:
    """Return what wakes the worker, in words; `url` is what `broker` gave."""
    if given_redis(config) is not None:
        return "Redis at REDIS_URL"
    if url is None:
        return "Postgres (jobs start up to 0.1 s later than with Redis)"
    return "embedded Redis"
