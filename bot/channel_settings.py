"""The modal in which a channel's settings are read and set: builders and readers, nothing else."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from bot.blocks import Block, Element, cut, notes, paragraphs, plain_text, rich_text, text
from bot.render import one_line
from store.access import Scope
from store.channels import ChannelMode, ChannelSettings
from store.home import Choice

CALLBACK = "channel_settings"
TITLE = "Channel settings"
OPTIONS = 100  # choices in one menu
OPTION_LIMIT = 75  # characters of a choice
LANGUAGE_LIMIT = 40  # characters
TONE_LIMIT = 200

MODES: dict[ChannelMode, str] = {
    "mentions": "Questions that mention me, and follow-ups to them",
    "all": "Every message that asks something",
    "off": "Nothing: I'm switched off here",
}
ANSWERS = {
    "public": "Everybody in the channel",
    "private": "Only who asked",
}
KNOWS = {
    "all": "All documents that the channel may read",
    "some": "Only those chosen below",
}
ALSO = {
    "follow_ups": "Answer follow-ups in a thread without a new mention",
    "corrections": "Say in a thread when a policy that I quoted there has changed",
}
NAMES = {
    "mode": "What I answer here",
    "answers": "Who sees the answers",
    "follow_ups": "Follow-ups without a mention",
    "corrections": "Corrections in threads",
    "scope": "Answers from",
    "language": "Language",
    "tone": "Tone",
    "escalation_channel": "Questions for people go to",
}
ASK = "Only knowledge admins change these settings: owners and admins of this workspace"


class UnreadableError(ValueError):
    """Something that was filled in cannot be taken. `problems` are sentences by block."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True)
class Offer:
    """What a channel can be limited to: sources, and the documents that the viewer may name."""

    sources: Sequence[Choice] = ()
    documents: Sequence[Choice] = ()

    def options(self, chosen: Scope | None) -> dict[str, Choice]:
        """Return the choices by their values: sources, and documents as far as there is room.

        Where the documents are too many, only those that are chosen already are among them.
        """
        sources = {f"s:{one.id}": one for one in self.sources[:OPTIONS]}
        documents = list(self.documents)
        if len(sources) + len(documents) > OPTIONS:
            kept = chosen.documents if chosen else frozenset()
            documents = [one for one in documents if one.key in kept]
        room = max(OPTIONS - len(sources), 0)
        return sources | {f"d:{one.id}": one for one in documents[:room]}

    def unnamed(self, chosen: Scope | None) -> Scope:
        """Return the part of a scope that is not among the choices: it stays as it is."""
        shown = self.options(chosen)
        if chosen is None:
            return Scope(frozenset(), frozenset())
        return Scope(
            chosen.sources - {one.id for value, one in shown.items() if value.startswith("s:")},
            chosen.documents - {one.key for one in shown.values()},
        )


def settings_view(
    settings: ChannelSettings, offer: Offer, before: Sequence[Block] = ()
) -> dict[str, Any]:
    """Return the modal that sets a channel's settings; `before` stands above its fields."""
    hidden = offer.unnamed(settings.scope)
    unnamed = len(hidden.sources) + len(hidden.documents)
    blocks = [
        _channel_line("Settings of ", settings.channel_id),
        *before,
        _radio("mode", NAMES["mode"], MODES, settings.mode),
        _radio("answers", NAMES["answers"], ANSWERS, settings.answers),
        _radio("knows", NAMES["scope"], KNOWS, "some" if settings.scope else "all"),
        *_documents(settings.scope, offer),
        *(notes(_beside(unnamed)) if unnamed else ()),
        _words("language", "Answer in", "The policies' own language", settings.language,
               LANGUAGE_LIMIT),
        _words("tone", NAMES["tone"], "Such as: brief and warm; no small talk", settings.tone,
               TONE_LIMIT),
        _escalation(settings.escalation_channel),
        _also(settings),
    ]  # fmt: skip
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text(TITLE),
        "submit": plain_text("Save"),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(
            {
                "channel": settings.channel_id,
                "seen": settings.changed_at.isoformat() if settings.changed_at else None,
            }
        ),
        "blocks": blocks,
    }


def reading_view(settings: ChannelSettings, offer: Offer, admins: Sequence[str]) -> dict[str, Any]:
    """Return the modal that shows a channel's settings, with who can change them."""
    lines = [_line(name, words) for name, words in told(settings, offer).items()]
    return _closing_view(
        [_channel_line("Settings of ", settings.channel_id), *lines, _ask(admins)]
    )


def message_view(words: str) -> dict[str, Any]:
    """Return a modal that says something instead of settings."""
    return _closing_view(paragraphs(text(words)))


def told(settings: ChannelSettings, offer: Offer) -> dict[str, list[Element]]:
    """Return the settings in words, by their name; channels are mentioned as such."""
    scope = settings.scope
    escalation: list[Element] = [text("the place that the operator named")]
    if settings.escalation_channel:
        escalation = [_channel(settings.escalation_channel)]
    return {
        "mode": [text(MODES[settings.mode])],
        "answers": [text(ANSWERS[settings.answers])],
        "follow_ups": [text("yes" if settings.follow_ups else "no")],
        "corrections": [text("yes" if settings.corrections else "no")],
        "scope": [text(KNOWS["all"] if scope is None else _listed(scope, offer))],
        "language": [text(settings.language or "the policies' own")],
        "tone": [text(settings.tone or "as usual")],
        "escalation_channel": escalation,
    }


def changed_notice(now: ChannelSettings, mine: ChannelSettings, offer: Offer) -> list[Block]:
    """Return who changed the settings while another filled in `mine`, and how they differ."""
    at = f" at {now.changed_at:%H:%M} UTC" if now.changed_at else ""
    said = f" changed these settings{at}, while you had them open."
    theirs, ours = told(now, offer), told(mine, offer)
    differs = [_line(name, words) for name, words in theirs.items() if words != ours[name]]
    return [
        rich_text({"type": "user", "user_id": now.changed_by}, text(said, bold=True)),
        *([*paragraphs(text("Now it is:")), *differs] if differs else ()),
        *paragraphs(text("Below is what you filled in. Save again to set it all the same.")),
    ]


def saved_notice(after: ChannelSettings, names: Iterable[str], offer: Offer) -> list[Block]:
    """Return the confirmation of what was changed, by the names of what changed."""
    columns = {"sources": "scope", "documents": "scope"}
    shown = dict.fromkeys(columns.get(name, name) for name in names)
    head = _channel_line("Saved for ", after.channel_id)
    words = told(after, offer)
    return [head, *(_line(name, words[name]) for name in shown)]


def filled(
    values: Mapping[str, Mapping[str, Any]], before: ChannelSettings, offer: Offer
) -> ChannelSettings:
    """Return the settings that were filled in; `values` is the state of the modal, by block.

    What the viewer could not name stays chosen. Raises UnreadableError.
    """
    fields: dict[str, Mapping[str, Any]] = {
        block: next(iter(field.values()), {}) for block, field in values.items()
    }
    problems: dict[str, str] = {}
    mode = _option(fields, "mode", MODES, problems)
    answers = _option(fields, "answers", ANSWERS, problems)
    knows = _option(fields, "knows", KNOWS, problems)
    scope = None
    if knows == "some":
        scope = _scope(_options(fields, "documents"), before.scope, offer)
        if not scope.sources and not scope.documents:
            menu = "documents" if offer.options(before.scope) else "knows"
            problems[menu] = "Choose at least one, or let me answer from all documents."
    language, tone = (_written(fields, name) for name in ("language", "tone"))
    for name, words, limit in (("language", language, LANGUAGE_LIMIT), ("tone", tone, TONE_LIMIT)):
        if len(words or "") > limit:
            problems[name] = f"Use at most {limit} characters."
    if problems:
        raise UnreadableError(problems)
    also = _options(fields, "also")
    return replace(
        before,
        mode=cast("ChannelMode", mode),
        answers=cast("Any", answers),
        follow_ups="follow_ups" in also,
        corrections="corrections" in also,
        scope=scope,
        language=language,
        tone=tone,
        escalation_channel=fields.get("escalation_channel", {}).get("selected_conversation"),
    )


def seen_in(metadata: str) -> tuple[str, datetime | None]:
    """Return the channel of a modal, and when its settings were set that it showed."""
    kept = json.loads(metadata)
    seen = kept.get("seen")
    return str(kept["channel"]), datetime.fromisoformat(seen) if seen else None


# --- fields ---------------------------------------------------------------------------------


def _input(name: str, label: str, element: Element, *, optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "label": plain_text(label),
        "optional": optional,
        "element": element | {"action_id": name},
    }


def _chooseable(words: str, value: str) -> Element:
    return {"text": plain_text(cut(one_line(words) or "Untitled", OPTION_LIMIT)), "value": value}


def _radio(name: str, label: str, options: Mapping[Any, str], chosen: str) -> Block:
    element: Element = {
        "type": "radio_buttons",
        "options": [_chooseable(words, value) for value, words in options.items()],
        "initial_option": _chooseable(options[chosen], chosen),
    }
    return _input(name, label, element)


def _documents(scope: Scope | None, offer: Offer) -> list[Block]:
    """Return the menu of sources and documents; none where there is nothing to choose from."""
    shown = offer.options(scope)
    if not shown:
        return []
    options = {value: _chooseable(_name_of(value, one), value) for value, one in shown.items()}
    element: Element = {
        "type": "multi_static_select",
        "placeholder": plain_text("Sources and documents"),
        "options": list(options.values()),
    }
    chosen = [
        options[value]
        for value, one in shown.items()
        if scope and (one.key in scope.documents if one.key else one.id in scope.sources)
    ]
    if chosen:
        element["initial_options"] = chosen
    return [_input("documents", "Chosen documents", element, optional=True)]


def _name_of(value: str, one: Choice) -> str:
    return f"All of {one.name}" if value.startswith("s:") else one.name


def _beside(unnamed: int) -> str:
    what = "1 choice" if unnamed == 1 else f"{unnamed} choices"
    return f"{what} more that you may not read or that no longer exist; they stay chosen."


def _words(name: str, label: str, hint: str, value: str | None, limit: int) -> Block:
    element: Element = {
        "type": "plain_text_input",
        "max_length": limit,
        "placeholder": plain_text(hint),
    }
    if value:
        element["initial_value"] = value[:limit]
    return _input(name, label, element, optional=True)


def _escalation(channel: str | None) -> Block:
    element: Element = {
        "type": "conversations_select",
        "placeholder": plain_text("As the operator set it"),
        "filter": {
            "include": ["public", "private"],
            "exclude_external_shared_channels": True,
            "exclude_bot_users": True,
        },
    }
    if channel:
        element["initial_conversation"] = channel
    return _input("escalation_channel", NAMES["escalation_channel"], element, optional=True)


def _also(settings: ChannelSettings) -> Block:
    options = {value: _chooseable(words, value) for value, words in ALSO.items()}
    element: Element = {"type": "checkboxes", "options": list(options.values())}
    chosen = [options[name] for name in ALSO if getattr(settings, name)]
    if chosen:
        element["initial_options"] = chosen
    return _input("also", "Also", element, optional=True)


# --- words ----------------------------------------------------------------------------------


def _closing_view(blocks: Sequence[Block]) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": plain_text(TITLE),
        "close": plain_text("Close"),
        "blocks": list(blocks),
    }


def _channel(channel_id: str) -> Element:
    return {"type": "channel", "channel_id": channel_id}


def _channel_line(words: str, channel_id: str) -> Block:
    return rich_text(text(words), _channel(channel_id))


def _line(name: str, words: Sequence[Element]) -> Block:
    return rich_text(text(f"{NAMES[name]}: ", bold=True), *words)


def _ask(admins: Sequence[str]) -> Block:
    people: list[Element] = []
    for user_id in admins:
        people += [text(", "), {"type": "user", "user_id": user_id}]
    return rich_text(text(ASK), *people, text("."))


def _listed(scope: Scope, offer: Offer) -> str:
    """Return what is chosen by name, as far as the viewer may read it."""
    shown = offer.options(scope)
    names = [
        _name_of(value, one)
        for value, one in shown.items()
        if (one.key in scope.documents if one.key else one.id in scope.sources)
    ]
    unnamed = len(scope.sources) + len(scope.documents) - len(names)
    names += [f"{unnamed} more that you may not read"] if unnamed else []
    return cut(one_line("; ".join(names)) or "nothing", 1_000)


# --- reading --------------------------------------------------------------------------------


def _option(
    fields: Mapping[str, Any], name: str, known: Mapping[Any, str], problems: dict[str, str]
) -> str:
    value = (fields.get(name, {}).get("selected_option") or {}).get("value")
    if value not in known:
        problems[name] = "Choose one of these."
    return str(value)


def _options(fields: Mapping[str, Any], name: str) -> set[str]:
    return {one["value"] for one in fields.get(name, {}).get("selected_options") or ()}


def _written(fields: Mapping[str, Any], name: str) -> str | None:
    return one_line(fields.get(name, {}).get("value") or "") or None


def _scope(chosen: set[str], before: Scope | None, offer: Offer) -> Scope:
    """Return what was chosen of what was offered, with what could not be named."""
    shown = offer.options(before)
    kept = offer.unnamed(before)
    picked = {value: one for value, one in shown.items() if value in chosen}
    return Scope(
        kept.sources | {one.id for value, one in picked.items() if value.startswith("s:")},
        kept.documents | {one.key for value, one in picked.items() if value.startswith("d:")},
    )
