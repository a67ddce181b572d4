"""HTML to blocks: what a person sees of a page, and what its head says of it."""

from selectolax.lexbor import LexborHTMLParser

from ingestion.parse.front_matter import head_of, split_front_matter
from ingestion.parse.marks import Marks, Origin
from ingestion.parse.visible import visible
from ingestion.parse.walk import write_tree
from ingestion.parse.writer import CanonicalWriter, Head, shorten


def parse_html(name: str, source: str) -> tuple[CanonicalWriter, Head]:
    """Read a page. Returns the written blocks and what its head says.

    Raises `TooComplexError` for markup on which a parser would hang, `FrontMatterError` for a
    date in a meta element that is none.
    """
    # Line ends of two characters keep their length, and become one the parser leaves alone.
    source = source.replace("\r\n", "\t\n")
    values, body = split_front_matter(source)
    marks = Marks(source, name)
    tree = LexborHTMLParser(marks.mark_html(source[body:], Origin([0], [body])))
    writer = CanonicalWriter(source)
    write_tree(tree, marks, writer)
    return writer, _page_head(name, values, tree, marks, writer)


def write_page(
    name: str, html: str, writer: CanonicalWriter, *, paged: bool = False
) -> LexborHTMLParser:
    """Write the blocks of a page that was made of another format: offsets in it mean nothing.

    `paged`: see `write_tree`. Returns the parsed page. Raises `TooComplexError`.
    """
    marks = Marks(html, name)
    tree = LexborHTMLParser(marks.mark_html(html, Origin([0], [None])))
    write_tree(tree, marks, writer, paged=paged)
    return tree


def _page_head(
    name: str,
    values: dict[str, str],
    tree: LexborHTMLParser,
    marks: Marks,
    writer: CanonicalWriter,
) -> Head:
    """Return the head made of front matter, then meta elements, then `<title>` or the heading."""
    for meta in tree.css("meta"):
        key = (meta.attributes.get("name") or "").strip().lower().replace("-", "_")
        if key and key != "title" and (content := meta.attributes.get("content")):
            values.setdefault(key, marks.strip(content).strip())
    heading = writer.first_heading()
    element = tree.css_first("title")
    title = visible(marks.strip(element.text())) if element is not None else ""
    # "Returns policy | The Shop" names the site too: the page's own heading is the title.
    if heading and (not title or heading.casefold() in title.casefold()):
        title = shorten(heading)
    if title:
        values.setdefault("title", title)
    return head_of(name, values)
