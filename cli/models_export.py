"""`footnote models export`: a local model in another form, as a candidate of its own."""

from pathlib import Path
from typing import get_args

import click

from cli.runtime import open_runtime
from cli.show import print_json
from finetune.exports import PRUNED_SHARE, Format, export
from store.model_registry import find_model


@click.command("export")
@click.argument("model")
@click.option("--format", "chosen", type=click.Choice(get_args(Format)), default="merged")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True)
@click.option(
    "--share",
    type=click.FloatRange(0.0, 0.9, min_open=True),
    default=PRUNED_SHARE,
    show_default=True,
    help="How many of the weights are pruned.",
)
@click.option(
    "--tool", type=click.Path(path_type=Path), help="llama.cpp's convert_hf_to_gguf.py, for gguf."
)
@click.option("--endpoint", metavar="URL", help="The address that will serve a GGUF file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export_model(
    model: str,
    chosen: Format,
    target: Path,
    share: float,
    tool: Path | None,
    endpoint: str | None,
    as_json: bool,
) -> None:
    """Write MODEL to a place in another form; all but a copy must pass the gate anew.

    gguf goes through llama.cpp's converter, quantised through bitsandbytes on a graphics card,
    pruned through torch.
    """
    with open_runtime() as runtime:
        found = find_model(runtime.engine, runtime.workspace_id, model)
        done = export(
            runtime.engine, found, chosen, target, share=share, tool=tool, endpoint=endpoint
        )
    candidate = done.candidate.name if done.candidate else None
    if as_json:
        print_json({"place": str(done.place), "candidate": candidate})
        return
    click.echo(f"Written to {done.place}.")
    if candidate is not None:
        click.echo(
            f"It is the candidate {candidate} now; `footnote models gate {candidate}` decides"
            " whether it may answer."
        )
