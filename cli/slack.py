"""`footnote slack`: the teams that installed the app."""

from typing import Any

import click

from cli.runtime import actor, open_runtime
from cli.show import day, print_json
from core.errors import NotFoundError
from store.installations import KeptInstallation, list_installations, remove_installation

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def slack() -> None:
    """List and remove the Slack teams that installed the app."""


@slack.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List every team that has the app, or had it."""
    with open_runtime() as runtime:
        found = list_installations(runtime.engine)
    if as_json:
        print_json({"teams": [kept(team) for team in found]})
        return
    for team in found:
        click.echo(team_line(team))
    if not found:
        click.echo("No team installed the app; docs/howto/connect-slack.md says how they can.")


@slack.command("remove")
@click.argument("team")
@json_option
def remove(team: str, as_json: bool) -> None:
    """Forget the token of TEAM, so that nothing more is answered there.

    Its documents and conversations stay, and an admin of the team can add the app again.
    """
    with open_runtime() as runtime:
        if not remove_installation(runtime.engine, team, actor()):
            raise NotFoundError(f"No team {team} has the app; slack list names those that do.")
        (removed,) = [k for k in list_installations(runtime.engine) if k.team_id == team]
    if as_json:
        print_json(kept(removed))
    else:
        click.echo(
            f"{removed.name} ({team}) is not served any more. In Slack the app is shown until an"
            " admin there removes it."
        )


def kept(team: KeptInstallation) -> dict[str, Any]:
    """Return what may be told of an installation as JSON types."""
    return {
        "team": team.team_id,
        "name": team.name,
        "enterprise": team.enterprise_id,
        "installed_at": team.created_at.isoformat(),
        "removed_at": team.removed_at.isoformat() if team.removed_at else None,
    }


def team_line(team: KeptInstallation) -> str:
    """Return the line about one team."""
    ended = f", removed on {day(team.removed_at)}" if team.removed_at else ""
    return f"{team.team_id:14}  {team.name}  installed on {day(team.created_at)}{ended}"
