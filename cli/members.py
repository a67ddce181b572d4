"""`footnote members`: who may read what, until Slack's own directory is asked."""

from typing import Any, Literal

import click

from cli.audience import check_audience
from cli.runtime import open_runtime
from cli.show import print_json
from core.errors import NotFoundError
from store.access import Member
from store.members import find_member, save_member

STANDINGS = {
    "member": "is a full member",
    "guest": "is a guest",
    "foreign": "belongs to another organisation",
}
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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
@json_option
def set_member(
    user_id: str,
    standing: Literal["member", "guest", "foreign"],
    principal: tuple[str, ...],
    as_json: bool,
) -> None:
    """Set what USER_ID is and the groups and channels they are in."""
    check_audience(principal)
    member = Member(user_id, standing, frozenset(principal))
    with open_runtime() as runtime:
        save_member(runtime.engine, runtime.workspace_id, member)
    show(member, as_json)


@members.command("show")
@click.argument("user_id")
@json_option
def show_member(user_id: str, as_json: bool) -> None:
    """Show what is kept about USER_ID."""
    with open_runtime() as runtime:
        member = find_member(runtime.engine, runtime.workspace_id, user_id)
    if member is None:
        raise NotFoundError(
            f"{user_id} is not known here, and so sees external documents only; members set"
            " makes them known."
        )
    show(member, as_json)


def show(member: Member, as_json: bool) -> None:
    """Print what is kept about a person."""
    kept: dict[str, Any] = {
        "user": member.user_id,
        "standing": member.standing,
        "principals": sorted(member.principals),
    }
    if as_json:
        print_json(kept)
    else:
        click.echo(told(member))


def told(member: Member) -> str:
    """Return what is kept about a person as a line: standing, then groups and channels."""
    return ", ".join(
        [f"{member.user_id} {STANDINGS[member.standing]}", *sorted(member.principals)]
    )
