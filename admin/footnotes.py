"""An answer's words for a page: where its marks stand and what its lines say."""

from datetime import UTC, datetime

from store.answers import Answer, Outcome

NO_BREAK = "\u00a0"  # keeps a word and its id on one line
DONE: dict[Outcome, str] = {
    "answered": "answered",
    "refused": "searched",
    "clarifying": "asked back",
    "escalated": "handed over",
    "error": "stopped",
}


def day(moment: datetime) -> str:
    """Return the day of a moment in UTC, as in `1 Sep 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def in_force(start: datetime, end: datetime | None, now: datetime) -> str:
    """Say when a version counts, seen from `now`: `in force since 1 Sep 2026`."""
    if end is not None and end <= now:
        return f"was in force from {day(start)} until {day(end)}"
    opening = "in force since" if start <= now else "in force from"
    return f"{opening} {day(start)}" + (f" until {day(end)}" if end else "")


def duration(seconds: float) -> str:
    """Return a duration to read: `31 ms`, `1.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def status(answer: Answer) -> str:
    """Return the line below an answer, `answered in 31 ms · 2 of 2 claims verified · trace …`."""
    parts = [f"{DONE[answer.outcome]} in {duration(answer.seconds)}"]
    if answer.claims:
        kept = len(answer.claims)
        total = answer.trace.get("claims_drafted", kept)
        parts.append(f"{kept} of {total} {'claim' if total == 1 else 'claims'} verified")
    if answer.outcome == "error" and answer.reference:
        return " · ".join([*parts, f"reference{NO_BREAK}{answer.reference}"])
    return " · ".join([*parts, f"trace{NO_BREAK}{answer.id}"])
