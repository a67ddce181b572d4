"""Pictures of quoted pages in Slack: drawn by a process apart, uploaded where only the bot is."""

from threading import BoundedSemaphore

from slack_sdk.errors import SlackApiError

from bot.client import SLACK_FAILURES
from bot.recent import Recent
from bot.workspaces import Workspace
from core.errors import FootnoteError
from core.logs import logger
from ingestion.page_picture import pages_of, source_spans
from ingestion.sandbox import Sandbox
from store.blobs import read_blob
from store.cited import CitedWords
from store.originals import find_original

KEPT_FOR = 3_600.0  # seconds in which a picture is not drawn and uploaded again
KEPT = 5_000  # pictures that are remembered
TURN = 20.0  # seconds that somebody's pictures may wait for another's

log = logger(__name__)

# One process draws at a time: each may take hundreds of megabytes.
_turns = BoundedSemaphore(1)
_uploaded: Recent[tuple[str, str, int, int, int], str] = Recent(KEPT_FOR, KEPT)


def pictures_of(workspace: Workspace, cited: dict[int, CitedWords]) -> dict[int, str]:
    """Return the ids of files in Slack that show the pages quoted, by the keys given.

    What is no PDF has none. What fails is left out and logged: the words are there without it.
    """
    found: dict[int, str] = {}
    with Sandbox() as sandbox:
        for key, words in cited.items():
            try:
                file_id = _picture(workspace, sandbox, words)
            except (FootnoteError, *SLACK_FAILURES) as error:
                log.warning(
                    "no page picture",
                    version=words.citation.version_id,
                    error=type(error).__name__,
                    code=error.response.get("error") if isinstance(error, SlackApiError) else None,
                )
            else:
                if file_id is not None:
                    found[key] = file_id
    return found


def _picture(workspace: Workspace, sandbox: Sandbox, cited: CitedWords) -> str | None:
    citation = cited.citation
    of_slack = (workspace.client.base_url, workspace.team)  # which alone knows the file
    key = (*of_slack, citation.version_id, citation.start, citation.end)
    known = _uploaded.get(key)
    if known is not None:
        return known
    drawn = _drawn(workspace, sandbox, cited)
    if drawn is None:
        return None
    page, png = drawn
    answer = workspace.client.files_upload_v2(
        content=png, filename=f"page-{page}.png", title=f"Page {page}"
    )
    file_id = str(answer["files"][0]["id"])
    _uploaded.put(key, file_id)
    return file_id


def _drawn(workspace: Workspace, sandbox: Sandbox, cited: CitedWords) -> tuple[int, bytes] | None:
    """Return the quoted page and a PNG of the quote's neighbourhood on it; None for other files.

    Raises what `Sandbox.page_picture` raises.
    """
    citation = cited.citation
    original = find_original(workspace.engine, workspace.id, citation.version_id)
    if original is None or not original.is_pdf:
        return None
    spans = source_spans(original.source_map, citation.start, citation.end)
    pages = pages_of(spans)
    data = read_blob(workspace.engine, workspace.id, original.sha256)
    if not pages or data is None:
        return None
    if not _turns.acquire(timeout=TURN):
        return None
    try:
        return pages[0], sandbox.page_picture(data, pages[0], spans, crop=True)
    finally:
        _turns.release()
