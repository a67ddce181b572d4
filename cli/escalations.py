"""`footnote escalations`: questions that were handed over to people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from cli.runtime import open_runtime
from cli.show import print_json, printable
from store.escalations import Escalation, list_escalations

REASONS = {"asked": "asked for", "upset": "upset", "nothing_found": "nothing found"}
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def escalations() -> None:
    """See which questions wait for a person."""


@escalations.command("list")
@click.option("--resolved", is_flag=True, help="Those that are resolved, the latest first.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def list_all(resolved: bool, limit: int, as_json: bool) -> None:
    """List what waits or is claimed, the longest waiting first."""
    with open_runtime() as runtime:
        found = list_escalations(
            runtime.engine, runtime.workspace_id, resolved=resolved, limit=limit
        )
    if as_json:
        print_json({"escalations": [row(one) for one in found]})
        return
    now = datetime.now(UTC)
    for one in found:
        click.echo("\n".join(lines(one, now)))
    if not found:
        click.echo("No question is resolved yet." if resolved else "No question waits.")


def row(one: Escalation) -> dict[str, Any]:
    """Return an escalation as JSON types."""
    times = {
        name: moment.isoformat() if moment else None
        for name, moment in (
            ("created_at", one.created_at),
            ("claimed_at", one.claimed_at),
            ("resolved_at", one.resolved_at),
        )
    }
    names = (
        "id", "state", "reason", "question", "asker_id", "channel", "thread_ts", "private",
        "handed_to", "answer_id", "claimed_by", "resolved_by", "resolution",
    )  # fmt: skip
    return {name: getattr(one, name) for name in names} | times


def lines(one: Escalation, now: datetime) -> Iterator[str]:
    """Return an escalation for a terminal: its state and its question."""
    state = {
        "waiting": "waits",
        "claimed": f"claimed by {one.claimed_by}",
        "resolved": f"resolved by {one.resolved_by}",
    }[one.state]
    minutes = int(((one.resolved_at or now) - one.created_at).total_seconds() // 60)
    yield printable(
        f"{one.id}  {state}, {minutes} min  {REASONS[one.reason]}  {one.asker_id} in {one.channel}"
        f" → {one.handed_to}"
    )
    yield printable(f"    {' '.join(one.question.split())}")
    if one.resolution:
        yield printable(f"    answered: {' '.join(one.resolution.split())}")
