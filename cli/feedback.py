"""`footnote feedback`: what people say of answers, where it helps."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import click

from cli.runtime import open_runtime
from cli.show import print_json, printable
from store.access import OPERATOR_ACCESS
from store.feedback import Destination, Feedback, count_thumbs, feedback_for, history_of
from store.search import versions_in_force

MOST = 1_000  # thumbs down at once
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most these."
)


@click.group()
def feedback() -> None:
    """See what people say of answers, and take it to where it helps."""


@feedback.command("list")
@click.option(
    "--for",
    "destination",
    type=click.Choice(get_args(Destination)),
    help="Only what helps there: documents, evaluation or transcripts.",
)
@limit_option
@json_option
def list_all(destination: Destination | None, limit: int, as_json: bool) -> None:
    """List the thumbs down, the latest first, with what the answer said and quoted."""
    with open_runtime() as runtime:
        found = feedback_for(runtime.engine, runtime.workspace_id, destination, limit)
        up, down = count_thumbs(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"up": up, "down": down, "feedback": [row(one) for one in found]})
        return
    for one in found:
        click.echo("\n".join(lines(one)))
    click.echo(f"{up} up, {down} down")


@feedback.command("export")
@click.option(
    "--for",
    "destination",
    type=click.Choice(["evaluation"]),
    default="evaluation",
    show_default=True,
    help="What it is made for.",
)
@limit_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list in place of lines.")
def export(destination: str, limit: int, as_json: bool) -> None:
    """Print what was found wrongly, or not at all, as questions that eval reads (JSONL)."""
    from evaluation.feedback import question_of  # noqa: PLC0415 - half a second to load

    del destination
    with open_runtime() as runtime:
        found = feedback_for(runtime.engine, runtime.workspace_id, "evaluation", limit)
        now = datetime.now(UTC)
        versions = versions_in_force(runtime.engine, runtime.workspace_id, OPERATOR_ACCESS, now)
        with runtime.engine.connect() as connection:
            rows = [
                question_of(one, history_of(connection, one.answer_id), versions) for one in found
            ]
    if as_json:
        print_json({"questions": rows})
        return
    for written in rows:
        click.echo(json.dumps(written))


def row(one: Feedback) -> dict[str, Any]:
    """Return feedback as JSON types."""
    return {
        "answer": one.answer_id,
        "user": one.user_id,
        "reason": one.opinion.reason,
        "comment": one.opinion.comment,
        "better": one.opinion.better,
        "question": one.question,
        "said": one.answer,
        "quoted": [
            {
                "document": quoted.document,
                "title": quoted.title,
                "version": quoted.version,
                "section": " › ".join(quoted.section),
                "quote": quoted.quote,
            }
            for quoted in one.quoted
        ],
        "updated_at": one.updated_at.isoformat(),
    }


def lines(one: Feedback) -> Iterator[str]:
    """Return feedback for a terminal, a line each."""
    reason = (one.opinion.reason or "no reason").replace("_", " ")
    yield f"{one.updated_at:%Y-%m-%d %H:%M}  {reason}  {one.user_id}  trace {one.answer_id}"
    yield from _told(
        ("asked", one.question),
        ("said", one.answer),
        *((f"{quoted.document} v{quoted.version}", f"“{quoted.quote}”") for quoted in one.quoted),
        ("because", one.opinion.comment),
        ("better", one.opinion.better),
    )
    yield ""


def _told(*told: tuple[str, str | None]) -> Sequence[str]:
    return [printable(f"  {name}: {' '.join(words.split())}") for name, words in told if words]
