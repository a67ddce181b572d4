"""Whole messages, stream chunks and views, refused with the codes Slack uses for each."""

from html import escape
from typing import Any

from . import limits
from .records import Json, SlackError

PROMPTS = 4  # suggested prompts of an assistant thread
LOADING_MESSAGES = 10


def check_content(params: Json, *, text_limit: int, in_bytes: bool = False) -> None:
    """Check what a message says: its text, markdown, blocks and metadata.

    `text_limit` counts characters, or UTF-8 bytes where `in_bytes`. Raises `SlackError`.
    """
    text, markdown = params.get("text") or "", params.get("markdown_text")
    if markdown is not None and (text or params.get("blocks")):
        raise SlackError("markdown_text_conflict")
    if not (text or markdown or params.get("blocks") or params.get("attachments")):
        raise SlackError("no_text")
    if len(text.encode() if in_bytes else text) > text_limit:
        raise SlackError("msg_too_long")
    if len(markdown or "") > limits.MARKDOWN:
        raise SlackError("msg_too_long")
    check_blocks(params.get("blocks") or [])
    check_metadata(params.get("metadata"))


def check_blocks(blocks: Any) -> None:
    """Check the blocks of a message; raises `SlackError`."""
    if problems := limits.block_problems(blocks, "message"):
        raise SlackError("invalid_blocks", *problems)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise SlackError("invalid_attachments", "only_one_table_allowed")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > limits.MARKDOWN or message_size(blocks) > limits.MESSAGE_SIZE:
        raise SlackError("msg_blocks_too_long")


def message_size(value: Any) -> int:
    """Count the characters of all texts in `value`, escaped, as Slack counts a message.

    mrkdwn comes escaped already; everything else is escaped on Slack's side.
    """
    if isinstance(value, list):
        return sum(message_size(item) for item in value)
    if not isinstance(value, dict):
        return 0
    weight = limits.HEADER_WEIGHT if value.get("type") == "header" else 0
    text = value.get("text")
    if isinstance(text, str):
        raw = value.get("type") == "mrkdwn"
        return weight + len(text if raw else escape(text, quote=False))
    return weight + sum(message_size(item) for item in value.values())


def check_metadata(metadata: Any) -> None:
    """Check message metadata: an `event_type` and an `event_payload`; raises `SlackError`."""
    if metadata in (None, {}):
        return
    shape = isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str)
    if not shape or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")


def check_chunks(chunks: Any) -> None:
    """Check the chunks of a stream; raises `SlackError`."""
    p = limits.Problems()
    for i, chunk in enumerate(chunks if isinstance(chunks, list) else [None]):
        _check_chunk(p, chunk, f"/chunks/{i}")
    if p.found:
        raise SlackError("invalid_arguments", *p.found)


def _check_chunk(p: limits.Problems, chunk: Any, at: str) -> None:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind == "markdown_text":
        p.string(chunk.get("text"), limits.MARKDOWN, f"{at}/text")
    elif kind == "plan_update":
        p.string(chunk.get("title"), limits.TASK_TITLE, f"{at}/title")
    elif kind == "task_update":
        p.string(chunk.get("id"), limits.BLOCK_ID, f"{at}/id")
        p.string(chunk.get("title"), limits.TASK_TITLE, f"{at}/title")
        p.one_of(chunk.get("status"), limits.TASK_STATES, f"{at}/status")
    elif kind == "blocks":
        p.found += limits.block_problems(chunk.get("blocks"), "message", f"{at}/blocks")
    else:
        p.add(f"unsupported type: {kind}", f"{at}/type")


def chunk_text(chunks: list[Json]) -> str:
    """Return the words that these chunks add to a message."""
    return "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")


def check_view(view: Any) -> None:
    """Check a modal or a home tab; raises `SlackError` ("invalid_arguments") with the places."""
    p = limits.Problems()
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", "must provide an object [json-pointer:/view]")
    p.one_of(view.get("type"), ("modal", "home"), "/view/type")
    if view.get("type") == "modal":
        p.text(view.get("title"), limits.VIEW_TITLE, "/view/title", plain=True)
    for key in ("submit", "close"):
        if key in view:
            p.text(view[key], limits.VIEW_TITLE, f"/view/{key}", plain=True)
    if view.get("private_metadata"):
        p.string(view["private_metadata"], limits.PRIVATE_METADATA, "/view/private_metadata")
    p.optional(view.get("callback_id"), limits.CALLBACK_ID, "/view/callback_id")
    p.found += limits.block_problems(view.get("blocks"), "view", "/view/blocks")
    blocks = view["blocks"] if isinstance(view.get("blocks"), list) else []
    asks = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    if asks and view.get("type") == "modal" and "submit" not in view:
        p.add("must define `submit` to use an `input` block in modals", "/view")
    if p.found:
        raise SlackError("invalid_arguments", *p.found)


def check_prompts(prompts: Any) -> None:
    """Check the suggested prompts of an assistant thread; raises `SlackError`."""
    p = limits.Problems()
    for i, prompt in enumerate(p.items(prompts, PROMPTS, "/prompts")):
        for key in ("title", "message"):
            p.string(prompt.get(key), limits.TEXT, f"/prompts/{i}/{key}")
    if p.found:
        raise SlackError("invalid_arguments", *p.found)


def check_status(params: Json) -> None:
    """Check a thread's status and its loading messages; raises `SlackError`."""
    if "status" not in params:
        raise SlackError("invalid_arguments", "missing required field: status")
    if len(params.get("loading_messages") or []) > LOADING_MESSAGES:
        raise SlackError("invalid_arguments", f"no more than {LOADING_MESSAGES} items allowed")
