"""`footnote tokens`: what programs show to add documents over HTTP."""

import re
from datetime import datetime
from typing import Any

import click

from cli.runtime import actor, open_runtime
from cli.show import day, print_json
from store.access import KNOWLEDGE_ADMIN, ROLES
from store.tokens import Token, create_token, list_tokens, revoke_token

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}", re.IGNORECASE)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def tokens() -> None:
    """Create, list and revoke the tokens of programs that change documents over HTTP."""


@tokens.command("create")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(ROLES),
    default=[KNOWLEDGE_ADMIN],
    show_default=True,
    help="What its bearer may do; repeatable.",
)
@json_option
def create(name: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Create a token called NAME and show it, this once."""
    if not NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r}: take 1 to 50 letters, digits, dots, dashes and underscores."
        )
    with open_runtime() as runtime:
        token, secret = create_token(
            runtime.engine, runtime.workspace_id, name, sorted(set(roles)), actor()
        )
    if as_json:
        print_json(kept(token) | {"token": secret})
        return
    click.echo(secret)
    click.echo(
        f"This is the token {token.name} ({', '.join(token.roles)}). It is not shown again;"
        " keep it where programs keep passwords.",
        err=True,
    )


@tokens.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List all tokens, with what they may do and when they were last used."""
    with open_runtime() as runtime:
        found = list_tokens(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"tokens": [kept(token) for token in found]})
        return
    for token in found:
        click.echo(token_line(token))
    if not found:
        click.echo("There are no tokens; tokens create NAME makes one.")


@tokens.command("revoke")
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """End the token called NAME at once."""
    with open_runtime() as runtime:
        token = revoke_token(runtime.engine, runtime.workspace_id, name, actor())
    if as_json:
        print_json(kept(token))
    else:
        click.echo(f"The token {token.name} opens nothing any more.")


def kept(token: Token) -> dict[str, Any]:
    """Return what is known of a token as JSON types."""

    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "name": token.name,
        "roles": list(token.roles),
        "created_at": moment(token.created_at),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }


def token_line(token: Token) -> str:
    """Return the line about one token."""
    if token.revoked_at is not None:
        use = f"revoked on {day(token.revoked_at)}"
    elif token.last_used_at is not None:
        use = f"last used on {day(token.last_used_at)}"
    else:
        use = "never used"
    roles = ", ".join(token.roles)
    return f"{token.name:24}  {roles}  created on {day(token.created_at)}, {use}"
