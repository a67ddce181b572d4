"""`footnote bot`: connects to Slack, over Socket Mode or HTTP."""

import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
from sqlalchemy import Engine

from bot.client import Identity
from bot.http import run_http, run_installed
from bot.mode import slack_mode
from bot.people import StoredMembers
from bot.socket import run_socket_mode
from cli.agent import Agents, local_agent
from cli.runtime import Runtime, end_with_parent, open_runtime
from core.errors import ConfigurationError
from store.engine import connect

CONNECTIONS = 16  # beside the agent's own: accepting must never wait for one
NOT_SET = (
    "Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (docs/howto/connect-slack.md says where from, and how"
    " to do without Socket Mode)."
)


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once connected.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to take Slack's requests at, where it is not Socket Mode.",
)
def bot(ready_file: Path | None, host: str) -> None:
    """Answer in Slack until stopped."""
    end_with_parent()
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())

    def connected(identity: Identity) -> None:
        if ready_file is not None:
            ready_file.write_text(identity.name)

    with open_runtime() as runtime:
        url = runtime.engine.url.render_as_string(hide_password=False)
        engine = connect(url, pool_size=CONNECTIONS, ping=False)
        try:
            serve(runtime, engine, stop, host, connected)
        finally:
            engine.dispose()


def serve(
    runtime: Runtime,
    engine: Engine,
    stop: threading.Event,
    host: str,
    connected: Callable[[Identity], None],
) -> None:
    """Answer in the way that the settings name. Raises ConfigurationError where they name none."""
    config = runtime.settings
    mode = slack_mode(config)
    if mode == "none":
        raise ConfigurationError(NOT_SET)
    if mode == "oauth":
        with closing(Agents(runtime)) as agents:
            run_installed(config, engine, agents.of, stop, host=host, connected=connected)
        return
    workspace_id = runtime.workspace_id
    members = StoredMembers(engine, workspace_id)
    agent = local_agent(runtime)
    if mode == "http":
        run_http(
            config, engine, workspace_id, agent, members, stop, host=host, connected=connected
        )
    else:
        run_socket_mode(config, engine, workspace_id, agent, members, stop, connected=connected)
