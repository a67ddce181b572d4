"""Words that a line's end parts: whether their hyphen is the word's own or the line's.

The document itself says: "third-party" stands elsewhere with its hyphen, "information" without.
"""

import re
from collections.abc import Iterable

from ingestion.parse.pdf_source import HYPHEN

LINE_HYPHENS = ("-", HYPHEN, "\u2010", "\u00ad")

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?(?:[-\u2010][^\W\d_]+)*")
_LAST_PART = re.compile(r"([^\W\d_]+)[-\u2010\u00ad]\Z".replace("-", f"-{HYPHEN}", 1))
_FIRST_PART = re.compile(r"[^\W\d_]+")


class Hyphens:
    """The words of a document, by which a hyphen at a line's end is judged."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: set[str] = set()
        parted = False
        for line in lines:
            words = _WORD.findall(line)
            words, parted = words[parted:], ends_in_hyphen(line)  # halves of words are none
            self._words.update(word.casefold() for word in (words[:-1] if parted else words))

    def is_line_s_own(self, before: str, after: str) -> bool:
        """Return whether the hyphen that ends `before` goes when `after` is joined to it."""
        if before.endswith("\u00ad"):
            return True
        if any(sign in before.rpartition(" ")[2] for sign in "/@"):
            return False  # an address
        first, second = _LAST_PART.search(before), _FIRST_PART.match(after)
        if first is None or second is None or not second[0][0].islower():
            return False
        left, right = first[1].casefold(), second[0].casefold()
        if f"{left}-{right}" in self._words:
            return False
        if left + right in self._words:
            return True
        # Two words that stand alone elsewhere make a compound; parts of a word do not.
        return not (left in self._words and right in self._words)


def ends_in_hyphen(text: str) -> bool:
    """Return whether a line's text ends in a hyphen behind a letter."""
    bare = text.rstrip()
    return len(bare) > 1 and bare[-1] in LINE_HYPHENS and bare[-2].isalpha()
