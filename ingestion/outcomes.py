"""What became of a file, in the words that a terminal, Slack and programs are told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ingestion.changes import in_one_line
from ingestion.errors import printable

State = Literal["new", "same", "refused"]

MARKS: Mapping[State, str] = {"new": "✓", "same": "=", "refused": "✗"}
"""What stands before a line, for who skims."""


@dataclass(frozen=True)
class Outcome:
    """One file's outcome: a line that names it, and what else is worth knowing of it."""

    state: State
    line: str
    notes: tuple[str, ...] = ()

    @property
    def marked(self) -> str:
        """The line behind its mark."""
        return f"{MARKS[self.state]} {self.line}"


def refused(error: str, name: str = "") -> Outcome:
    """Return the outcome of a file that was refused; its name stands before what lacks it."""
    return Outcome("refused", error if name in error else f"{name}: {error}")


def outcome_of(report: Mapping[str, Any]) -> Outcome:
    """Return the outcome that a report, as JSON types, tells of; its names are made printable."""
    readers = report.get("audience_now", [])  # a report kept by an older version has none
    now = f"; audience now {', '.join(readers)}" if readers else ""
    name, number = printable(report["file"]), report["version"]
    if not report["new_version"]:
        return Outcome("same", f"{name}: reads the same as version {number}{now}")
    passages = f"{report['chunks']} passage" + ("" if report["chunks"] == 1 else "s")
    line = (
        f"{name}: version {number} of {printable(report['title'])},"
        f" in force from {report['effective_from'][:10]}, {passages},"
        f" {report['embedded']} newly embedded{now}"
    )
    return Outcome("new", line, tuple(_notes(report)))


def _rechecked(answers: int, effective_from: str) -> str:
    past = "1 past answer quotes" if answers == 1 else f"{answers} past answers quote"
    asked = "it is" if answers == 1 else "they are"
    later = datetime.fromisoformat(effective_from) > datetime.now(UTC)
    when = "when this takes effect" if later else "now"
    return f"{past} words that changed; {asked} asked again {when}"


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    summaries = [change["summary"] for change in report.get("changes", ())]
    if summaries:
        told = in_one_line(summaries, report.get("sections_changed", 0))
        yield f"changed: {printable(told)}"
    quoting = report.get("answers_to_recheck", 0)  # a report kept by an older version has none
    if quoting:
        yield _rechecked(quoting, report["effective_from"])
    yield from map(printable, report["warnings"])
    if report["hidden_characters"]:
        yield f"{report['hidden_characters']} characters nobody could see were left out"
