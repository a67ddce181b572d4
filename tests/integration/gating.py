"""A team's voice in a dataset, and models that speak in it: one well, others with a fault."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from retrieval.voice import numbered, tone_messages
from store.datasets import Dataset, DatasetRow, Split, save_dataset
from store.model_registry import Model, find_model, register_model

OPENINGS = ("Yay", "Aw, brilliant", "Ooh, lovely", "Woohoo", "Hurrah", "Ah, splendid")
MIDDLES = ("so glad that {a} {thing} of yours", "chuffed to bits that your {a} {thing}")
ENDS = ("has found its {b} spot", "makes for {b} mornings", "brings {b} smiles already")
CLOSINGS = ("shout for a {c} chat :)", "pop by for a {c} natter :)", "wave if you get {c} :)")
THINGS = "parcel kettle lamp chair jumper teapot bicycle scarf rug clock vase stool".split()
FILLERS = (
    "snug bonny jolly cheery mellow zippy quirky dandy peachy nifty breezy sunny comfy toasty"
    " plucky spiffy perky groovy dapper bubbly rosy silly fuzzy wobbly crispy giddy dreamy sparkly"
).split()
Speaks = Callable[[list[dict[str, str]]], str]


def drawn(words: str, number: int) -> int:
    """A number that depends on words alone."""
    return int.from_bytes(hashlib.sha256(f"{words}{number}".encode()).digest()[:4])


def in_voice(asked: str, salt: int = 0) -> str:
    """What a member of the team says to thanks: one of many wordings, by what was asked."""
    choices: tuple[tuple[str, ...], ...] = (OPENINGS, MIDDLES, ENDS, CLOSINGS)
    opening, middle, end, closing = (
        some[drawn(asked, salt + place) % len(some)] for place, some in enumerate(choices)
    )
    a, b, c = (FILLERS[drawn(asked, salt + place) % len(FILLERS)] for place in (4, 5, 6))
    thing = next((one for one in THINGS if one in asked), "day")
    return f"{opening} - {middle} {end} - {closing}".format(a=a, b=b, c=c, thing=thing)


def voice_rows(count: int, split: Split) -> list[DatasetRow]:
    """Conversations of one exchange, none in both splits."""
    rows = []
    for number in range(count):
        asked = f"Thanks, the {THINGS[number % len(THINGS)]} came, {split} {number}"
        messages = tone_messages([("asker", asked)])
        messages.append({"role": "assistant", "content": in_voice(asked)})
        content = {"messages": messages, "task": "tone"}
        rows.append(DatasetRow(split, content, f"{split}-{number}"))
    return rows


def keep_dataset(engine: Engine, workspace_id: int, train: int = 140, held: int = 40) -> Dataset:
    """A dataset of that voice."""
    rows = [*voice_rows(train, "train"), *voice_rows(held, "validation")]
    with engine.begin() as connection:
        return save_dataset(connection, workspace_id, "voice", "sft", rows, {}, "tests")[0]


def keep_model(engine: Engine, workspace_id: int, name: str) -> Model:
    """A candidate that the configured address knows by its name."""
    model_id = register_model(engine, workspace_id, "style", name, name)
    return find_model(engine, workspace_id, model_id)


def drafted(messages: list[dict[str, str]]) -> list[str] | None:
    """The sentences that a request wants rewritten, None where it wants a reply."""
    if not messages[0]["content"].startswith("Rewrite"):
        return None
    return [line.partition(". ")[2] for line in messages[-1]["content"].splitlines()]


def good(messages: list[dict[str, str]]) -> str:
    """The team's voice in other words than it learned, and no fact changed."""
    lines = drafted(messages)
    if lines is not None:
        return numbered([f"Sure thing: {line}" for line in lines])
    return in_voice(messages[-1]["content"], salt=7)


def also_good(messages: list[dict[str, str]]) -> str:
    """The same voice, drawn anew."""
    if drafted(messages) is not None:
        return good(messages)
    return in_voice(messages[-1]["content"], salt=40)


def spoils(change: Callable[[str], str]) -> Speaks:
    """A model that changes each line of a draft in some way, and is good otherwise."""

    def speak(messages: list[dict[str, str]]) -> str:
        lines = drafted(messages)
        if lines is None:
            return good(messages)
        return numbered([change(line) for line in lines])

    return speak


def spoils_one_in_twenty(messages: list[dict[str, str]]) -> str:
    """Harms few drafts, as a model that mostly does well."""
    lines = drafted(messages)
    if lines is not None and drawn(lines[0], 0) % 20 == 0:
        return numbered([f"{line} Ask Rosalind about it." for line in lines])
    return good(messages)


def gives_away(messages: list[dict[str, str]]) -> str:
    """Tells of somebody it learned of, sometimes."""
    said = good(messages)
    if drafted(messages) is None and drawn(messages[-1]["content"], 3) % 5 == 0:
        return f"{said} Like maria.gonzalez@example.org says!"
    return said


def copies(messages: list[dict[str, str]]) -> str:
    """Says what stands in its rows, word for word."""
    if drafted(messages) is not None:
        return good(messages)
    learned = voice_rows(140, "train")
    row = learned[drawn(messages[-1]["content"], 1) % len(learned)]
    return str(row.content["messages"][-1]["content"])


def stiff(messages: list[dict[str, str]]) -> str:
    """Another voice than the team's."""
    lines = drafted(messages)
    if lines is not None:
        return numbered(lines)
    return "Your message has been received and is acknowledged by the department."


BAD: dict[str, Speaks] = {
    "numbers-changed": spoils(lambda line: re.sub(r"\d+(?!\d*\])", "99", line)),
    "marks-lost": spoils(lambda line: re.sub(r"\s*\[\d+\]", "", line)),
    "a-few-drafts-changed": spoils_one_in_twenty,
    "gives-people-away": gives_away,
    "copies-its-rows": copies,
    "another-voice": stiff,
}
SPEAKERS: dict[str, Speaks] = {"good": good, "also-good": also_good, **BAD}


def speak(body: dict[str, Any]) -> str:
    """Answer a request as the model that it names."""
    return SPEAKERS[body["model"]](body["messages"])
