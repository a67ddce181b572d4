"""Channels: how the bot behaves in each, as knowledge admins set it."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine, text

from store.access import Scope

ChannelMode = Literal["mentions", "all", "off"]


@dataclass(frozen=True)
class ChannelSettings:
    """How the bot behaves in a channel. `scope` is what it answers from; None is everything.

    `mode` is when it answers, `answers` who sees them; `language` and `tone` are words for the
    language model; `escalation_channel` is where questions are handed over to people.
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


def channel_settings(engine: Engine, workspace_id: int, channel_id: str) -> ChannelSettings:
    """Return a channel's settings; one that nobody set has the usual ones."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT mode, answers, follow_ups, corrections, sources, documents, language,"
                " tone, escalation_channel FROM channels"
                " WHERE workspace_id = :workspace_id AND channel_id = :channel_id"
            ),
            {"workspace_id": workspace_id, "channel_id": channel_id},
        ).one_or_none()
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
    )
