"""The agent's wiring: route → retrieve → weigh → answer → verify → style → finish.

Small talk goes route → tone → finish, and asks no document.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import FootnoteError, reference_id
from core.logs import logger
from core.settings import Settings
from graph.answer import answer
from graph.escalate import accepts_offer, is_upset
from graph.finish import failure, finish, keep, make_answer
from graph.heads import CurrentHeads
from graph.models import ModelError, open_model
from graph.retrieve import retrieve, weigh
from graph.router import Router
from graph.state import Question, State, Tools, Turn
from graph.style import style
from graph.tone import tone
from graph.trace import make_trace
from graph.verify import verify
from graph.voice import Voices
from retrieval.embeddings import Embedder, Embedders
from retrieval.query_adapter import CurrentAdapters
from retrieval.retriever import Retriever
from store.answers import Answer, Outcome, find_answer, new_answer_id
from store.conversations import (
    answer_to_event,
    ensure_conversation,
    last_outcome,
    read_turns,
    serialised,
)
from store.engine import connect
from store.model_registry import ModelsInUse

EXTRACTIVE = "extractive"  # as a trace names who answered without a model

log = logger(__name__)

AFTER_ROUTE = {
    "policy": "retrieve",
    "small_talk": "tone",
    # As a trained head has it; what is found decides, so that no answer is lost to a guess.
    "out_of_scope": "retrieve",
    "clarify": "retrieve",
}

MOST_STEPS = 8  # nodes that a question goes through; the longest way has seven

Node = Callable[[State, Runtime[Tools]], dict[str, Any]]


def route(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Send the message to the policies, to small talk or to a person."""
    message = state["question"].text
    if accepts_offer(message, state["history"]):
        return {"route": "human"}
    question, history = state["question"], state["history"]
    routed = runtime.context.router.decide(
        message,
        [turn.text for turn in history],
        question.conversation,
        by_rules=is_upset(message, history),  # a person takes over, whatever a head has learned
    )
    update: dict[str, Any] = {"route": routed.route, "routed": routed}
    if routed.model_id is not None:
        update["models"] = {**state.get("models", {}), "router": routed.model_id}
    return update


def _timed(name: str, node: Node) -> Node:
    def run(state: State, runtime: Runtime[Tools]) -> dict[str, Any]:
        started = time.perf_counter()
        progress = state["question"].progress
        if progress is not None:
            progress(name)
        update = node(state, runtime)
        timings = state.get("timings", {}) | {name: time.perf_counter() - started}
        return update | {"timings": timings}

    return run


def build_graph() -> Any:
    """Compile the graph; it keeps nothing between questions."""
    graph = StateGraph(State, context_schema=Tools)
    nodes: tuple[Node, ...] = (route, tone, retrieve, weigh, answer, verify, style, finish)
    for node in nodes:
        name = cast("Any", node).__name__
        graph.add_node(name, cast("Any", _timed(name, node)))
    graph.add_edge(START, "route")
    graph.add_conditional_edges(
        "route",
        lambda state: AFTER_ROUTE.get(state["route"], "finish"),
        ["retrieve", "tone", "finish"],
    )
    graph.add_edge("tone", "finish")
    graph.add_edge("retrieve", "weigh")
    graph.add_conditional_edges(
        "weigh",
        lambda state: "answer" if state["decision"] == "answer" else "finish",
        ["answer", "finish"],
    )
    graph.add_edge("answer", "verify")
    graph.add_edge("verify", "style")
    graph.add_edge("style", "finish")
    graph.add_edge("finish", END)
    return graph.compile().with_config(recursion_limit=MOST_STEPS)


class Agent:
    """Answers questions in one workspace; safe to call from several threads."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._graph = build_graph()
        url = tools.engine.url.render_as_string(hide_password=False)
        self._locks = connect(url, pool_size=32)  # waiting for a turn takes none of the others

    def answer(self, question: Question) -> Answer:
        """Return an answer, a refusal, a clarifying question, a hand-over, or an error.

        Never raises for a question: what goes wrong becomes an answer with the outcome `error`
        and a reference id that the log has too.
        """
        started, question = time.perf_counter(), question.cleaned()
        try:
            return self._answer(question, started)
        except (FootnoteError, SQLAlchemyError) as error:
            reference = reference_id()
            log.exception("question failed", reference=reference)
            outcome, text = failure(question, reference)
            if isinstance(error, FootnoteError):
                text = f"{text} {error}"
            return Answer(
                id=new_answer_id(),
                question=question.text,
                route="policy",
                outcome=outcome,
                text=text,
                reference=reference,
                seconds=time.perf_counter() - started,
            )

    def ask_again(self, question: Question) -> Answer:
        """Return what a question gets now, with its history given, and keep nothing of it.

        Raises a FootnoteError or SQLAlchemyError where it cannot be answered as it should: an
        answer without the model that is set would be another one for that reason alone.
        """
        started, question = time.perf_counter(), question.cleaned()
        made = self._made(question, question.history or (), None, started)
        if self._tools.model is not None and made.trace["answerer"] == EXTRACTIVE:
            raise ModelError(made.note or "the language model did not answer")
        return made

    def close(self) -> None:
        """Close the connections on which messages waited for their turn."""
        self._locks.dispose()

    def _answer(self, question: Question, started: float) -> Answer:
        tools = self._tools
        if question.conversation is None:
            return self._run(question, None, started)
        conversation_id = ensure_conversation(
            tools.engine, tools.workspace_id, question.conversation
        )
        with serialised(self._locks, conversation_id):
            if question.event_key is not None:
                known = answer_to_event(tools.engine, conversation_id, question.event_key)
                if known is not None:
                    with tools.engine.connect() as connection:
                        kept = find_answer(connection, tools.workspace_id, known)
                    if kept is not None:
                        return kept
            return self._run(question, conversation_id, started)

    def _run(self, question: Question, conversation_id: int | None, started: float) -> Answer:
        tools = self._tools
        history = question.history
        if history is None:
            history = read_turns(tools.engine, conversation_id) if conversation_id else ()
        before = last_outcome(tools.engine, conversation_id) if conversation_id else None
        made = self._made(question, history, before, started)
        keep(tools.engine, tools.workspace_id, question, made, conversation_id)
        return made

    def _made(
        self,
        question: Question,
        history: tuple[Turn, ...],
        before: Outcome | None,
        started: float,
    ) -> Answer:
        state: State = {
            "question": question,
            "history": history,
            "before": before,
            "as_of": question.as_of or datetime.now(UTC),
        }
        ended = cast("State", self._graph.invoke(state, context=self._tools))
        return make_answer(question, ended, started, make_trace(ended))


def open_agent(
    settings: Settings,
    engine: Engine,
    workspace_id: int,
    embedder: Embedder,
    router: Router | None = None,
    in_use: ModelsInUse | None = None,
) -> Agent:
    """Compose the agent of one workspace; agents of several may share a `router`.

    Who measures passes the models that are `in_use`; they are the workspace's otherwise.
    """
    in_use = in_use or ModelsInUse(engine, workspace_id)
    return Agent(
        Tools(
            settings=settings,
            engine=engine,
            workspace_id=workspace_id,
            retriever=Retriever(
                engine,
                workspace_id,
                embedder,
                Embedders(settings, embedder).named,
                CurrentAdapters(in_use),
            ),
            router=(router or Router(embedder)).with_heads(CurrentHeads(in_use, embedder)),
            model=open_model(settings),
            voices=Voices(settings, engine, workspace_id, embedder, in_use),
        )
    )
