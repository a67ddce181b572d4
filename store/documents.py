"""Documents, their immutable versions, and the blocks of a version's canonical text."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, text

from store.access import EVERYONE, EXTERNAL, Access

BlockKind = Literal["heading", "paragraph", "list_item", "table_row", "code"]


@dataclass(frozen=True)
class Block:
    """One visible unit of a version's canonical text.

    `start` and `end` are code points: `text[start:end]` is exactly the block's visible text.
    `heading_path` names the headings above it, outermost first, without itself.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0  # 1-6 for a heading, nesting depth (from 0) for a list item, else 0
    heading_path: tuple[str, ...] = ()
    page: int | None = None  # from 1, where the format has pages


@dataclass(frozen=True)
class SourceRun:
    """`length` code points of canonical text from `start`, taken unchanged from `source_start`.

    `source_start` counts code points of the decoded source file. Text between runs
    (collapsed white space, joined blocks, decoded entities) has no place of its own.
    """

    start: int
    source_start: int
    length: int


@dataclass(frozen=True)
class ParsedDocument:
    """What a parser reads out of one file, before anything is stored.

    `text` is the canonical text: what a person sees, markup gone, white space collapsed.
    """

    title: str
    text: str
    blocks: tuple[Block, ...]
    source_map: tuple[SourceRun, ...]
    document_key: str | None = None  # from front matter: files with the same key are versions
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    owner: str | None = None
    link: str | None = None
    hidden_characters: int = 0  # text a person could not see, dropped
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chunk:
    """A passage cut from a version: at most 200 tokens of `text[start:end]`.

    `content` is what is embedded and keyed: title and headings, a newline, the passage.
    """

    ordinal: int
    start: int
    end: int
    content: str
    token_count: int
    heading_path: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True)
class Version:
    """An immutable version of a document, with the canonical text that citations point into."""

    id: int
    document_id: int
    document_key: str
    title: str
    number: int
    sha256: str
    text: str = field(repr=False)
    effective_from: datetime
    effective_to: datetime | None
    owner: str | None
    link: str | None


VERSION_COLUMNS = """
    v.id, v.document_id, d.key AS document_key, v.title, v.number, v.sha256, v.text,
    v.effective_from, v.effective_to, v.owner, v.link
"""


def _version(row: Any) -> Version:
    return Version(**row._mapping)


def read_versions(engine: Engine, workspace_id: int, version_ids: Iterable[int]) -> list[Version]:
    """Return those versions of the workspace with their canonical texts, by id."""
    statement = text(
        f"SELECT {VERSION_COLUMNS} FROM document_versions v"
        " JOIN documents d ON d.id = v.document_id"
        " WHERE v.workspace_id = :workspace_id AND v.id = ANY(:ids) ORDER BY v.id"
    )
    with engine.connect() as connection:
        rows = connection.execute(
            statement, {"workspace_id": workspace_id, "ids": sorted(set(version_ids))}
        )
        return [_version(row) for row in rows]


def read_permitted_version(
    engine: Engine, workspace_id: int, access: Access, version_id: int
) -> Version | None:
    """Return a version if `access` may read its document, else None.

    Also one that is superseded or whose document was deleted: old citations must open.
    """
    statement = text(
        f"SELECT {VERSION_COLUMNS} FROM document_versions v"
        " JOIN documents d ON d.id = v.document_id"
        " WHERE v.workspace_id = :workspace_id AND v.id = :version_id"
        " AND d.audience && CAST(:asker AS text[]) AND d.audience && CAST(:place AS text[])"
    )
    with engine.connect() as connection:
        row = connection.execute(
            statement,
            {
                "workspace_id": workspace_id,
                "version_id": version_id,
                "asker": sorted(access.asker),
                "place": sorted(access.place),
            },
        ).one_or_none()
    return _version(row) if row else None


BLOCK_COLUMNS = "kind, start_offset, end_offset, level, heading_path, page"


def _block(row: Any) -> Block:
    return Block(
        kind=row.kind,
        start=row.start_offset,
        end=row.end_offset,
        level=row.level,
        heading_path=tuple(row.heading_path),
        page=row.page,
    )


def read_blocks(engine: Engine, version_id: int) -> list[Block]:
    """Return a version's blocks in order."""
    statement = text(
        f"SELECT {BLOCK_COLUMNS} FROM blocks WHERE version_id = :version_id ORDER BY ordinal"
    )
    with engine.connect() as connection:
        return [_block(row) for row in connection.execute(statement, {"version_id": version_id})]


def read_block_at(engine: Engine, version_id: int, offset: int) -> Block | None:
    """Return the block that holds a code point of a version's text, None between blocks."""
    statement = text(
        f"SELECT {BLOCK_COLUMNS} FROM blocks WHERE version_id = :version_id"
        " AND start_offset <= :offset AND end_offset > :offset"
    )
    with engine.connect() as connection:
        row = connection.execute(
            statement, {"version_id": version_id, "offset": offset}
        ).one_or_none()
    return _block(row) if row else None


def count_documents(engine: Engine, workspace_id: int) -> int:
    """Return how many documents a workspace ever had."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM documents WHERE workspace_id = :workspace_id"),
                {"workspace_id": workspace_id},
            ).scalar_one()
        )


def named_readers(engine: Engine, workspace_id: int) -> frozenset[str]:
    """Return the channels and user groups that any document, deleted ones too, is for."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT DISTINCT reader FROM documents, unnest(audience) AS reader"
                " WHERE workspace_id = :workspace_id AND reader <> ALL(:kinds)"
            ),
            {"workspace_id": workspace_id, "kinds": [EVERYONE, EXTERNAL]},
        )
        return frozenset(rows.scalars())
