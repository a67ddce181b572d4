"""Sentences as offsets, by nupunkt's English model; a line end always ends one.

The model takes an everyday word before a stop ("month.") for an abbreviation now and then, so
its sentences are cut once more where the letters leave no doubt.
"""

import re
from collections.abc import Iterator

import nupunkt

WINDOW = 2_000  # characters given to the model at once: its time grows faster than their number

_LINE = re.compile(r"[^\n]+")
# A row of stops ("……", "?!?!") costs the model square time and ends one sentence all the same.
_STOPS = re.compile(r"[.?!…]{4,}")
_MARKER = re.compile(r"\W*(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})[.)]\W*")
# A word in small letters, a stop, and a word that begins with a capital.
_DOUBTLESS = re.compile(r"(?<![\w.'’&/-])(\w{3,}+)([.?!])\s++(?=([^\W\d_]))")
_ROMAN = re.compile(r"[ivx]+")
# What is written with a stop in small letters, and may stand before a capital.
_ABBREVIATIONS = frozenset(
    "abbr abs acct addl addr adj adm admin amdt amend amt ann anon appl approx appt apt arr art "
    "arts assn assoc asst att attn auth aux ave avg bal bldg blvd bros capt cert cfr chap chs "
    "cir circ cit col comm cont corp dec ded deg dep dept dest dev diag dir disc dist distr div "
    "eds encl ency eqn equiv esp esq est etc eval exc excl exec exp ext feb fed fig figs freq "
    "fri gen gov govt grp hon hrs hwy ibid inc incl inst intl intro jan jul jun lbs lib lieut "
    "ltd maj max mfg mfr mgmt mgr min mins misc mos msg mtg natl nov oct op opp opt ord org "
    "orig para paras pkg pres prev prin proc prof pts publ qtr qty ref refs reg regs rel repr "
    "req res resp rev rte sched sci sec secs sect sen sep sept sess spec sqq stat std ste subch "
    "subd subdiv subj subpar subpara subsec subsecs sup supp suppl supt surg sym tel temp terr "
    "tit treas tue tues typ ult univ ver vers viz vol vols wks yds yrs".split()
)

Span = tuple[int, int]


def split(text: str) -> list[Span]:
    """Return the sentences of `text` as (start, end) in code points, in order.

    Spans carry no white space at their ends and do not overlap; every other character is in
    one. A list item's number ("2.") belongs to the sentence after it. Linear in the length.
    """
    spans: list[Span] = []
    for line in _LINE.finditer(text):
        if not line[0].isspace():
            spans += _joined(text, _line_spans(text, line.start(), line.end()))
    return spans


def _line_spans(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = _window_end(text, start, end)
        found = _model_spans(text[start:stop])
        if stop < end and len(found) > 1:
            found.pop()  # the window may have cut it: it begins the next one
            stop = start + found[-1][1]
        yield from ((start + left, start + right) for left, right in found)
        start = stop


def _window_end(text: str, start: int, end: int) -> int:
    if end - start <= WINDOW:
        return end
    space = text.rfind(" ", start + WINDOW // 2, start + WINDOW)
    return space + 1 if space >= 0 else start + WINDOW


def _model_spans(window: str) -> list[Span]:
    calm = _STOPS.sub(lambda row: "x" * (len(row[0]) - 1) + row[0][-1], window)
    found = nupunkt.sent_spans(calm) if not window.isspace() else []
    return [part for left, right in found for part in _cut_again(window, left, right)]


def _cut_again(window: str, left: int, right: int) -> Iterator[Span]:
    """Yield the parts of one of the model's sentences; together they are all of it."""
    for match in _DOUBTLESS.finditer(window, left, right):
        if _ends_sentence(match[1], match[2]) and match[3].isupper():
            yield left, match.end()
            left = match.end()
    yield left, right


def _ends_sentence(word: str, stop: str) -> bool:
    if not (word.isalpha() and word.islower()):
        return False
    return stop != "." or (word not in _ABBREVIATIONS and not _ROMAN.fullmatch(word))


def _joined(text: str, spans: Iterator[Span]) -> list[Span]:
    """Trim spans, and give those that are no sentence of their own to a neighbour."""
    joined: list[Span] = []
    marker: Span | None = None  # a number, or a lone bracket, that waits for its sentence
    for left, right in spans:
        sentence = text[left:right]
        start = left + len(sentence) - len(sentence.lstrip())
        end = left + len(sentence.rstrip())
        if start >= end:
            continue
        wordless = not any(c.isalnum() for c in sentence)
        if wordless and joined:
            joined[-1] = (joined[-1][0], end)
        elif not joined and marker is None and (wordless or _MARKER.fullmatch(sentence)):
            marker = (start, end)
        else:
            joined.append((marker[0] if marker else start, end))
            marker = None
    return [marker] if marker else joined
