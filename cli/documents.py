"""`footnote documents`: what there is to answer from."""

from datetime import UTC, datetime

import click

from cli.runtime import Moment, open_runtime
from cli.show import day, print_json
from store.access import OPERATOR_ACCESS
from store.search import versions_in_force


@click.command()
@click.option("--as-of", type=Moment(), help="List what was in force then.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def documents(as_of: datetime | None, as_json: bool) -> None:
    """List the documents in force, with version and date."""
    with open_runtime() as runtime:
        versions = versions_in_force(
            runtime.engine,
            runtime.workspace_id,
            OPERATOR_ACCESS,
            as_of or datetime.now(UTC),
        )
    if as_json:
        rows = [
            {
                "document": version.document_key,
                "title": version.title,
                "version": version.number,
                "effective_from": version.effective_from.isoformat(),
                "characters": len(version.text),
            }
            for version in versions
        ]
        print_json({"documents": rows})
        return
    for version in versions:
        since = f"v{version.number}, in force since {day(version.effective_from)}"
        click.echo(f"{version.title:40.40}  {since}  ({version.document_key})")
    click.echo(f"{len(versions)} documents in force")
