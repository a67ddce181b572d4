"""`footnote ask`: a question on the command line."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.agent import local_agent
from cli.runtime import Moment, open_runtime
from cli.show import answer_lines, print_json
from core.errors import ConfigurationError
from graph.state import Question, Turn
from store.access import OPERATOR_ACCESS, Access, Member, Place, access_of
from store.members import find_member

MAX_QUESTION = 4000  # characters
ROLES = {"customer": "asker", "user": "asker", "asker": "asker"}


@click.command()
@click.argument("question")
@click.option(
    "--history",
    metavar="FILE|JSON",
    help="Earlier turns: a JSON file of [{role, text}, …] (- reads it from standard input), or"
    " the JSON itself.",
)
@click.option("--user", metavar="ID", help="Ask as this person; unknown people see external only.")
@click.option("--channel", metavar="ID", help="Answer as if seen in this channel.")
@click.option("--as-of", type=Moment(), help="Answer from what was in force then.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def ask(
    question: str,
    history: str | None,
    user: str | None,
    channel: str | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Ask QUESTION and print the answer with its footnotes."""
    question = question.strip()
    if not question:
        raise ConfigurationError('The question is empty; write it in quotes: ask "…".')
    if len(question) > MAX_QUESTION:
        raise ConfigurationError(f"The question is longer than {MAX_QUESTION} characters.")
    turns = read_history(history) if history is not None else ()
    with open_runtime() as runtime:
        member = find_member(runtime.engine, runtime.workspace_id, user) if user else None
        answer = local_agent(runtime).answer(
            Question(
                text=question,
                user_id=user,
                access=asking(user, member, channel),
                history=turns,
                as_of=as_of,
            )
        )
    if as_json:
        print_json(answer.to_json())
    else:
        click.echo("\n".join(answer_lines(answer)))
        if user and member is None:
            click.echo(f" {user} is not known here, so only external documents were searched.")
    if answer.outcome == "error":
        raise click.exceptions.Exit(1)


def asking(user: str | None, member: Member | None, channel: str | None) -> Access:
    """Return the access of an operator, or of a person, in a channel or in private."""
    place = Place(channel) if channel else None
    if user is None:
        operator = Member("operator", "member")
        return access_of(operator, place) if place else OPERATOR_ACCESS
    return access_of(member, place)


def read_history(source: str) -> tuple[Turn, ...]:
    """Return the turns in a JSON file or text. Raises ConfigurationError saying what is wrong."""
    text = source
    if not source.lstrip().startswith("["):
        try:
            text = _read(source)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The history {source} cannot be read.") from error
    try:
        rows: Any = json.loads(text)
        return tuple(
            Turn("asker" if ROLES.get(row["role"]) else "footnote", str(row["text"]))
            for row in rows
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            'The history must be a JSON list of {"role": "customer" or "agent", "text": "…"}.'
        ) from error


def _read(path: str) -> str:
    return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
