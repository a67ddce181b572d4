"""The API for programs of knowledge admins."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from admin.pictures import Pictures


@dataclass(frozen=True)
class Places:
    """Which places programs may have watched.

    `check` gets kind, address and options, and raises a FootnoteError for a place that can never
    be read; of this server's folders only what lies below `open_folders` may be.
    """

    check: Callable[[str, str, dict[str, str]], object]
    open_folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """The workspace whose documents the API changes; without `pictures` it shows no pages,
    without `places` it has no sources.
    """

    engine: Engine
    id: int
    pictures: Pictures | None = None
    places: Places | None = None
