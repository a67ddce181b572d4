"""`footnote members`: who may read what and who may add documents, beside what Slack tells."""

from collections.abc import Set
from typing import Any, Literal

import click

from cli.audience import check_audience
from cli.runtime import actor, open_runtime
from cli.show import print_json
from core.errors import NotFoundError
from store.access import KNOWLEDGE_ADMIN, ROLES, Member
from store.members import find_member, read_roles, save_member, set_roles

STANDINGS = {
    "member": "is a full member",
    "guest": "is a guest",
    "foreign": "belongs to another organisation",
}
TITLES = {KNOWLEDGE_ADMIN: "knowledge admin"}
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def members() -> None:
    """Show and set a person's standing, user groups, channels and roles."""


@members.command("set")
@click.argument("user_id")
@click.option(
    "--standing",
    type=click.Choice(["member", "guest", "foreign"]),
    default="member",
    show_default=True,
)
@click.option("--principal", multiple=True, help="group:<id> or channel:<id>; repeatable.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    multiple=True,
    help="knowledge_admin may change documents and settings; curator may choose examples.",
)
@json_option
def set_member(
    user_id: str,
    standing: Literal["member", "guest", "foreign"],
    principal: tuple[str, ...],
    role: tuple[str, ...],
    as_json: bool,
) -> None:
    """Set what USER_ID is, the groups and channels they are in, and their roles.

    What was set before and is not named now is taken away.
    """
    check_audience(principal)
    member = Member(user_id, standing, frozenset(principal))
    with open_runtime() as runtime:
        save_member(runtime.engine, runtime.workspace_id, member)
        set_roles(runtime.engine, runtime.workspace_id, user_id, role, actor())
    show(member, frozenset(role), as_json)


@members.command("show")
@click.argument("user_id")
@json_option
def show_member(user_id: str, as_json: bool) -> None:
    """Show what is kept about USER_ID."""
    with open_runtime() as runtime:
        member = find_member(runtime.engine, runtime.workspace_id, user_id)
        roles = read_roles(runtime.engine, runtime.workspace_id, user_id)
    if member is None:
        raise NotFoundError(
            f"{user_id} is not known here, and so sees external documents only; members set"
            " makes them known."
        )
    show(member, roles, as_json)


def show(member: Member, roles: Set[str], as_json: bool) -> None:
    """Print what is kept about a person."""
    kept: dict[str, Any] = {
        "user": member.user_id,
        "standing": member.standing,
        "principals": sorted(member.principals),
        "roles": sorted(roles),
    }
    if as_json:
        print_json(kept)
    else:
        click.echo(told(member, roles))


def told(member: Member, roles: Set[str] = frozenset()) -> str:
    """Return what is kept about a person as a line: standing, roles, groups and channels."""
    titles = [TITLES.get(role, role) for role in sorted(roles)]
    return ", ".join(
        [f"{member.user_id} {STANDINGS[member.standing]}", *titles, *sorted(member.principals)]
    )
