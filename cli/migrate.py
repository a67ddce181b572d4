"""`footnote migrate`: brings the tables up to date."""

import click

from cli.runtime import open_runtime
from cli.show import print_json
from store.schema import current_revision


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(as_json: bool) -> None:
    """Bring the database's tables to this version's revision."""
    with open_runtime() as runtime:
        revision = current_revision(runtime.engine)
    if as_json:
        print_json({"revision": revision})
    else:
        click.echo(f"The database is at revision {revision}.")
