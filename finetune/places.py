"""Postal addresses of people: a number with a street, a box, a code with its place."""

from finetune.spans import Detector, pattern

_STREET = (
    r"(?:street|str|st|avenue|ave|av|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl"
    r"|square"
    r"|sq|terrace|ter|parkway|pkwy|highway|hwy|circle|cir|crescent|cres|close|mews|gardens|gdns"
    r"|grove"
    r"|walk|alley|trail|loop|row|hill|way|quay|wharf|plaza|heights|ridge|turnpike|pike|expressway)"
)
_NOT = (
    r"(?!(?:of|the|a|an|on|in|for|to|at|and|or|is|are|was|per|by|with|from|more|days?|weeks?"
    r"|months?"
    r"|years?|hours?|minutes?|seconds?|miles?|blocks?|times?|people|guests?|items?|percent|am|pm"
    r"|kms?|kilometers?"
    r"|meters?|bedrooms?|credits?|dollars?|euros?)\b)"
)
_WORD = rf"{_NOT}[^\W\d_][\w'.-]*"
_UNIT = r"(?:apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|no|#|building|bldg|lot)"
_ZIP = (
    r"(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d"
    r"|\d{4}\s?[A-Z]{2})"
)
_BEHIND = (
    rf"(?:,?\s*{_UNIT}\b\.?\s*#?\w{{1,6}}|,?\s*#\s?\w{{1,6}})?"
    rf"(?:,?\s+(?:(?-i:[A-Z])[\w'.-]*\s?){{1,3}},?\s*(?:(?-i:[A-Z]{{2}})\b\.?)?,?\s*{_ZIP}\b"
    rf"|,?\s*{_ZIP}\b)?"
)
_CODE = r"(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer)"

ADDRESSES: tuple[Detector, ...] = (
    pattern("ADDRESS", r"(?<![\w.,$€£-])\d{1,6}[a-z]?(?:\s?[-/]\s?\d{1,5})?,?\s+(?:[nsew]\.?\s+)?"
            rf"(?:{_WORD}\s+|\d{{1,3}}(?:st|nd|rd"
            rf"|th)\s+){{1,4}}{_STREET}\b\.?(?:\s+[nsew]{{1,2}}\b)?{_BEHIND}"),
    pattern("ADDRESS", rf"\bp\.?\s?o\.?\s?box\s+\d+{_BEHIND}"),
    pattern("ADDRESS", rf"(?<!\w)(?-i:[A-ZÄÖÜ])[\w-]*(?:\s[\w-]+)?(?:{_CODE}|\s(?:Straße|Strasse"
            rf"|Weg|Platz|Allee))\s?"
            r"\d{1,4}\s?[a-z]?\b(?:,?\s*(?:D-)?\d{4,5}\s+[^\W\d_][\w-]+)?"),
    pattern("ADDRESS", r"(?<!\w)\d{1,4}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|place"
            r"|allée|chemin|impasse"
            r"|quai|route)\s+(?:(?:de|du|des|la|le|les|l'"
            r"|d')\s?){0,3}[^\W\d_][\w'-]+(?:\s[^\W\d_][\w'-]+){0,2}"
            r"(?:,?\s*\d{5}\s+[^\W\d_][\w-]+)?"),
    pattern("ADDRESS", r"\b(?-i:Calle|calle|Avenida|avenida|Avda\.?|Plaza|Paseo|Rua|rua|Via"
            r"|Viale|Piazza|Corso|Ulica|ul\.)\s+(?-i:(?=[^\W\d_a-z]))"
            r"(?:[^\W\d_][\w'.-]*\s+){0,4}[^\W\d_][\w'.-]*,?\s*(?:n[ºo°.]?\s*)?\d{1,5}\b"
            r"(?:,?\s*\d{5}\b)?"),
    pattern("ADDRESS", r"(?<!\w)(?-i:[A-ZÅÄÖØÆ])\w+(?:straat|laan|weg|plein|gracht|kade|singel"
            r"|vägen|gatan|gata|vej|gade)"
            r"\s+\d{1,4}\s?[a-z]?\b(?:,?\s*\d{4}\s?[A-Z]{2}\b)?"),
    pattern("ADDRESS", r"\b(?:[A-Z][a-z.'-]+ ){1,3}?[A-Z][a-z.'-]+,?\s+[A-Z]{2},?\s+\d{5}"
            r"(?:-\d{4})?\b", cased=True),
    pattern("ADDRESS", r"\b[A-Z][a-z.'-]+,?\s+[A-Z]{2},?\s+\d{5}(?:-\d{4})?\b", cased=True),
    pattern("ADDRESS", r"\b(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d[\dABEHMNPRV-Y]?"
            r"|\d[A-HJKPS-UW])"
            r" \d[ABD-HJLNP-UW-Z]{2})\b", cased=True),
    pattern("ADDRESS", r"\b[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d\b", cased=True),
    pattern("ADDRESS", r"\b(?:zip|post(?:al)?)\s?-?(?:code)?\b[^\ue000\w]{0,3}(?:(?:is|code"
            r"|:)\s*){0,2}"
            r"(?P<v>(?=[\w -]*\d)[A-Z0-9]{2,5}[ -]?[A-Z0-9]{0,4})\b"),
    pattern("ADDRESS", r"\b(?:(?:i|we|he|she|they) live[sd]? (?:at|on)|living at|resid(?:e|es"
            r"|ing) at|address"
            r"(?: on file)?(?: is|:)|moved? to|ship(?:ped|ping)?(?: it)? to|deliver(?:ed"
            r"|y)?(?: it)? to|send(?: it)?"
            r" to"
            r"|mail(?:ed)?(?: it)? to)\b\s*:?\s*(?P<v>(?=[^\ue000\n.!?]{0,30}\d)"
            r"[^\ue000\n.!?;]{6,80})",
            holds=lambda value: value[:1].isalnum() and len(value.split()) > 1),
    pattern("ADDRESS", rf"(?<!\w){_UNIT}\b\.?\s*#?\d{{1,5}}[a-z]?,?\s+\d{{1,6}}\s+{_WORD}"
            rf"\s+{_WORD}"),
    pattern("ADDRESS", r"(?<![\w.-])-?\d{1,3}\.\d{4,}\s*[,;/ ]\s*-?\d{1,3}\.\d{4,}(?!\w)"),
)  # fmt: skip
