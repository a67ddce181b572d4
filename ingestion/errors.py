"""Why a file is refused: each message is one sentence that names the file and the cause."""

from core.errors import FootnoteError

MAX_DISPLAY_NAME = 80  # characters of a file's name in a message


class DocumentError(FootnoteError):
    """Base of every reason why one file cannot be read; other files are not affected."""


class EmptyFileError(DocumentError):
    """The file holds no visible words."""


class FileTooLargeError(DocumentError):
    """The file is larger than its format's limit."""


class BinaryFileError(DocumentError):
    """The file is a program, a picture or other data, not a document."""


class UnsupportedFileError(DocumentError):
    """The file is a document in a format that this version does not read."""


class UndecodableFileError(DocumentError):
    """The file looks like text, but not in an encoding that can be told for certain."""


class TooComplexError(DocumentError):
    """The markup nests deeper, or is stranger, than any document written for people."""


class ProtectedFileError(DocumentError):
    """The file opens with a password only."""


class UnreadableFileError(DocumentError):
    """The file is damaged, or its letters cannot be told."""


class MissingFormatError(DocumentError):
    """The format is read only where an extra is installed."""


class PagePictureError(DocumentError):
    """The page cannot be drawn: it is not there, or of a size that no page has."""


class FrontMatterError(DocumentError):
    """A value in a document's own head (front matter or meta element) cannot be used."""


def display_name(name: str) -> str:
    """Return the last part of `name`, printable and at most 80 characters: never a path."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = printable(last) or "unnamed file"
    if len(shown) <= MAX_DISPLAY_NAME:
        return shown
    return f"{shown[: MAX_DISPLAY_NAME - 20]}…{shown[-19:]}"


def printable(name: str) -> str:
    """Return `name`, which may be a path, on one line and without what a terminal would obey."""
    one_line = "".join(" " if c.isspace() else c for c in name)
    return "".join(c for c in one_line if c.isprintable()).strip()
