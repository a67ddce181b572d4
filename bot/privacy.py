"""What is kept about a person and what was deleted of it, as people read it: pure functions."""

from collections.abc import Iterator

from bot.blocks import (
    Block,
    Element,
    actions,
    bullets,
    button,
    notes,
    paragraphs,
    plain_text,
    text,
)
from bot.render import Message, day, packed
from store.privacy import Forgotten, Kept, Kind, KindName

FORGET_ME = "forget_me"  # action id of the button that deletes

NAMES: dict[KindName, tuple[str, str]] = {
    "messages": ("message to me", "messages to me"),
    "questions": ("question with its answer", "questions with their answers"),
    "feedback": ("rating of an answer", "ratings of answers"),
    "handovers": (
        "question that was handed over to a person",
        "questions that were handed over to a person",
    ),
    "taken over": ("question of somebody else, taken over", "questions of others, taken over"),
    "candidates": ("transcript that nobody approved", "transcripts that nobody approved"),
    "transcripts": ("approved transcript", "approved transcripts"),
    "acts": ("entry in the log of changes", "entries in the log of changes"),
}
UNNAMED: frozenset[KindName] = frozenset({"taken over", "acts"})
"""Kinds that stay without the person's name."""
STANDINGS = {
    "member": "a full member",
    "guest": "a guest",
    "foreign": "somebody of another organisation",
}

NOTHING = "I keep nothing about you."
KEPT = "This is what I keep about you:"
IN_SLACK = (
    "What stands in Slack stays there: delete your messages in Slack, and my answers to them go"
    " too. What others wrote about you I cannot find."
)
STAYS_UNNAMED = "What you changed, and what you took over for others, stays without your name."
BUTTON = "Delete what is kept about me"
SURE = "Delete it?"
NO_RETURN = "This cannot be undone."
DONE = "Done. I deleted:"
NOTHING_TO_DELETE = "There was nothing to delete: I keep nothing about you."
COUNTS = "How much you asked within the last day stays for the limits, and goes by itself."


def kept_message(kept: Kept, days: int) -> tuple[Message, ...]:
    """Return what is kept about who asks, with the button that deletes it.

    `days` is for how long messages are kept; 0 is for ever.
    """
    if kept.nothing:
        return packed(NOTHING, paragraphs(text(NOTHING)))
    blocks = [
        *paragraphs(text(KEPT)),
        *bullets([*map(kind_line, kept.kinds), *member_lines(kept)]),
        *paragraphs(text(f"{for_how_long(days)} {IN_SLACK}")),
    ]
    if any(kind.name in UNNAMED for kind in kept.kinds):
        blocks += notes(STAYS_UNNAMED)
    return packed(KEPT, blocks, _delete())


def forgotten_message(forgotten: Forgotten) -> tuple[Message, ...]:
    """Return what was deleted about who asked for it."""
    if forgotten.nothing:
        return packed(NOTHING_TO_DELETE, paragraphs(text(NOTHING_TO_DELETE)))
    blocks = [
        *paragraphs(text(DONE)),
        *bullets(list(forgotten_lines(forgotten))),
        *paragraphs(text(IN_SLACK)),
        *notes(COUNTS),
    ]
    return packed(DONE, blocks)


def for_how_long(days: int) -> str:
    """Return for how long messages are kept, as a sentence."""
    if days == 0:
        return "Messages are kept until somebody deletes them."
    return (
        f"Messages are kept for {days} day{'' if days == 1 else 's'}, then they go by themselves."
    )


def kind_line(kind: Kind) -> str:
    """Return how much there is of a kind, and since when: "2 ratings of answers, 1 Sep 2026"."""
    line = counted(kind.name, kind.count)
    if kind.since is None or kind.until is None:
        return line
    first, last = day(kind.since), day(kind.until)
    return f"{line}, {first}" if first == last else f"{line}, {first} to {last}"


def counted(name: KindName, count: int) -> str:
    """Return a number with what it counts: "2 ratings of answers"."""
    one, several = NAMES[name]
    return f"{count} {one if count == 1 else several}"


def member_lines(kept: Kept) -> Iterator[str]:
    """Return what a person is known as, in a line; nothing where they are not known."""
    if kept.standing is not None:
        known = [STANDINGS.get(kept.standing, kept.standing), *map(role_name, kept.roles)]
        yield f"known as {', '.join([*known, *kept.principals])}"


def role_name(role: str) -> str:
    """Return a role as people say it: "knowledge admin"."""
    return role.replace("_", " ")


def forgotten_lines(forgotten: Forgotten) -> Iterator[str]:
    """Return what went, a line a kind; of what stays the name went."""
    went = [(name, forgotten.counts.get(name, 0)) for name in NAMES]
    for name, count in went:
        if count:
            line = counted(name, count)
            yield f"the name in {line}" if name in UNNAMED else line
    if forgotten.member:
        roles = f", with the role {', '.join(map(role_name, forgotten.roles))}"
        yield f"what was known about membership{roles if forgotten.roles else ''}"


def _delete() -> list[Block]:
    """Return the button that deletes, which Slack has people confirm."""
    confirm: Element = {
        "title": plain_text(SURE),
        "text": plain_text(NO_RETURN),
        "confirm": plain_text("Delete"),
        "deny": plain_text("Keep"),
        "style": "danger",
    }
    delete = button(BUTTON, FORGET_ME, "forget") | {"style": "danger", "confirm": confirm}
    return actions([delete])
