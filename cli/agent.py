"""The agents of workspaces; apart from `runtime`, since loading them takes a second."""

from contextlib import ExitStack

from cli.runtime import Runtime
from graph.graph import Agent, open_agent
from graph.router import Router


def local_agent(runtime: Runtime) -> Agent:
    """Compose the agent of the workspace that commands act on."""
    return open_agent(runtime.settings, runtime.engine, runtime.workspace_id, runtime.embedder)


class Agents:
    """Agents of many workspaces, which share the embedder and the examples of routes.

    Close it to close them all.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._router = Router(runtime.embedder)
        self._opened = ExitStack()

    def of(self, workspace_id: int) -> Agent:
        """Compose the agent of one workspace."""
        runtime = self._runtime
        agent = open_agent(
            runtime.settings, runtime.engine, workspace_id, runtime.embedder, self._router
        )
        self._opened.callback(agent.close)
        return agent

    def close(self) -> None:
        """Close every agent's connections."""
        self._opened.close()
