"""The files that versions were read from, and where a version's words stand in them."""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from store.documents import SourceRun


@dataclass(frozen=True)
class Original:
    """A version's file without its bytes, which are the blob `sha256`."""

    file_name: str
    sha256: str
    is_pdf: bool
    source_map: tuple[SourceRun, ...]


def find_original(engine: Engine, workspace_id: int, version_id: int) -> Original | None:
    """Return the file of a version, None where there is no such version or it was not kept."""
    statement = text(
        "SELECT v.file_name, v.blob_sha256, v.source_map,"
        " position('%PDF-'::bytea IN substring(b.data FROM 1 FOR 1024)) > 0 AS is_pdf"
        " FROM document_versions v"
        " JOIN blobs b ON b.workspace_id = v.workspace_id AND b.sha256 = v.blob_sha256"
        " WHERE v.workspace_id = :workspace_id AND v.id = :version_id"
    )
    with engine.connect() as connection:
        row = connection.execute(
            statement, {"workspace_id": workspace_id, "version_id": version_id}
        ).one_or_none()
    if row is None:
        return None
    runs = tuple(SourceRun(*run) for run in row.source_map)
    return Original(row.file_name, row.blob_sha256, row.is_pdf, runs)
