"""The agent of the local workspace; apart from `runtime`, since loading it takes a second."""

from cli.runtime import Runtime
from graph.graph import Agent, open_agent


def local_agent(runtime: Runtime) -> Agent:
    """Compose the agent of the local workspace."""
    return open_agent(runtime.settings, runtime.engine, runtime.workspace_id, runtime.embedder)
