"""Pictures in blocks that name an uploaded file, which must be there and looked at."""

import re
from collections.abc import Iterator
from typing import Any

from .records import Json, SlackError
from .rendering import file_json
from .workspace import Workspace

PICTURES = ("image/gif", "image/jpeg", "image/png")
FILE_ID = re.compile(r"F[A-Z0-9]{8,}")


def picture_problems(w: Workspace, blocks: Any, at: str = "/blocks") -> list[str]:
    """Return what is wrong with the uploaded pictures that these blocks show, as Slack says it.

    The app must have the file, and Slack must have looked at it and found a PNG, JPEG or GIF.
    """
    problems = []
    for where, file in _shown_files(blocks, at):
        if "id" in file and not FILE_ID.fullmatch(str(file["id"])):
            pattern = "input must match regex pattern: ^[F][A-Z0-9]{8,}$"
            problems.append(f"{pattern} [json-pointer:{where}/id]")
        elif not _is_picture(w, file):
            problems.append(f"invalid slack file [json-pointer:{where}]")
    return problems


def _shown_files(value: Any, at: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _shown_files(item, f"{at}/{i}")
    elif isinstance(value, dict):
        if isinstance(value.get("slack_file"), dict):
            yield f"{at}/slack_file", value["slack_file"]
        for key, item in value.items():
            yield from _shown_files(item, f"{at}/{key}")


def _is_picture(w: Workspace, named: Json) -> bool:
    for file in w.files.values():
        told = file_json(w, file)
        if named in ({"id": file.id}, {"url": told["url_private"]}, {"url": told["permalink"]}):
            return not file.deleted and told["mimetype"] in PICTURES
    return False


def check_pictures(w: Workspace, blocks: Any) -> None:
    """Check the uploaded pictures of a message; raises `SlackError` ("invalid_blocks")."""
    if problems := picture_problems(w, blocks):
        raise SlackError("invalid_blocks", *problems)
