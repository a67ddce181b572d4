"""`footnote serve`: answers for local style models behind an OpenAI-compatible address."""

import time

import click

from cli.runtime import end_with_parent, open_runtime
from finetune.local_runs import need_packages
from finetune.serving import LOOK, Place, Server, uses_vllm, wanted_models

DEFAULT_PORT = 8402


@click.command()
@click.argument("models", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--url", help="Where others reach it, if not there: http://gpu-1:8402/v1.")
@click.option("--at-once", default=1, show_default=True, type=click.IntRange(1, 64))
def serve(models: tuple[str, ...], host: str, port: int, url: str | None, at_once: int) -> None:
    """Serve local style models until stopped.

    Without names: the active one, the one before it, the canary and the newest candidate, also as
    these change. FOOTNOTE_SERVE_KEY is the key that others must show.
    """
    end_with_parent()
    need_packages()
    with open_runtime() as runtime:
        key = runtime.settings.serve_key
        secret = key.get_secret_value() if key else None
        place = Place(host, port, secret, at_once, vllm=uses_vllm(), url=url)
        wanted = wanted_models(runtime.engine, runtime.workspace_id, models)
        server = Server(runtime.engine, place)
        try:
            server.start()
            click.echo(f"Serving at {server.address}. Ctrl-C stops it.")
            if not wanted:
                click.echo("No local model is in use yet; one is served as soon as there is.")
            while True:
                for line in server.serve(wanted):
                    click.echo(f"{line}.")
                time.sleep(LOOK)
                wanted = wanted_models(runtime.engine, runtime.workspace_id, models)
        finally:
            server.close()
