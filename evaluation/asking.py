"""Asks a style model many things as the graph would, also one that nothing serves yet."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from core.settings import Settings
from evaluation.gate import GateError
from finetune.serving import START_PATIENCE, Place, Server, is_local
from graph.models import ModelError, ask_in_words, open_model
from retrieval.voice import Message
from store.model_registry import Model, find_model

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

AT_ONCE = 4  # requests that wait at a time
MOST_FAILED = 0.05  # share of requests that may go wrong; with more, nothing can be said
LOOK = 0.3  # seconds between two looks whether a model has been loaded

Prompt = Sequence[Message]
Progress = Callable[[int, int], None]


@contextmanager
def speaking(engine: Engine, settings: Settings, model: Model) -> Iterator["ChatOpenAI"]:
    """Give a model to ask; a local one that nothing serves is served here for so long.

    Raises GateError where it cannot be asked.
    """
    unserved = model.endpoint is None and is_local(model)
    with _served(engine, settings, model) if unserved else nullcontext(model.endpoint) as address:
        if address is None and model.backend == "local":
            raise GateError(
                f"The files of {model.name} are not on this machine and no address serves it;"
                f" run `footnote serve {model.name}` where they are."
            )
        chat = open_model(settings, model.artefact, address)
        if chat is None:
            raise GateError(
                f"{model.name} is known to a provider, and none is set; set OPENAI_API_KEY or"
                " OPENAI_BASE_URL."
            )
        yield chat


@contextmanager
def _served(engine: Engine, settings: Settings, model: Model) -> Iterator[str]:
    key = settings.serve_key.get_secret_value() if settings.serve_key else None
    server = Server(engine, Place("127.0.0.1", 0, key))
    try:
        server.start()
        until = time.monotonic() + START_PATIENCE
        while True:
            told = server.serve([model])
            address = find_model(engine, model.workspace_id, model.id).endpoint
            if address is not None:
                break
            if told or time.monotonic() > until:
                raise GateError(
                    f"{model.name} cannot be served: {' '.join(told) or 'it was not loaded'}."
                )
            time.sleep(LOOK)
        yield address
    finally:
        server.close()


def replies_of(
    chat: "ChatOpenAI",
    name: str,
    prompts: Sequence[Prompt],
    progress: Progress = lambda _done, _total: None,
) -> list[str | None]:
    """Return a model's reply to each prompt, None where it failed.

    Raises GateError at once where the first fails, and where many do: a model that is away has
    not lost.
    """
    if not prompts:
        return []
    first, reason = _ask(chat, prompts[0])
    if reason is not None:
        raise GateError(f"{name} cannot be asked: {reason}.")
    replies, failed = [first], ""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for reply, why in threads.map(lambda prompt: _ask(chat, prompt), prompts[1:]):
            replies.append(reply)
            failed = why or failed
            progress(len(replies), len(prompts))
    if replies.count(None) > MOST_FAILED * len(replies):
        raise GateError(
            f"{name} failed at {replies.count(None)} of {len(replies)} requests ({failed}); see to"
            " who serves it and run `footnote models gate` again."
        )
    return replies


def _ask(chat: "ChatOpenAI", prompt: Prompt) -> tuple[str | None, str | None]:
    """Return the reply, or None and why there is none."""
    try:
        return ask_in_words(chat, prompt)[0], None
    except ModelError as error:
        return None, str(error)
