"""`footnote up`: everything on this machine, until Ctrl-C."""

import contextlib
import itertools
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
from filelock import FileLock, Timeout
from sqlalchemy import text

from bot.status import check_slack
from cli.brokers import broker, broker_name
from cli.ingest import find_files, ingest_files
from cli.local_voice import LocalVoice
from cli.runtime import PARENT_VARIABLE, Runtime, database_url, parent_value
from cli.services import Service, stop_all
from cli.watch import LostServerError, lost_server, watch
from core.errors import FootnoteError, ServiceUnavailableError
from core.listening import listen
from core.settings import ROOT, Settings, settings
from store.engine import check_server, connect
from store.schema import migrate

SAMPLES = ROOT / "samples" / "policies"
READY_TIMEOUT = 60.0  # seconds for the page and the worker to answer
LOOK_EVERY = 0.05  # seconds while waiting
WORKER_PROCESSES = "2"  # a site being read must not keep an upload waiting
MAX_LOSSES = 3  # of embedded servers, after which something is wrong with the machine
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))


class AlreadyRunningError(FootnoteError):
    """Another `up` runs for this home."""


@click.command()
@click.option("--samples/--no-samples", default=True, help="Index the sample policies at first.")
def up(samples: bool) -> None:
    """Start database, worker, page and Slack on this machine; Ctrl-C stops them all."""
    config = settings()
    with only_one(config.home, config.page_url), contextlib.suppress(KeyboardInterrupt):
        listen("127.0.0.1", config.port).close()  # a taken port is told before anything starts
        serve(config, samples=samples)
    click.echo("\nStopped.")


def serve(config: Settings, *, samples: bool) -> None:
    """Run everything until interrupted, and anew where an embedded server was lost."""
    handlers = {number: signal.getsignal(number) for number in INTERRUPTS}
    for loss in itertools.count(1):
        try:
            with database_url(config) as url, broker(config) as redis:
                run(config, url, redis, samples=samples)
        except LostServerError:
            if loss > MAX_LOSSES:
                raise
            line("✗", "an embedded server ended", "starting everything again")
            for number, handler in handlers.items():
                signal.signal(number, handler)


def line(symbol: str, what: str, detail: str = "") -> None:
    """Print one line of the report at once, also into a pipe."""
    click.echo(f"  {symbol} {what:<38} {detail}".rstrip())
    sys.stdout.flush()


@contextlib.contextmanager
def only_one(home: Path, page_url: str) -> Iterator[None]:
    """Hold the home for this `up`. Raises AlreadyRunningError, naming the one that runs."""
    folder = home / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "up.lock").touch()
    except OSError as error:
        raise ServiceUnavailableError(
            f"{home} cannot be written ({error.strerror}); set FOOTNOTE_HOME to a folder of yours."
        ) from error
    record = folder / "up.json"
    lock = FileLock(folder / "up.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise AlreadyRunningError(
            f"Footnote is already running {_told(record)}; press Ctrl-C in its terminal to stop"
            " it."
        ) from error
    try:
        record.write_text(json.dumps({"pid": os.getpid(), "page": page_url}))
        yield
    finally:
        record.unlink(missing_ok=True)
        lock.release()


def _told(record: Path) -> str:
    """Return where another `up` serves, as far as it has written that down."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return f"at {known['page']} (process {known['pid']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "for this FOOTNOTE_HOME"


def run(config: Settings, url: str, redis: str | None, *, samples: bool) -> None:
    """Start the services, report, and watch over them until interrupted."""
    engine = connect(url)
    services: list[Service] = []
    try:
        migrate(engine)
        runtime = Runtime(config, engine)
        report_database(runtime)
        services += [make_service(name, config, url, redis) for name in ("worker", "beat")]
        for service in services:
            service.start()
        _ = runtime.embedder  # builds the model's graph before others want it
        services += [make_service("web", config, url, redis)]
        services[-1].start()
        if samples:
            index_samples(runtime)
        wait_until_ready(config, services)
        line("✓", "worker · scheduler · page", f"broker: {broker_name(config, redis)}")
        services += [make_service("trainer", config, url, redis)]  # nobody waits for it
        services[-1].start()
        services += connect_slack(config, url, redis)
        report_model(config)
        next_steps(config, samples=samples)
        voice = LocalVoice(
            engine, runtime.workspace_id, lambda: make_service("serve", config, url, redis)
        )
        watch(services, lambda: lost_server(config, url, redis), line, voice.due)
    finally:
        ignore_interrupts()  # half of what follows would leave processes behind
        stop_all(services)
        engine.dispose()


def ignore_interrupts() -> None:
    """Let an impatient second Ctrl-C change nothing."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def make_service(name: str, config: Settings, url: str, redis: str | None) -> Service:
    """Return a service that finds the database, the broker and its parent."""
    environment = {"DATABASE_URL": url, PARENT_VARIABLE: parent_value()}
    environment |= {"FOOTNOTE_HOME": str(config.home), "FOOTNOTE_PORT": str(config.port)}
    if redis is not None:
        environment["REDIS_URL"] = redis
    ready = ready_file(config, name)
    arguments: tuple[str, ...] = ("--ready-file", str(ready))
    if name == "web":
        arguments = ()
    if name == "serve":  # where it listens is in the registry
        arguments = ("--port", "0")
    command = None
    if name == "worker":
        arguments += ("--concurrency", WORKER_PROCESSES)
    if name == "trainer":  # hours of training must not keep uploads waiting
        command = "worker"
        arguments += ("--queues", "train")
    ready.unlink(missing_ok=True)
    log = config.home / "logs" / f"{name}.log"
    return Service(name, arguments, log, environment, command)


def ready_file(config: Settings, name: str) -> Path:
    """Return the file a service writes once it takes work."""
    return config.home / "run" / f"{name}.ready"


def report_database(runtime: Runtime) -> None:
    """Print what database is used."""
    versions = check_server(runtime.engine)
    where = (
        f"embedded, data in {runtime.settings.home}"
        if runtime.settings.database_url is None
        else "at DATABASE_URL"
    )
    line("✓", f"Postgres {versions['postgres']} + pgvector {versions['pgvector']}", where)


def index_samples(runtime: Runtime) -> None:
    """Index the sample policies where no document was ever added."""
    with runtime.engine.connect() as connection:
        present = connection.execute(
            text("SELECT EXISTS (SELECT FROM documents WHERE workspace_id = :id)"),
            {"id": runtime.workspace_id},
        ).scalar_one()
    if present:
        return
    started = time.monotonic()
    # Older revisions lie in folders below and come first.
    files = sorted(find_files([SAMPLES]), key=lambda found: (-found[1].count("/"), found[1]))
    outcomes = ingest_files(runtime, files, None, lines=False)
    good = [outcome for outcome in outcomes if "error" not in outcome]
    passages = sum(outcome["chunks"] for outcome in good)
    documents = len({outcome["document"] for outcome in good})
    line(
        "✓",
        f"{documents} sample policies indexed",
        f"{passages} passages, {time.monotonic() - started:.0f} s",
    )


def wait_until_ready(config: Settings, services: list[Service]) -> None:
    """Return when the page and the worker answer; raise saying which does not."""
    waiting = list(services)
    deadline = time.monotonic() + READY_TIMEOUT
    while waiting:
        for service in list(waiting):
            if service.exit_code is not None:
                raise ServiceUnavailableError(
                    f"The {service.name} could not start: {service.last_words()}"
                    f" (its log is {service.log})."
                )
            if is_ready(config, service):
                waiting.remove(service)
        if time.monotonic() > deadline:
            names = ", ".join(service.name for service in waiting)
            raise ServiceUnavailableError(
                f"Not ready after {READY_TIMEOUT:.0f} s: {names}; see {waiting[0].log}."
            )
        time.sleep(LOOK_EVERY)


def is_ready(config: Settings, service: Service) -> bool:
    """Whether a service takes work."""
    if service.name != "web":
        return ready_file(config, service.name).exists()
    try:
        url = f"http://127.0.0.1:{config.port}/health"
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def connect_slack(config: Settings, url: str, redis: str | None) -> list[Service]:
    """Start the bot if both tokens work; say why not otherwise."""
    status = check_slack(config)
    if status.state == "none":
        line("○", "Slack not connected", "set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (see README)")
        return []
    if status.state == "error":
        line("✗", "Slack not connected", status.detail)
        return []
    service = make_service("bot", config, url, redis)
    service.start()
    line("✓" if status.state == "ok" else "!", "Slack", status.detail)
    return [service]


def report_model(config: Settings) -> None:
    """Print which model answers, or what to set."""
    if config.has_model:
        where = config.openai_base_url or "OpenAI"
        line("✓", f"language model {config.openai_model}", f"at {where}")
    else:
        detail = "answers are quoted, not written; set OPENAI_API_KEY or OPENAI_BASE_URL"
        line("○", "no language model", detail)


def next_steps(config: Settings, *, samples: bool) -> None:
    """Print where to ask and what to do next; the question to try is one for the samples."""
    question = '"Can I return a sale item after three weeks?"' if samples else '"YOUR QUESTION"'
    click.echo(
        f"\n  Ask at      {config.page_url}\n"
        f"  Try         python3 run.py ask {question}\n"
        "  Yours       python3 run.py ingest PATH\n"
        "  Check       python3 run.py doctor\n\n"
        "  Ctrl-C stops everything."
    )
    sys.stdout.flush()
