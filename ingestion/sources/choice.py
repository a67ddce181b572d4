"""What of a place is read: its options, patterns for paths, and limits for a whole scan."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Self

from ingestion.errors import printable
from ingestion.sources import Failure, Fetching, SourceError

MAX_PATTERNS = 500  # characters of an option with patterns
MAX_SHOWN = 120  # characters of a path in a sentence
MIB = 1024 * 1024  # bytes

# What is read, and what people take for a document and should hear that it is not.
DOCUMENT_ENDINGS = frozenset(
    "md markdown mdown mdx rst adoc html htm xhtml txt text csv eml pdf docx docm doc pptx ppt"
    " xlsx xls odt ods odp rtf epub pages".split()
)


def check_options(kind: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise SourceError for an option that a kind of source does not have."""
    names = sorted(known)
    for name in options:
        if name not in names:
            there = f"it has {', '.join(names)}" if names else "it has none"
            raise SourceError(
                f"A source of kind {kind} has no option “{printable(name)}”; {there}."
            )


def number(options: Mapping[str, str], name: str, default: float, most: float) -> float:
    """Return an option that is a number from 0 to `most`. Raises SourceError."""
    written = options.get(name, "")
    if not written:
        return default
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise SourceError(f"The option {name} is a number from 0 to {most:g}; change it.")
    return value


class Patterns:
    """Patterns such as `policies/**/*.md, *.pdf`: one of them must fit a path.

    `*` and `?` stay within a part of the path, `**` is any number of parts; a pattern without a
    slash is about the last part alone. Upper and lower case are the same.
    """

    def __init__(self, patterns: Iterable[list[str]]) -> None:
        self._patterns = list(patterns)

    @classmethod
    def parse(cls, written: str) -> Self:
        """Return patterns written with commas between them. Raises SourceError."""
        if len(written) > MAX_PATTERNS:
            raise SourceError(f"The patterns are longer than {MAX_PATTERNS} characters.")
        named = [part.strip().casefold() for part in written.split(",")]
        return cls(
            part.strip("/").split("/") if "/" in part else ["**", part] for part in named if part
        )

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def fit(self, path: str) -> bool:
        """Return whether one of the patterns is that of a path."""
        parts = path.casefold().strip("/").split("/")
        return any(_fits(parts, pattern) for pattern in self._patterns)


def _fits(parts: list[str], pattern: list[str]) -> bool:
    """Walk the pattern with every number of parts that it may have used up so far."""
    used = {0}
    for wanted in pattern:
        if wanted == "**":
            used = set(range(min(used), len(parts) + 1))
        else:
            used = {n + 1 for n in used if n < len(parts) and fnmatchcase(parts[n], wanted)}
        if not used:
            return False
    return len(parts) in used


class Choice:
    """Which files of a place are read: those that fit the patterns, else every document.

    A name without an ending may be a document's, except where `endings` says that such files are
    something else, as in repositories of programs.
    """

    def __init__(self, patterns: str, *, bare_names: bool = True) -> None:
        self._patterns = Patterns.parse(patterns)
        self._bare_names = bare_names

    def takes(self, path: str) -> bool:
        """Return whether a file is read, told by its path within the source."""
        if hidden(path):
            return False
        if self._patterns:
            return self._patterns.fit(path)
        found = ending(path)
        return found in DOCUMENT_ENDINGS if found else self._bare_names


def hidden(path: str) -> bool:
    """Return whether a path has a hidden part, or is what an editor keeps beside a file."""
    parts = path.split("/")
    return any(part.startswith(".") for part in parts) or parts[-1].startswith("~$")


def ending(path: str) -> str:
    """Return the ending of a path without its dot, "" where what follows a dot is no ending."""
    name = path.rpartition("/")[2]
    last = name.rpartition(".")[2] if "." in name else ""
    # "terms v1.2" has no ending.
    return last.lower() if last[:1].isalpha() and " " not in last else ""


def shown(path: str) -> str:
    """Return a path within a source for a sentence: printable and of a bounded length."""
    told = printable(path) or "unnamed file"
    return told if len(told) <= MAX_SHOWN else f"{told[:60]}…{told[-59:]}"


class Tally:
    """Counts what one scan found and read."""

    def __init__(self, config: Fetching) -> None:
        self._config = config
        self._items = 0
        self._bytes = 0

    def count(self) -> None:
        """Count an item. Raises SourceError where there are more than a source may have."""
        self._items += 1
        if self._items > self._config.max_items:
            raise SourceError(
                f"There are more than {self._config.max_items:,} files; name those to read with"
                " a pattern, or watch parts of the place."
            )

    def add(self, size: int) -> None:
        """Count the bytes of a file that was read."""
        self._bytes += size

    @property
    def room(self) -> int:
        """The most bytes that the next file may have."""
        return min(self._config.max_bytes, self._config.max_total - self._bytes)

    def refusal(self, key: str, size: int) -> Failure | None:
        """Return why a file of `size` bytes is not read, None if it may be."""
        if size > self._config.max_bytes:
            return Failure(key, too_large(key, self._config.max_bytes, size))
        if self._bytes + size > self._config.max_total:
            return Failure(
                key,
                f"{shown(key)} was left for the next look, for this one had read"
                f" {self._config.max_total / MIB:,.0f} MiB.",
            )
        return None


def too_large(key: str, limit: int, size: int | None = None) -> str:
    """Return the sentence about a file of more than `limit` bytes."""
    told = f"{size / MIB:,.1f} MiB, more" if size else "larger"
    return (
        f"{shown(key)} is {told} than the {limit / MIB:,.0f} MiB that a file may have; split it."
    )
