"""`footnote migrate`: brings the tables up to date."""

import click

from cli.runtime import open_runtime
from store.schema import current_revision


@click.command()
def migrate() -> None:
    """Bring the database's tables to this version's revision."""
    with open_runtime() as runtime:
        click.echo(f"The database is at revision {current_revision(runtime.engine)}.")
