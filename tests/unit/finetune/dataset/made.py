"""Approved transcripts as values, without a database."""

from datetime import UTC, datetime
from typing import Any

from store.transcripts import Said, Transcript

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def said(*texts: str, canned: bool = False) -> tuple[Said, ...]:
    """Messages by the asker and the team in turn, the asker's first."""
    return tuple(
        Said("team" if place % 2 else "asker", text, canned and place % 2 == 1)
        for place, text in enumerate(texts)
    )


def example(*messages: Said, number: int = 1, **told: Any) -> Transcript:
    """An approved transcript of these messages."""
    values: dict[str, Any] = {
        "id": number,
        "origin": "import",
        "origin_key": f"t{number}",
        "messages": messages,
        "audience": ("everyone",),
        "user_id": None,
        "added_by": "U1",
        "state": "approved",
        "created_at": NOON,
        "redacted": messages,
    }
    return Transcript(**(values | told))
