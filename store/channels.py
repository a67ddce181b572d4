"""Channels: how the bot behaves in each, as knowledge admins set it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import FootnoteError
from store.access import Scope
from store.audit import record

ChannelMode = Literal["mentions", "all", "off"]


@dataclass(frozen=True)
class ChannelSettings:
    """How the bot behaves in a channel. `scope` is what it answers from; None is everything.

    `mode` is when it answers, `answers` who sees them; `language` and `tone` are words for the
    language model; `escalation_channel` is where questions are handed over to people.
    `changed_by` set them last, at `changed_at`; None where nobody did.
    """

    channel_id: str
    mode: ChannelMode = "mentions"
    answers: Literal["public", "private"] = "public"
    follow_ups: bool = True
    corrections: bool = True
    scope: Scope | None = None
    language: str | None = None
    tone: str | None = None
    escalation_channel: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


class ChangedMeanwhileError(FootnoteError):
    """Somebody else changed a channel's settings since they were looked at."""

    def __init__(self, now: ChannelSettings) -> None:
        super().__init__(
            f"{now.changed_by} changed these settings at {now.changed_at:%H:%M} UTC; look again."
        )
        self.now = now


SELECT = """
    SELECT mode, answers, follow_ups, corrections, sources, documents, language, tone,
           escalation_channel, updated_by,
           CASE WHEN updated_by IS NOT NULL THEN updated_at END AS updated_at
    FROM channels WHERE workspace_id = :workspace_id AND channel_id = :channel_id
"""
"""A row may be there only because something was posted in the channel: nobody set it then."""


def channel_settings(engine: Engine, workspace_id: int, channel_id: str) -> ChannelSettings:
    """Return a channel's settings; one that nobody set has the usual ones."""
    with engine.connect() as connection:
        row = connection.execute(
            text(SELECT), {"workspace_id": workspace_id, "channel_id": channel_id}
        ).one_or_none()
    return _settings(channel_id, row)


def save_channel_settings(
    connection: Connection,
    workspace_id: int,
    settings: ChannelSettings,
    actor: str,
    *,
    seen: datetime | None,
) -> dict[str, Any]:
    """Set how the bot behaves in a channel; return what changed, in JSON types, by its name.

    `seen` is when they were set that the actor looked at; `changed_by` and `changed_at` of
    `settings` are not used. The change is kept in the audit log. Raises ChangedMeanwhileError,
    with the settings as they are now, where somebody else was quicker.
    """
    key = {"workspace_id": workspace_id, "channel_id": settings.channel_id}
    connection.execute(
        text(
            "INSERT INTO channels (workspace_id, channel_id) VALUES (:workspace_id, :channel_id)"
            " ON CONFLICT (workspace_id, channel_id) DO NOTHING"
        ),
        key,
    )
    row = connection.execute(text(f"{SELECT} FOR UPDATE"), key).one()
    before = _settings(settings.channel_id, row)
    if before.changed_at != seen:
        raise ChangedMeanwhileError(before)
    changes = {
        name: value for name, value in _kept(settings).items() if value != _kept(before)[name]
    }
    if not changes:
        return {}
    connection.execute(
        text(
            "UPDATE channels SET mode = :mode, answers = :answers, follow_ups = :follow_ups,"
            " corrections = :corrections, sources = CAST(:sources AS bigint[]),"
            " documents = CAST(:documents AS text[]), language = :language, tone = :tone,"
            " escalation_channel = :escalation_channel, updated_by = :actor,"
            " updated_at = clock_timestamp()"
            " WHERE workspace_id = :workspace_id AND channel_id = :channel_id"
        ),
        {**key, **_kept(settings), "actor": actor},
    )
    record(
        connection,
        workspace_id,
        actor,
        "channel settings changed",
        settings.channel_id,
        **changes,
    )
    return changes


def _settings(channel_id: str, row: Any) -> ChannelSettings:
    if row is None:
        return ChannelSettings(channel_id)
    limited = row.sources is not None or row.documents is not None
    scope = (
        Scope(frozenset(row.sources or ()), frozenset(row.documents or ())) if limited else None
    )
    return ChannelSettings(
        channel_id,
        row.mode,
        row.answers,
        row.follow_ups,
        row.corrections,
        scope,
        row.language,
        row.tone,
        row.escalation_channel,
        row.updated_by,
        row.updated_at,
    )


def _kept(settings: ChannelSettings) -> dict[str, Any]:
    """Return settings as their row keeps them, by column."""
    scope = settings.scope
    return {
        "mode": settings.mode,
        "answers": settings.answers,
        "follow_ups": settings.follow_ups,
        "corrections": settings.corrections,
        "sources": sorted(scope.sources) if scope else None,
        "documents": sorted(scope.documents) if scope else None,
        "language": settings.language,
        "tone": settings.tone,
        "escalation_channel": settings.escalation_channel,
    }
