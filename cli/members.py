"""`footnote members`: who may read what, until Slack's own directory is asked."""

import json
from typing import Literal

import click

from cli.ingest import check_audience
from cli.runtime import open_runtime
from core.errors import NotFoundError
from store.access import Member
from store.members import find_member, save_member


@click.group()
def members() -> None:
    """Show and set a person's standing, user groups and channels."""


@members.command("set")
@click.argument("user_id")
@click.option(
    "--standing",
    type=click.Choice(["member", "guest", "foreign"]),
    default="member",
    show_default=True,
)
@click.option("--principal", multiple=True, help="group:<id> or channel:<id>; repeatable.")
def set_member(
    user_id: str, standing: Literal["member", "guest", "foreign"], principal: tuple[str, ...]
) -> None:
    """Set what USER_ID is and the groups and channels they are in."""
    check_audience(principal)
    with open_runtime() as runtime:
        member = Member(user_id, standing, frozenset(principal))
        save_member(runtime.engine, runtime.workspace_id, member)
    click.echo(f"{user_id} is a {standing}{''.join(f', {p}' for p in principal)}.")


@members.command("show")
@click.argument("user_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_member(user_id: str, as_json: bool) -> None:
    """Show what is kept about USER_ID."""
    with open_runtime() as runtime:
        member = find_member(runtime.engine, runtime.workspace_id, user_id)
    if member is None:
        raise NotFoundError(f"{user_id} is not known here, and so sees external documents only.")
    kept = {"standing": member.standing, "principals": sorted(member.principals)}
    click.echo(
        json.dumps(kept) if as_json else f"{user_id}: {kept['standing']} {kept['principals']}"
    )
