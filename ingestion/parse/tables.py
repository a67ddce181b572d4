"""Tables of data and tables that only lay out a page."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingestion.parse.visible import Piece

CELL_JOINER = " | "

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


def layout_tables(tree: LexborHTMLParser) -> set[int]:
    """Return the tables (by node id) that lay out a page: headings or tables stand in them."""
    layout: set[int] = set()
    open_tables: list[LexborNode] = []
    node = tree.root
    while node is not None:
        tag = node.tag
        if open_tables and (tag == "table" or tag in _HEADINGS):
            layout.add(open_tables[-1].mem_id)
        if tag == "table":
            open_tables.append(node)
        following = node.child
        while following is None and node is not None:
            if node.tag == "table" and open_tables and open_tables[-1].mem_id == node.mem_id:
                open_tables.pop()
            following = node.next
            if following is None:
                node = node.parent
        node = following
    return layout


def joined_cells(cells: list[list[Piece]]) -> list[list[Piece]]:
    """Put " | " between cells; empty cells at the end of a row are not seen."""
    while cells and not any(part.strip() for part, _ in cells[-1]):
        cells.pop()
    joined: list[list[Piece]] = []
    for cell in cells:
        joined += [[(CELL_JOINER, None)], cell] if joined else [cell]
    return joined
