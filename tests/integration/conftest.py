"""The agent in a workspace with the sample policies, and a model that says what it is told."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import Engine

from core.settings import Settings, load_settings
from graph.graph import Agent
from graph.models import open_model
from graph.router import Router
from graph.state import Tools
from graph.voice import Voices
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from retrieval.retriever import Retriever
from store.model_registry import ModelsInUse
from store.workspaces import ensure_workspace
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import OpenAgent, publish_policies


@pytest.fixture(scope="session", autouse=True)
def _plain_log() -> None:
    """Log a failure in a line: structlog's own picture of a traceback takes two seconds."""
    structlog.configure(
        [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )


@pytest.fixture(scope="session")
def policies(shared_engine: Engine, embedder: Embedder) -> Ingester:
    """A workspace with the policies in it; tests add questions, never documents."""
    made = Ingester(shared_engine, ensure_workspace(shared_engine, "policies"), embedder)
    publish_policies(made)
    return made


@pytest.fixture(scope="session")
def opened(policies: Ingester, embedder: Embedder) -> Iterator[OpenAgent]:
    """Open agents of that workspace; `server` is the model they ask, if any."""
    # Shared, because they embed: the examples of routes, and the sentences of every passage.
    router = Router(embedder)
    retriever = Retriever(policies.engine, policies.workspace_id, embedder)
    with ExitStack() as stack:

        def open_one(server: OpenAIServer | None = None, **changes: object) -> Agent:
            settings = load_settings().model_copy(update=changes)
            if server is not None:
                settings = with_model(settings, server)
            tools = Tools(
                settings=settings,
                engine=policies.engine,
                workspace_id=policies.workspace_id,
                retriever=retriever,
                router=router,
                model=open_model(settings),
                voices=Voices(
                    settings,
                    policies.engine,
                    policies.workspace_id,
                    embedder,
                    ModelsInUse(policies.engine, policies.workspace_id, fresh=0),
                ),
            )
            agent = Agent(tools)
            stack.callback(agent.close)
            return agent

        yield open_one


def with_model(settings: Settings, server: OpenAIServer) -> Settings:
    """Return settings that ask the model at `server`."""
    return settings.model_copy(
        update={
            "openai_api_key": SecretStr(server.api_key),
            "openai_base_url": server.url,
            "openai_model": "test-model",
        }
    )


@pytest.fixture(scope="session")
def agent(opened: OpenAgent) -> Agent:
    """An agent without a language model."""
    return opened()


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A language model that says what a test scripts."""
    with OpenAIServer() as made:
        yield made
