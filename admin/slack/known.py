"""What blocks name only by an id, and what the page may show for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from admin.slack.markup import Content, own_picture, run, tag
from admin.templating import web_link


@dataclass(frozen=True)
class Known:
    """Names by Slack's id (people, channels, user groups), and pictures by file id or address.

    A picture's address must be one of this site's own, or a PNG in a `data:` address; any other
    is not asked for.
    """

    app: str = "Footnote"
    names: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)

    def name(self, identifier: str) -> str:
        """Return what an id is called, the id itself where nobody said."""
        return self.names.get(identifier, identifier)

    def picture(self, identifier: str) -> str | None:
        """Return the address of a picture that may be shown."""
        return own_picture(self.pictures.get(identifier))


def mention(sign: str, name: str, *, everybody: bool = False) -> Markup:
    """Return a mention as Slack marks it; `everybody` is one that wakes a whole channel."""
    written = name if name.startswith(sign) else f"{sign}{name}"
    return run("mention everybody" if everybody else "mention", written)


def anchor(address: str, *content: Content) -> Markup:
    """Return a link where the address is one of the web; else the words, and what it said."""
    safe = web_link(address)
    if safe is not None:
        return tag("a", *content, href=safe, rel="noreferrer noopener", target="_blank")
    if address.startswith("mailto:"):
        return run("link", *content)
    return run("refused", *content, title=f"not a link: {address}")
