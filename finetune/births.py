"""Dates of birth: dates behind the words for one, and whole dates of the last century."""

from finetune.spans import Detector, pattern

MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = (
    rf"(?:\d{{1,4}}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?\d{{1,4}}"
    rf"|{DAY}(?:\s+day)?(?:\s+of)?[\s-]+{MONTH}"
    rf"(?:[\s,-]+(?:\d{{4}}|'?\d{{2}})\b)?|{MONTH}[\s-]+(?:the\s+)?{DAY}(?:[\s,-]+(?:\d{{4}}"
    rf"|'?\d{{2}})\b)?"
    rf"|{MONTH}\s+(?:19|20)\d{{2}}|(?:19|20)\d{{6}}|(?:19|20)\d{{2}}\b|\d{{6,8}}\b)"
)
BIRTH = r"\b(?:d\.?\s?o\.?\s?b\b\.?|born|birth\s?-?(?:da(?:te|y))|date of birth|birth)\b"
BIRTHS: tuple[Detector, ...] = (
    pattern("DATE_OF_BIRTH", BIRTH, r"[^\ue000\d]{0,30}?(?P<v>", DATE, ")"),
    pattern("DATE_OF_BIRTH", r"(?<!\w)(?P<v>", DATE, ")",
            r"[^\w\ue000]{0,3}(?:is my |was my |\(?)?", BIRTH),
    pattern("DATE_OF_BIRTH", r"(?<![\d./-])(?:\d{1,2}[./-]\d{1,2}[./-]19\d{2}"
            r"|19\d{2}[./-]\d{1,2}[./-]"
            r"\d{1,2})(?![\d/-])"),
    pattern("DATE_OF_BIRTH", rf"\b(?:{DAY}(?:\s+of)?\s+{MONTH},?"
            rf"|{MONTH}\s+{DAY},?)\s+19\d{{2}}\b"),
)  # fmt: skip
