"""What begins a list item on a PDF page: bullets of many fonts, numbers and letters."""

import re
import unicodedata

# Word and its like set bullets in fonts of signs, whose letters lie in the private area.
_BULLETS = (
    "•‣◦▪▫●○■□◆◇➢➤►▶▸✓✔✗❖⁃∙·∗*–—\\-\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf0a8\uf06f\uf02d\uf0be\ufffd"
)
_BULLET = re.compile(rf"\s*(?:[{_BULLETS}](?:\s+|$)|o\s+(?=[^\W\d_])|[\uf000-\uf0ff]\s*)")
_TIGHT_BULLET = re.compile(r"\s*[•●▪■➢►\uf0b7]\s*")
_NUMBER = re.compile(
    r"\s*(?:(?P<dotted>\d{1,3}(?:\.\d{1,3})+)\.?|(?P<number>\d{1,3})[.)]"
    r"|(?P<letter>[a-zA-Z])[.)]|(?P<roman>[ivxlIVXL]{1,6})[.)]|\((?P<bracket>\d{1,3}|[a-zA-Z]|[a-z]{2}|[ivxl]{1,6})\))"
    r"(?:\s+|$)"
)
_SECTION = re.compile(
    r"\s*(?:(?:section|article|clause|chapter|part|annex|appendix|schedule)\s+)?"
    r"(\d{1,3}(?:\.\d{1,3})*)\.?(?=\s|$)",
    re.IGNORECASE,
)
# Dots that lead the eye to a page's number, and lines to write on.
LEADER = re.compile(r"(?:[.·…_]\s?){5,}")
_CONTENTS = re.compile(r"\w\W{0,3}(?:[.·…]\s{0,2}){4,}\w{1,6}\s*\Z")
_CONTENTS_END = 200  # characters of a line that are looked at


def is_contents(text: str) -> bool:
    """Return whether a line is an entry of a table of contents: words, dots, a number."""
    return _CONTENTS.search(text[-_CONTENTS_END:]) is not None


def bullet(text: str) -> int:
    """Return where the words behind a bullet begin, 0 without a bullet."""
    match = _BULLET.match(text) or _TIGHT_BULLET.match(text)
    return match.end() if match else 0


def number(text: str) -> str | None:
    """Return the number or letter that begins a list item, as it is written, or None."""
    match = _NUMBER.match(text)
    return match[0].strip() if match else None


def number_depth(text: str) -> int:
    """Return how many dots a leading number has within: 2 for "4.2.1 Returns"."""
    match = _SECTION.match(text)
    return match[1].count(".") if match else 0


def is_marker(text: str) -> bool:
    """Return whether `text` is a bullet or a number and nothing else."""
    bare = text.strip()
    if not bare or len(bare) > 12:
        return False
    match = _NUMBER.fullmatch(bare) or _BULLET.fullmatch(bare + " ")
    return match is not None or (len(bare) == 1 and unicodedata.category(bare) in ("Co", "So"))


def key_letters(text: str) -> str:
    """Return the letters and digits of `text` alone, without case: to find headings again."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if c.isalnum())
