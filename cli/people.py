"""`footnote people`: what is kept about a person, and its end."""

from typing import Any

import click

from bot.privacy import (
    COUNTS,
    UNNAMED,
    for_how_long,
    forgotten_lines,
    kind_line,
    member_lines,
)
from cli.runtime import actor, open_runtime
from cli.show import print_json
from core.errors import ConfigurationError
from store.privacy import Forgotten, Kept, forget_person, kept_about

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
IN_SLACK = (
    "What stands in Slack stays there, what others wrote about them cannot be found, and what they"
    " changed stays without their name."
)


@click.group()
def people() -> None:
    """Show what is kept about a person, and delete it."""


@people.command("show")
@click.argument("user_id")
@json_option
def show_person(user_id: str, as_json: bool) -> None:
    """Show how much is kept about USER_ID, and since when."""
    with open_runtime() as runtime:
        kept = kept_about(runtime.engine, runtime.workspace_id, user_id)
        days = runtime.settings.keep_messages_days
    if as_json:
        print_json(kept_json(kept) | {"keep_days": days})
        return
    if kept.nothing:
        click.echo(f"Nothing is kept about {user_id}.")
        return
    for line in (*map(kind_line, kept.kinds), *member_lines(kept)):
        click.echo(line)
    click.echo(for_how_long(days))


@people.command("forget")
@click.argument("user_id")
@click.option("--yes", is_flag=True, help="Delete it; it cannot be undone.")
@json_option
def forget(user_id: str, yes: bool, as_json: bool) -> None:
    """Delete what is kept about USER_ID: questions, answers, feedback, hand-overs, transcripts.

    What they changed stays in the audit log without their name. Who reads documents in private
    by a user group is forgotten as well: members set tells it again.
    """
    if not yes:
        raise ConfigurationError(
            f"This deletes what is kept about {user_id} for good; add --yes. people show says"
            " what that is."
        )
    with open_runtime() as runtime:
        forgotten = forget_person(runtime.engine, runtime.workspace_id, user_id, actor=actor())
    if as_json:
        print_json(forgotten_json(user_id, forgotten))
    elif forgotten.nothing:
        click.echo(f"Nothing was kept about {user_id}.")
    else:
        click.echo("Deleted:")
        for line in forgotten_lines(forgotten):
            click.echo(f"  {line}")
        click.echo(f"{IN_SLACK} {COUNTS.replace('you asked', 'they asked')}")


def kept_json(kept: Kept) -> dict[str, Any]:
    """Return what is kept about a person as JSON types; moments are ISO 8601."""
    return {
        "user": kept.user_id,
        "standing": kept.standing,
        "roles": list(kept.roles),
        "principals": list(kept.principals),
        "kept": {
            kind.name.replace(" ", "_"): {
                "count": kind.count,
                "since": kind.since.isoformat() if kind.since else None,
                "until": kind.until.isoformat() if kind.until else None,
            }
            for kind in kept.kinds
        },
    }


def forgotten_json(user_id: str, forgotten: Forgotten) -> dict[str, Any]:
    """Return what was deleted, and what stays without the name, as JSON types."""
    return {
        "user": user_id,
        "deleted": {
            name.replace(" ", "_"): count
            for name, count in forgotten.counts.items()
            if name not in UNNAMED
        },
        "unnamed": {
            name.replace(" ", "_"): count
            for name, count in forgotten.counts.items()
            if name in UNNAMED
        },
        "roles": list(forgotten.roles),
    }
