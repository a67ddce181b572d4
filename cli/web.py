"""`footnote web`: serves the page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click
from sqlalchemy import Engine

from admin.api import Places, Workspace
from admin.app import create_app, serve_on
from admin.pictures import Pictures
from bot.render import render
from cli.agent import local_agent
from cli.runtime import end_with_parent, open_runtime
from core.listening import listen
from core.settings import Settings
from ingestion.places import scanner_at
from ingestion.sandbox import Sandbox
from store.access import OPERATOR_ACCESS
from store.answers import Answer
from store.documents import Block, Version, read_blocks, read_permitted_version
from store.search import versions_in_force


@dataclass(frozen=True)
class Library:
    """The documents of one workspace, as the page reads them."""

    engine: Engine
    workspace_id: int

    def version(self, version_id: int) -> Version | None:
        """Return a version that members may read, whether or not it is in force."""
        return read_permitted_version(self.engine, self.workspace_id, OPERATOR_ACCESS, version_id)

    def in_force(self) -> Sequence[Version]:
        """Return the version in force now of every document for members."""
        return versions_in_force(
            self.engine, self.workspace_id, OPERATOR_ACCESS, datetime.now(UTC)
        )

    def blocks(self, version_id: int) -> Sequence[Block]:
        """Return the blocks, in order, of a version that members may read."""
        return [] if self.version(version_id) is None else read_blocks(self.engine, version_id)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
def web(host: str) -> None:
    """Serve the page at FOOTNOTE_PORT until stopped."""
    end_with_parent()
    with open_runtime() as runtime, Sandbox() as sandbox:
        config = runtime.settings
        library = Library(runtime.engine, runtime.workspace_id)
        names = {"127.0.0.1", "localhost", "[::1]", urlsplit(config.page_url).hostname or host}
        with listen(host, config.port) as listener:
            workspace = Workspace(
                runtime.engine,
                runtime.workspace_id,
                Pictures(runtime.engine, runtime.workspace_id, sandbox),
                places(config),
            )
            app = create_app(local_agent(runtime), library, sorted(names), workspace, slack_posts)
            serve_on(app, listener)


def slack_posts(answer: Answer, as_of: datetime | None) -> list[dict[str, Any]]:
    """Return an answer as the bot posts it: the JSON of its messages."""
    return [asdict(message) for message in render(answer, as_of)]


def places(config: Settings) -> Places:
    """Return which places programs may have watched."""

    def check(kind: str, uri: str, options: dict[str, str]) -> None:
        scanner_at(kind, uri, options, config)

    return Places(check, config.open_folders)
