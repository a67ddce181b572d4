"""`footnote documents`: what there is to answer from."""

from datetime import UTC, datetime

import click

from cli.runtime import Moment, open_runtime
from cli.show import counted, day, print_json, printable
from store.access import EVERYONE
from store.search import Listed, list_in_force


@click.command()
@click.option("--as-of", type=Moment(), help="List what was in force then.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def documents(as_of: datetime | None, as_json: bool) -> None:
    """List all documents in force, with version, date and who may read them."""
    with open_runtime() as runtime:
        versions = list_in_force(runtime.engine, runtime.workspace_id, as_of or datetime.now(UTC))
    if as_json:
        rows = [
            {
                "document": version.document_key,
                "title": version.title,
                "version": version.number,
                "effective_from": version.effective_from.isoformat(),
                "characters": version.characters,
                "audience": list(version.audience),
            }
            for version in versions
        ]
        print_json({"documents": rows})
        return
    for version in versions:
        click.echo(document_line(version))
    click.echo(f"{counted(len(versions), 'document')} in force")


def document_line(version: Listed) -> str:
    """Return the line about one document; its audience only where that is not every member."""
    since = f"v{version.number}, in force since {day(version.effective_from)}"
    line = f"{printable(version.title):40.40}  {since}  ({printable(version.document_key)})"
    if version.audience == (EVERYONE,):
        return line
    return f"{line}  for {', '.join(map(printable, version.audience))}"
