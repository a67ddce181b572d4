"""`footnote doctor`: every part, whether it works, what it guarantees, how to mend it."""

import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import click
from openai import OpenAI, OpenAIError
from sqlalchemy import text

from bot.status import check_slack
from cli.brokers import given_redis, has_embedded_redis, redis_version
from cli.names import given_names, unknown_names
from cli.runtime import database_url, named_workspace
from cli.show import counted, print_json
from cli.tuning import check_tuning
from core.broker import find_redis_server
from core.errors import FootnoteError
from core.settings import Settings, settings
from retrieval.embeddings import MINILM, MINILM_FLOAT, open_embedder
from store.embedded import EmbeddedPostgres
from store.engine import check_server, connect
from store.privacy import next_forgetting
from store.schema import current_revision, head_revision
from store.sources import Source, list_sources
from store.spaces import active_space

State = Literal["ok", "limited", "none", "error"]
SAMPLE_PASSAGE = "Items bought in a sale can be returned within 14 days of delivery. " * 12
SAMPLE_COUNT = 8
MODEL_TIMEOUT = 5.0  # seconds
LATE = timedelta(minutes=2)  # after a look was due


@dataclass(frozen=True)
class Check:
    """One part: `none` is a choice, `limited` works with less, `error` needs mending."""

    part: str
    state: State
    detail: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check every part and say how to mend what does not work."""
    config = settings()
    checks = []
    for check in run_checks(config):
        checks.append(check)
        if not as_json:
            click.echo(f"{check.part:<12}{check.state:<9}{check.detail}")
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    if any(check.state == "error" for check in checks):
        raise click.exceptions.Exit(1)


def run_checks(config: Settings) -> Iterator[Check]:
    """Run every check; one that fails by a known error says so and the next one runs."""
    parts: tuple[tuple[str, Callable[[Settings], tuple[State, str]]], ...] = (
        ("Python", _python),
        ("Settings", _settings),
        ("Postgres", _postgres),
        ("Broker", _broker),
        ("Sources", _sources),
        ("Messages", _messages),
        ("Embedder", _embedder),
        ("Model", check_model),
        ("Slack", _slack),
        ("Tuning", check_tuning),
    )
    for part, check in parts:
        try:
            state, detail = check(config)
        except FootnoteError as error:
            state, detail = "error", str(error)
        yield Check(part, state, detail)


def _python(config: Settings) -> tuple[State, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    return "ok", f"{version} on {platform.system()} {platform.machine()}; data in {config.home}"


def _settings(_config: Settings) -> tuple[State, str]:
    unknown = unknown_names(given_names())
    if unknown:
        return "limited", " · ".join(unknown)
    return "ok", "every FOOTNOTE_ name that is set is a setting"


def _postgres(config: Settings) -> tuple[State, str]:
    kind = "at DATABASE_URL"
    if config.database_url is None:
        status = EmbeddedPostgres(config.home).describe()
        kind = f"embedded ({'running' if status.running else 'stopped'}, {status.data_folder})"
    with database_url(config) as url:
        engine = connect(url)
        try:
            versions = check_server(engine)
            revision, head = current_revision(engine), head_revision()
            detail = f"{versions['postgres']} {kind}, pgvector {versions['pgvector']}"
            if revision != head:
                return "limited", f"{detail}; tables at {revision}, run python3 run.py migrate"
            with engine.connect() as connection:
                documents, waiting = connection.execute(
                    text(
                        "SELECT (SELECT count(*) FROM documents WHERE deleted_at IS NULL),"
                        " (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running'))"
                    )
                ).one()
            kept, under_way = counted(documents, "document"), counted(waiting, "job")
            return "ok", f"{detail}; {kept}, {under_way} under way"
        finally:
            engine.dispose()


def _broker(config: Settings) -> tuple[State, str]:
    kept = "jobs are kept in Postgres, a lost broker loses none"
    url = given_redis(config)
    if url is not None:
        return "ok", f"Redis {redis_version(url)} at REDIS_URL; {kept}"
    if has_embedded_redis(config):
        return "ok", f"embedded Redis while `up` runs ({find_redis_server()}); {kept}"
    if config.broker == "redis":
        return "error", (
            "FOOTNOTE_BROKER wants a Redis and there is none: install redis-server or set"
            " REDIS_URL."
        )
    more = (
        "unset FOOTNOTE_BROKER"
        if config.broker == "postgres"
        else "install redis-server or set REDIS_URL"
    )
    return "limited", (
        f"sqlalchemy transport on Postgres: {kept}, but they start up to 0.1 s later. For more,"
        f" {more}."
    )


def _sources(config: Settings) -> tuple[State, str]:
    """Say how the watched places fare, and whether anybody looks at them."""
    with database_url(config) as url:
        engine = connect(url)
        try:
            if current_revision(engine) != head_revision():
                return "none", "not known before the tables are there"
            found = list_sources(engine, named_workspace(engine, config.workspace))
        finally:
            engine.dispose()
    if not found:
        return "none", "no place is watched; footnote sources add watches one"
    failing = [source.name for source in found if source.failure]
    if failing:
        return "limited", f"cannot be read: {', '.join(failing)}; sources show says why"
    late = [source.name for source in found if _is_late(source)]
    if late:
        return "limited", (
            f"nobody looked at {', '.join(late)} when it was due; run python3 run.py up, or the"
            " services beat and worker"
        )
    return "ok", f"{counted(len(found), 'source')} watched"


def _messages(config: Settings) -> tuple[State, str]:
    """Say for how long people's words are kept, and whether anybody sees to it."""
    if config.keep_messages_days == 0:
        return "ok", "kept until somebody deletes them; FOOTNOTE_KEEP_MESSAGES_DAYS sets a time"
    kept = f"kept for {counted(config.keep_messages_days, 'day')}"
    with database_url(config) as url:
        engine = connect(url)
        try:
            known = current_revision(engine) == head_revision()
            due = next_forgetting(engine) if known else None
        finally:
            engine.dispose()
    if due is None:
        return "none", f"{kept} once the services beat and worker have run"
    if datetime.now(UTC) - due > LATE:
        return "limited", (
            f"{kept}, but nobody looked for older ones when it was due; run python3 run.py up, or"
            " the services beat and worker"
        )
    return "ok", f"{kept}; people forget deletes what is kept about a person"


def _is_late(source: Source) -> bool:
    due = source.next_at if source.state == "active" else None
    return due is not None and datetime.now(UTC) - due > LATE


def _active_model(config: Settings) -> str | None:
    """Return the model that the documents are embedded with; None before there are any."""
    with database_url(config) as url:
        engine = connect(url)
        try:
            if current_revision(engine) != head_revision():
                return None
            space = active_space(engine, named_workspace(engine, config.workspace))
        finally:
            engine.dispose()
    return space.model if space is not None else None


def _embedder(config: Settings) -> tuple[State, str]:
    embedder = open_embedder(config, _active_model(config), threads=1)
    started = time.perf_counter()
    embedder.embed([SAMPLE_PASSAGE + str(n) for n in range(SAMPLE_COUNT)])
    rate = SAMPLE_COUNT / (time.perf_counter() - started)
    if embedder.model not in (MINILM, MINILM_FLOAT):
        return "ok", f"{embedder.model}, {embedder.dimensions} dimensions; {rate:.0f} passages/s"
    weights = "int8, " if embedder.model == MINILM else ""
    return "ok", (
        f"{embedder.model} {weights}English; {rate:.0f} passages/s here. For other languages name"
        " another model: footnote embeddings refresh --model …"
    )


def check_model(config: Settings) -> tuple[State, str]:
    """Return whether the language model answers, with what it is or how to mend it."""
    if not config.has_model:
        return "none", (
            "answers are extractive. Set OPENAI_API_KEY, or OPENAI_BASE_URL for a local server."
        )
    key = config.openai_api_key
    client = OpenAI(
        api_key=key.get_secret_value() if key else "none",
        base_url=config.openai_base_url,
        timeout=MODEL_TIMEOUT,
        max_retries=0,
    )
    where = config.openai_base_url or "OpenAI"
    try:
        names = {model.id for model in client.models.list().data}
    except OpenAIError as error:
        return "error", (
            f"{where} does not answer ({type(error).__name__}); check OPENAI_API_KEY and"
            " OPENAI_BASE_URL. Until then answers are extractive."
        )
    if not names:
        return "limited", (
            f"{where} lists no models, so {config.openai_model} may be missing; if answers stay"
            " extractive, set OPENAI_MODEL."
        )
    if config.openai_model not in names:
        return "error", f"{where} has no model {config.openai_model}; set OPENAI_MODEL."
    return "ok", f"{config.openai_model} at {where}; every quote is checked all the same"


def _slack(config: Settings) -> tuple[State, str]:
    status = check_slack(config)
    return status.state, status.detail
