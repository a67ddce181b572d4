"""`footnote bot`: connects to Slack over Socket Mode."""

import signal
import threading
from pathlib import Path

import click

from bot.client import Identity
from bot.people import StoredMembers
from bot.socket import run_socket_mode
from cli.agent import local_agent
from cli.runtime import end_with_parent, open_runtime
from store.engine import connect

CONNECTIONS = 16  # beside the agent's own: accepting must never wait for one


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once connected.")
def bot(ready_file: Path | None) -> None:
    """Answer in Slack until stopped."""
    end_with_parent()
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())

    def connected(identity: Identity) -> None:
        if ready_file is not None:
            ready_file.write_text(identity.name)

    with open_runtime() as runtime:
        members = StoredMembers(runtime.engine, runtime.workspace_id)
        url = runtime.engine.url.render_as_string(hide_password=False)
        engine = connect(url, pool_size=CONNECTIONS)
        try:
            run_socket_mode(
                runtime.settings,
                engine,
                runtime.workspace_id,
                local_agent(runtime),
                members,
                stop,
                connected=connected,
            )
        finally:
            engine.dispose()
