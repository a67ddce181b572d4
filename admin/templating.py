"""Templates and static files: every value is escaped, every asset carries its hash."""

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from admin.footnotes import day, in_force, status
from graph.footnotes import pieces, place
from store.answers import Citation

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
HASH_DIGITS = 10  # hex digits of an asset's sha256 in its address


@cache
def asset(name: str) -> str:
    """Return the address of a static file; it changes with the file, so it may be kept forever."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:HASH_DIGITS]
    return f"/static/{name}?v={digest}"


def web_link(link: str | None) -> str | None:
    """Return a document's own link if it leads to a web page, so never `javascript:`."""
    if link is None:
        return None
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    return link if parts.scheme in ("http", "https") and parts.netloc else None


def quote_link(citation: Citation) -> str:
    """Return the address at which a citation's words stand marked in their document."""
    return (
        f"/documents/{citation.version_id}?start={citation.start}&end={citation.end}"
        f"#{QUOTE_ANCHOR}"
    )


QUOTE_ANCHOR = "quote"


def _in_force_now(start: datetime, end: datetime | None) -> str:
    return in_force(start, end, datetime.now(UTC))


class Templates:
    """The Jinja environment of the pages; a name that a template lacks is an error."""

    def __init__(self) -> None:
        """Load templates from beside this module."""
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            day=day, pieces=pieces, place=place, status=status, web_link=web_link
        )
        self._environment.globals.update(
            asset=asset, in_force=_in_force_now, quote_link=quote_link, QUOTE_ANCHOR=QUOTE_ANCHOR
        )

    def render(self, name: str, **context: object) -> str:
        """Return a template filled with `context`."""
        return self._environment.get_template(name).render(context)
