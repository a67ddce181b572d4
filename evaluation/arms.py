"""The four ways to answer that are compared: a model alone, retrieval, a tuned model, both.

The arms are the product's own parts. What retrieval answers goes through the real graph; only
which models it finds in use differs. A model alone is asked plainly, with the turns before.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Engine

from core.settings import Settings
from evaluation.asking import speaking
from evaluation.cases import Case
from evaluation.gate import GateError
from finetune.serving import is_local
from graph.footnotes import marked
from graph.graph import Agent, open_agent
from graph.models import ModelError, ask_in_words, open_model
from graph.state import Question
from retrieval.embeddings import Embedder
from retrieval.sentences import split
from retrieval.voice import Message
from store.answers import Citation, StyleOutcome
from store.model_registry import Model, ModelKind, ModelsInUse

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

Arm = Literal["base", "rag", "fine-tuned", "hybrid"]
ARMS: tuple[Arm, ...] = ("base", "rag", "fine-tuned", "hybrid")

ALONE_RULES = """\
You answer questions about a company's policies. Say what the policy is in one to three sentences.
If you do not know it, say only: I don't know.
"""
REFUSES = re.compile(
    r"^\W*(?:sorry|unfortunately,? i|i have no information|i(?:['’]m| am)? (?:don['’]t know"
    r"|do not know|not sure|not certain|cannot|can['’]t|unable))",
    re.IGNORECASE,
)
"""How a model alone says that it does not know; other wordings count as answers."""


@dataclass(frozen=True)
class Said:
    """What an arm said to a question.

    `text` is without marks, `shown` with them. `sentences` are those that state something,
    `proven` how many of them have a citation; `tokens` are those of all its models, in and out.
    """

    text: str
    shown: str
    answered: bool
    failed: bool
    sentences: int
    proven: int
    citations: tuple[Citation, ...]
    style: StyleOutcome | None
    seconds: float
    tokens: int


Ask = Callable[[Case], Said]


class OneStyleModel(ModelsInUse):
    """Has one style model in use, or none, and nothing else, whatever the registry says."""

    def __init__(self, model: Model | None) -> None:
        """Hold the model."""
        self._model = model

    def model(self, kind: ModelKind, conversation: str | None) -> Model | None:
        """Return the style model for every conversation."""
        del conversation
        return self._model if kind == "style" else None


@contextmanager
def open_arms(
    engine: Engine,
    settings: Settings,
    workspace_id: int,
    embedder: Embedder,
    as_of: datetime,
    tuned: Model | None,
) -> Iterator[tuple[dict[Arm, Ask], dict[Arm, str]]]:
    """Give the arms that can run, and why the others cannot.

    All are asked as of one moment, so that no document changes under them.
    """
    arms: dict[Arm, Ask] = {}
    missing: dict[Arm, str] = {}
    with ExitStack() as stack:
        base = open_model(settings)
        if base is None:
            missing["base"] = "no language model is set; set OPENAI_API_KEY or OPENAI_BASE_URL"
        else:
            arms["base"] = alone(base)
        plain = open_agent(settings, engine, workspace_id, embedder, in_use=OneStyleModel(None))
        stack.callback(plain.close)
        arms["rag"] = through(plain, as_of)
        if tuned is None:
            why = "no tuned model; name one with --style-model, or train one"
            missing |= {"fine-tuned": why, "hybrid": why}
        else:
            try:
                chat = stack.enter_context(speaking(engine, settings, tuned))
            except GateError as error:
                missing |= {"fine-tuned": str(error), "hybrid": str(error)}
            else:
                arms["fine-tuned"] = alone(chat)
                served = (
                    replace(tuned, endpoint=chat.openai_api_base) if is_local(tuned) else tuned
                )
                styled = open_agent(
                    settings, engine, workspace_id, embedder, in_use=OneStyleModel(served)
                )
                stack.callback(styled.close)
                arms["hybrid"] = through(styled, as_of)
        yield {arm: arms[arm] for arm in ARMS if arm in arms}, missing


def through(agent: Agent, as_of: datetime) -> Ask:
    """Return an arm that asks the graph."""

    def ask(case: Case) -> Said:
        made = agent.answer(Question(case.question, history=case.history, as_of=as_of))
        return Said(
            text=made.text,
            shown=marked(made),
            answered=made.outcome == "answered",
            failed=made.outcome == "error",
            sentences=len(made.claims),
            proven=sum(bool(claim.citations) for claim in made.claims),
            citations=made.citations,
            style=made.style_outcome,
            seconds=made.seconds,
            tokens=sum(made.trace.get("tokens", {}).values()),
        )

    return ask


def alone(chat: "ChatOpenAI") -> Ask:
    """Return an arm that asks a model with nothing but the conversation."""

    def ask(case: Case) -> Said:
        messages: list[Message] = [{"role": "system", "content": ALONE_RULES}]
        for turn in case.history:
            messages.append(
                {"role": "user" if turn.role == "asker" else "assistant", "content": turn.text}
            )
        messages.append({"role": "user", "content": case.question})
        began = time.perf_counter()
        try:
            text, tokens = ask_in_words(chat, messages)
        except ModelError as error:
            told, seconds = f"(failed: {error})", time.perf_counter() - began
            return Said(told, told, False, True, 0, 0, (), None, seconds, 0)
        text = text.strip()
        answered = bool(text) and REFUSES.search(text) is None
        sentences = len(split(text)) if answered else 0
        seconds = time.perf_counter() - began
        used = tokens["input"] + tokens["output"]
        return Said(text, text, answered, False, sentences, 0, (), None, seconds, used)

    return ask
