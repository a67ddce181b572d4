"""Pictures of the pages of PDF documents, drawn by a process apart."""

from threading import BoundedSemaphore

from sqlalchemy import Engine

from core.errors import NotFoundError, ServiceUnavailableError
from ingestion.page_picture import pages_of, source_spans
from ingestion.sandbox import Sandbox
from store.blobs import read_blob
from store.originals import find_original

AT_ONCE = 4  # pictures asked for; they are drawn one after the other


class Pictures:
    """Draws pages of one workspace's documents. Who may see them is for the caller to know."""

    def __init__(self, engine: Engine, workspace_id: int, sandbox: Sandbox) -> None:
        self._engine = engine
        self._workspace_id = workspace_id
        self._sandbox = sandbox
        self._turns = BoundedSemaphore(AT_ONCE)

    def pages(self, version_id: int, start: int, end: int) -> list[int]:
        """Return the pages on which words of a version stand; none where it has no pages."""
        original = find_original(self._engine, self._workspace_id, version_id)
        if original is None or not original.is_pdf:
            return []
        return pages_of(source_spans(original.source_map, start, end))

    def draw(self, version_id: int, page: int, start: int = 0, end: int = 0) -> bytes:
        """Return a PNG of a page (from 1) with the words `text[start:end]` marked.

        Raises NotFoundError where the version's file is no PDF, ServiceUnavailableError where
        too many pictures are asked for, and what `Sandbox.page_picture` raises.
        """
        original = find_original(self._engine, self._workspace_id, version_id)
        data = None
        if original is not None and original.is_pdf:
            data = read_blob(self._engine, self._workspace_id, original.sha256)
        if original is None or data is None:
            raise NotFoundError("This version has no pages to show; open its text instead.")
        if not self._turns.acquire(blocking=False):
            raise ServiceUnavailableError("Other pages are being drawn; ask again in a minute.")
        try:
            spans = source_spans(original.source_map, start, end)
            return self._sandbox.page_picture(data, page, spans)
        finally:
            self._turns.release()
