"""How much may be asked: whoever reached a limit is told so, in a sentence, and when to go on."""

import math

from bot.workspaces import Workspace
from core.settings import Settings
from store.answers import Answer
from store.usage import Excess, Limits, add_tokens, count_message

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))  # seconds
OPERATOR = "An operator of Footnote can raise the limit."


def over_limit(ws: Workspace, user_id: str) -> str | None:
    """Count a question that is about to be answered; return why it must wait, if it must.

    To be called once for each question. One that must wait is not counted.
    """
    excess = count_message(ws.engine, ws.id, user_id, limits_of(ws.settings))
    return None if excess is None else told(excess)


def count_tokens(ws: Workspace, user_id: str, answer: Answer) -> None:
    """Count what the language model took for an answer."""
    tokens = sum(int(count) for count in answer.trace.get("tokens", {}).values())
    if tokens:
        add_tokens(ws.engine, ws.id, user_id, tokens)


def limits_of(settings: Settings) -> Limits:
    """Return the limits that the operator set."""
    return Limits(
        person_minute=settings.limit_person_minute,
        person_day=settings.limit_person_day,
        workspace_minute=settings.limit_workspace_minute,
        workspace_day=settings.limit_workspace_day,
        person_tokens=settings.limit_tokens_person_day,
        workspace_tokens=settings.limit_tokens_workspace_day,
    )


def told(excess: Excess) -> str:
    """Return a limit that is reached as a plain note: what was reached, and when it goes on."""
    wait = span(excess.seconds)
    if excess.what == "tokens":
        whose = "your share" if excess.whose == "person" else "this workspace's share"
        return (
            f"For today {whose} of the language model is used up; I can take the next question in"
            f" {wait}. {OPERATOR}"
        )
    counted = f"{excess.limit} question{'' if excess.limit == 1 else 's'}"
    if excess.whose == "person":
        note = f"You have asked {counted} in a {excess.span}; I can take the next one in {wait}."
    else:
        note = (
            f"This workspace has asked {counted} in a {excess.span}, which is as many as I may"
            f" take; please ask again in {wait}."
        )
    return note if excess.span == "minute" else f"{note} {OPERATOR}"


def span(seconds: float) -> str:
    """Return a time to wait, rounded up: "40 seconds", "1 minute", "3 hours"."""
    whole = max(1, math.ceil(seconds))
    for size, name in UNITS:
        if whole >= size:
            count = math.ceil(whole / size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{whole} second{'' if whole == 1 else 's'}"
