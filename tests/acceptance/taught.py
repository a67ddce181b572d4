"""A bot that knows two policies, one of them for a private channel, and answers from them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from core.settings import load_settings
from graph.graph import Agent, open_agent
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.publish import File
from store.workspaces import ensure_workspace

RETURNS = """\
# Returns policy

## Sale items

Items bought in a sale can be returned within 14 days of delivery.

## Gift cards

Gift cards are valid for five years from the day of purchase.
"""
BOARD = """\
# Board remuneration

## Yearly bonus

The yearly bonus of the chairwoman is paid in the month of June.
"""
SALE_QUESTION = "Can I return a sale item after three weeks?"
BONUS_QUESTION = "When is the yearly bonus of the chairwoman paid?"
SALE = "Items bought in a sale can be returned within 14 days of delivery."
OFF_TOPIC = ("Who won the 1998 world cup?", "How tall is Mount Everest?")


@contextmanager
def taught(engine: Engine, embedder: Embedder, board: str) -> Iterator[Agent]:
    """Let an agent know both policies; `board` is the channel that the second one is for."""
    workspace_id = ensure_workspace(engine)
    ingester = Ingester(engine, workspace_id, embedder)
    ingester.ingest(File("returns.md", "text/markdown", RETURNS.encode()))
    ingester.ingest(File("board.md", "text/markdown", BOARD.encode()), [f"channel:{board}"])
    agent = open_agent(load_settings(), engine, workspace_id, embedder)
    try:
        yield agent
    finally:
        agent.close()
