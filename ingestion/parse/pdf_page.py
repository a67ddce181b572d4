"""One PDF page as it is read: the text that a person sees, as runs."""

from ingestion.parse.pdf_file import PageHandles
from ingestion.parse.pdf_glyphs import glyph_letters
from ingestion.parse.pdf_hidden import Sight
from ingestion.parse.pdf_text import PageText, TextReader, merged

Cmaps = dict[str, dict[int, int]]


def read_page(handles: PageHandles, number: int, cmaps: Cmaps) -> PageText:
    """Return a page's text without what a person cannot see.

    Adds to `cmaps` the letters of the glyphs of fonts that have no map to Unicode.
    """
    reader = TextReader(handles)
    sight = Sight(handles.page, reader)
    seen, hidden = sight.split(reader.read())
    for font, handle in reader.unmapped.items():
        if font not in cmaps:
            cmaps[font] = glyph_letters(handle)
    width, height = reader.size
    return PageText(
        number,
        reader.units,
        width,
        height,
        merged(seen),
        hidden=sum(len(run.text.replace(" ", "")) for run in hidden),
        scan=not seen and sight.has_pictured_words(),
        rules=[reader.shown_box(rule) for rule in sight.painting.rules],
    )
