"""What identifies a person or opens a door, told by its form or by the words before it."""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable

from stdnum import iban, luhn, verhoeff
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.es import dni, nie
from stdnum.exceptions import ValidationError
from stdnum.fr import nir

from finetune.births import BIRTHS
from finetune.given_names import COMMON_WORDS, NO_NAMES
from finetune.numbers import PHONES
from finetune.places import ADDRESSES
from finetune.spans import LONG_KEY, Detector, Pattern, digits, pattern

LEAST_ENTROPY = 3.3  # bits a character; English words have less, random letters and digits more
LEAST_HEX_ENTROPY = 2.8  # the same of hexadecimal digits, of which there are only 16
LONG = 30  # letters of a word that nobody types; one digit among them is enough
IBAN_LENGTHS = range(15, 35)
CARD_LENGTHS = range(13, 20)  # digits, ISO/IEC 7812


def _valid(check: Callable[[str], str]) -> Callable[[str], bool]:
    """Return whether a number of python-stdnum's is one, checksum and all."""

    def holds(value: str) -> bool:
        try:
            check(value)
        except ValidationError:
            return False
        return True

    return holds


def _is_iban(value: str) -> bool:
    plain = re.sub(r"[ -]", "", value).upper()
    return len(plain) in IBAN_LENGTHS and _valid(lambda v: iban.validate(v, check_country=False))(
        plain
    )


def _is_card(value: str) -> bool:
    plain = re.sub(r"\D", "", value)
    return len(plain) in CARD_LENGTHS and len(set(plain)) > 1 and bool(luhn.is_valid(plain))


def _is_random(value: str) -> bool:
    """Whether a long word is made by a machine: letters and digits without order."""
    parts = re.findall(r"[A-Za-z0-9]{8,}", value)
    longest = max(parts, key=len, default="")
    if (
        digits(value) < (1 if len(value) > LONG else 2)
        or not re.search("[A-Za-z]", value)
        or len(longest) < 12
    ):
        return False
    counts = Counter(longest)
    bits = -sum(n / len(longest) * math.log2(n / len(longest)) for n in counts.values())
    return bits >= (LEAST_HEX_ENTROPY if set(longest) <= set("0123456789abcdefABCDEF") else
                    LEAST_ENTROPY)  # fmt: skip


def _is_secret(value: str) -> bool:
    """Whether what follows "password is" looks like one rather than like a word."""
    inner = value.strip("\"'`“”")
    mixed = inner[1:] != inner[1:].lower() and not inner.isupper()
    return bool(digits(inner) or mixed or re.search(r"[^\w'.,?!-]", inner))


def _is_login(value: str) -> bool:
    return len(value) > 2 and value.casefold() not in COMMON_WORDS | NO_NAMES


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value.partition("%")[0].partition("/")[0])
    except ValueError:
        return False
    return True


def _tells(value: str) -> bool:
    """Whether an address on the web says who somebody is, or lets one in."""
    rest = value.partition("://")[2]
    host, _, path = rest.partition("/")
    return "@" in host or bool(
        re.search(r"[?#&][^=\s]*=", rest) or PROFILES.search(host + "/" + path)
    )


PROFILES = re.compile(
    r"(?:hooks\.slack\.com|linkedin\.com/(?:in|pub)|facebook\.com|fb\.com|instagram\.com"
    r"|twitter\.com"
    r"|\bx\.com|tiktok\.com|t\.me|wa\.me|github\.com|gitlab\.com|reddit\.com/u|calendly\.com"
    r"|paypal\.me"
    r"|youtube\.com/@|mastodon|telegram\.me|discord)/\S",
    re.IGNORECASE,
)

# --- addresses on the net ------------------------------------------------------------------

URLS: tuple[Detector, ...] = (
    pattern("URL", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\"|]+", holds=_tells),
    pattern("URL", r"\b(?:www\.)?(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"|]+",
            holds=lambda value: _tells("://" + value)),
)  # fmt: skip
AT = r"\s*(?:\(\s*(?:at|@)\s*\)|\[\s*(?:at|@)\s*\]|\{\s*(?:at|@)\s*\}|<\s*at\s*>|_at_|\*at\*|@)\s*"
DOT = (
    r"(?:\.|\s\.\s|\s*(?:\(\s*(?:dot|\.)\s*\)|\[\s*(?:dot|\.)\s*\]|\{\s*dot\s*\}|<\s*dot\s*>"
    r"|_dot_|\bdot\b)\s*)"
)
HOSTS = r"(?:g(?:oogle)?mail|yahoo|hotmail|outlook|icloud|proton(?:mail)?|aol|gmx|live|msn)"
LOCAL = r"[\w+-]+(?:(?:\.|\s+(?:dot|underscore|dash|hyphen|plus)\s+)[\w+-]+){0,4}"
EMAILS: tuple[Detector, ...] = (
    pattern("EMAIL", r"(?<![\w.+-])\"[^\"\n]{1,64}\"@(?:[\w-]+\.)+[^\W\d_]{2,}"),
    pattern("EMAIL", r"(?<![\w.+-])[\w.!#$%&*+/=?^{|}~-][\w.!#$%&'*+/=?^{|}~-]*@"
            r"(?:(?:[\w-]+\.)+[^\W\d_]{2,}|\[[\d.]+\]|[a-z][\w-]{2,})(?!\w)"),
    pattern("EMAIL", LOCAL, AT, r"[\w-]+(?:", DOT, r"[\w-]+){0,3}", DOT, r"[^\W\d_]{2,}\b"),
    pattern("EMAIL", LOCAL, r"\s+at\s+[\w-]+(?:\s+dot\s+[\w-]+)+"),
    pattern("EMAIL", r"\b[\w+-]*[._\d][\w.+-]*\s+at\s+(?:[\w-]+\.)+[a-z]{2,}\b"),
    pattern("EMAIL", r"mail[^\ue000\n]{0,40}?\b(?P<v>[\w.+-]+\s+at\s+(?:[\w-]+\.)+[a-z]{2,})\b"),
    pattern("EMAIL", LOCAL, r"\s+at\s+", HOSTS,
            r"\b(?:\s*(?:\.|\bdot\b|\s)\s*(?:com|net|org|de|me|ch|fr|co\s*(?:\.|dot)\s*uk)\b)?"),
)  # fmt: skip
NETWORK: tuple[Detector, ...] = (
    pattern("MAC", r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])"),
    pattern("MAC", r"(?<![\w.])(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?![\w.])"),
    pattern("IP", r"(?<![\w.])(?<!version )(?<!v)\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?"
            r"(?![\w])(?!\.\d)",
            holds=_is_ip),
    pattern("IP", r"(?<![\w:])(?=[0-9a-f:.%]*:[0-9a-f:.%]*:)[0-9a-f:]{2,}"
            r"(?:\d{1,3}(?:\.\d{1,3}){3})?"
            r"(?:%\w+)?(?:/\d{1,3})?(?![\w:])",
            holds=lambda value: _is_ip(value) and len(value) > 2),
    pattern("IP", r"(?<!\w)\d{1,3}(?:\s?[\[(](?:\.|dot)[\])]\s?\d{1,3}){3}(?!\w)"),
)  # fmt: skip

# --- what opens doors ----------------------------------------------------------------------

KEYS: tuple[Detector, ...] = (
    pattern("KEY", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[^\ue000]*?"
            r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?=\n\ue000)|\Z)"),
    pattern("KEY", r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9_-]{12,}"),
    pattern("KEY", r"\bxox[a-z](?:\.xox[a-z])?-[\w-]{6,}|\bxapp-[\w-]{6,}"),
    pattern("KEY", r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA)[A-Z0-9]{12,}\b", cased=True),
    pattern("KEY", r"\b(?:gh[a-z]|github_pat)_[A-Za-z0-9_]{12,}|\bgl[a-z]{2,4}-[\w-]{12,}"),
    pattern("KEY", r"\bAIza[\w-]{20,}|\bya29\.[\w-]{10,}", cased=True),
    pattern("KEY", r"\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?", cased=True),
    pattern("KEY", r"\bSG\.[\w-]{8,}\.[\w-]{8,}", cased=True),
    pattern("KEY", r"\b(?:hf|npm|pypi|fn|dop_v1|shp[a-z]{2}|whsec|sq0[a-z]{3}|glsa|lin_api|ntn"
            r"|secret|key)[_-](?=\w*\d)[\w-]{12,}"),
    pattern("KEY", r"\b(?:bearer|basic|digest)\s+(?P<v>(?=[\w+/=.~-]*\d)[\w+/=.~-]{12,})"),
)  # fmt: skip
RANDOM: tuple[Detector, ...] = (
    pattern("KEY", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
    pattern("KEY", r"(?<![\w/+.@-])[A-Za-z0-9_+/-]{18,}={0,2}(?![\w@])", holds=_is_random),
)  # fmt: skip
ANNOUNCING = (
    r"(?<![a-z0-9])(?:pass(?:[ -]?(?:word|code|phrase)|wd)|pwd|(?:client |shared )?secret|(?:api"
    r"|access|secret"
    r"|private|license|licence|product|activation|recovery|security)[ _-]?(?:key|code|token)"
    r"|credentials?|token|otp|pin(?: (?:number|code|no\.?))?|(?:verification|authentication|auth"
    r"|one[- ]time|2fa|mfa|reset|access|door|gate|entry)[ -]?(?:pass)?code|cvv2?|cvc"
    r"|wi-?fi key)(?![a-z0-9])"
)
SECRETS: tuple[Detector, ...] = (
    pattern("KEY", ANNOUNCING, r"(?:\s+(?:for|to|of)\s+\w+(?:\s+\w+)?)?\s*(?:[:=]+|->)\s*[\"'`]?"
            r"(?P<v>[^\s\"'`\ue000]{3,})"),
    pattern("KEY", ANNOUNCING, r"(?:\s+(?:for|to|of)\s+\w+(?:\s+\w+)?)?\s+"
            r"(?:(?:is|was|now|be|number|code|to)\s+){0,3}[\"'`]?"
            r"(?P<v>[^\s\"'`\ue000]{3,})", holds=_is_secret),
)  # fmt: skip
SLACK: tuple[Detector, ...] = (
    pattern("SLACK_ID", r"<(?:[@#!](?:subteam\^)?)[A-Z0-9]{3,}(?:\|[^>\ue000]*)?>"),
    pattern("SLACK_ID", r"\b[UWTCDGBASFE](?=[A-Z]*\d)[A-Z0-9]{8,12}\b", cased=True),
    pattern("SLACK_ID", r"\b[UWTCDGB]0[A-Z0-9]{4,12}\b", cased=True),
)

# --- numbers that states and banks give ----------------------------------------------------

MONEY: tuple[Detector, ...] = (
    pattern("IBAN", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b",
            holds=_is_iban),
    pattern("IBAN", r"\biban\b[^\ue000\d]{0,20}?(?P<v>[A-Z]{2}\s?\d{2}"
            r"(?:[ -]?[A-Z0-9]{2,5}){2,8})"),
    pattern("IBAN", r"\b[A-Z]{2}\d{2}(?:[ -]?\d{4}){3,6}(?:[ -]?\d{1,3})?\b"),
    pattern("CARD", r"(?<![\w.])\d(?:[ .\-/]{0,2}\d){12,18}(?!\w)", holds=_is_card),
    pattern("CARD", r"(?<![\d.,])\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)"),
    pattern("CARD", r"(?<![\d.,])3[47]\d{2}([ -])\d{6}\1\d{5}(?!\d)"),
    pattern("CARD", r"\b(?:card|visa|mastercard|amex|credit|debit)\b[^\ue000\d]{0,30}?"
            r"(?:ending|ends|last (?:four|4))[^\ue000\d]{0,20}?(?P<v>\d{4})\b"),
    pattern("CARD", r"\bexp(?:ir\w*)?\b[^\ue000\d]{0,12}(?P<v>\d{2}\s?/\s?(?:20)?\d{2})(?!\d)"),
    pattern("CARD", r"(?<!\w)(?:[x*•#]{4}[ -]?){1,3}\d{4}\b"),
    pattern("CARD", r"\b(?:visa|mastercard|amex|american express|(?:credit|debit|bank"
            r"|gift) card)\b"
            r"[^\ue000\d]{0,30}?(?P<v>\d(?:[ -]?\d){11,18})\b"),
)  # fmt: skip
STATES: tuple[Detector, ...] = (
    pattern("SSN", r"(?<![\d-])\d{3}([- .])\d{2}\1\d{4}(?![\d-])"),
    pattern("NATIONAL_ID", r"(?<![\d-])\d{2}-\d{7}(?![\d-])"),
    pattern("NATIONAL_ID", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b"),
    pattern("NATIONAL_ID", r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}\b"),
    pattern("NATIONAL_ID", r"\b\d{11}\b", holds=_valid(cpf.validate)),
    pattern("NATIONAL_ID", r"\b\d{14}\b", holds=_valid(cnpj.validate)),
    pattern("NATIONAL_ID", r"\b756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}\b", holds=_valid(ahv.validate)),
    pattern("NATIONAL_ID", r"\b756\.\d{4}\.\d{4}\.\d{2}\b"),
    pattern("NATIONAL_ID", r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}\b"),
    pattern("NATIONAL_ID", r"\b(?!BG|GB|NK|KN|TN|NT"
            r"|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\d{2}"
            r"[ -]?\d{2}[ -]?\d{2}[ -]?[A-D]\b"),
    pattern("NATIONAL_ID", r"\b\d{8}-?[A-Z]\b", holds=_valid(dni.validate)),
    pattern("NATIONAL_ID", r"\b[XYZ]-?\d{7}-?[A-Z]\b", holds=_valid(nie.validate)),
    pattern("NATIONAL_ID", r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b"),
    pattern("NATIONAL_ID", r"\b[12](?: ?\d){4} ?\d[\dAB](?: ?\d){6}(?: ?\d){2}\b",
            holds=_valid(nir.validate)),
    pattern("NATIONAL_ID", r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b"),
    pattern("NATIONAL_ID", r"\b[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}\b", holds=lambda value: bool(
        verhoeff.is_valid(re.sub(r"\D", "", value)))),
    pattern("NATIONAL_ID", r"\b\d{3}([ -])\d{3}\1\d{3}\b", holds=_valid(sin.validate)),
    pattern("NATIONAL_ID", r"\b\d{6}-[1-8]\d{6}\b"),
    pattern("NATIONAL_ID", r"\b(?:19|20)?\d{6}[-+A]\d{3}[0-9A-Z]\b", cased=True),
)  # fmt: skip

# --- numbers behind words that announce them -----------------------------------------------

MARK = (
    r"(?:\s*(?:'s|number|numbers|nr\.?|no\.?|num|id|ids|code|card|#|is|was|are|it's|its|that's|:|="
    r"|-|,|\("
    r"|ref(?:erence)?|confirmation|locator|please|ends?(?: in| with)?|ending(?: in| with)?"
    r"|last (?:four|4|five|5)(?: digits)?|on file)(?![a-z]))"
)
VALUE = r"[\"'“‘`(]?#?\s?(?P<v>(?=[\w/-]*\d)[a-z0-9][\w/-]*(?:[ .-](?=[\w/-]*\d)[\w/-]+){0,6})"
NATIONAL = (
    r"\b(?:ssn|social(?: security)?|national (?:id|insurance|identity)|nino|ni"
    r"|tax(?:payer)?[ -]?(?:id"
    r"|identification|number|file)|tin|itin|ein|tfn|vat|passport|driver'?s?'? licen[cs]e"
    r"|driving licen[cs]e"
    r"|licen[cs]e (?=number|no|#)|id card|identity card|identification|personal (?:id|number)"
    r"|personnummer"
    r"|bsn|cpf|cnpj|dni|nie|nif|pesel|aadhaa?r|pan (?=card|number|no)|steuer(?:nummer|-?id)"
    r"|medicare"
    r"|medicaid|nhs|health (?:card|insurance)|alien|green card|visa (?=number|no)|ssnr|oib|egn"
    r"|cnp|rut|curp)"
    r"\b"
)
ACCOUNT = (
    r"\b(?:accounts?|acct|a/c|customer|client|member(?:ship)?|loyalty|rewards?|frequent flyer"
    r"|routing|aba"
    r"|sort(?= code)|swift|bic|bank|employee|staff|student|patient|medical record|mrn|user"
    r"|profile|badge"
    r"|subscriber|subscription|policy ?holder|insurance|policy|beneficiary|konto\w*"
    r"|kundennummer)\b"
)
ORDER = (
    r"\b(?:orders?|booking|reservation|confirmation|invoice|ticket|case|ref(?:erence)?|tracking"
    r"|shipment"
    r"|parcel|package|claim|contract|transaction|payment|ride|trip|flight|voucher|coupon|gift"
    r"|promo"
    r"|application|request|po|purchase|rma|return|file|docket|permit|receipt|quote|appointment"
    r"|locker"
    r"|serial|device|imei|iccid|sim|meter|vin|vehicle|registration|(?:licen[cs]e |number )?plate"
    r"|bestell\w*)"
    r"\b"
)
MARKED = MARK + r"{1,5}\s*"
BEHIND_WORDS: tuple[Detector, ...] = (
    pattern("NATIONAL_ID", NATIONAL, MARK, r"{0,5}\s*", VALUE,
            holds=lambda value: digits(value) >= 4),
    pattern("ACCOUNT", ACCOUNT, MARKED, VALUE, holds=lambda value: digits(value) >= 3),
    pattern("ACCOUNT", ACCOUNT, r"\s*", VALUE, holds=lambda value: digits(value) >= 4),
    pattern("ACCOUNT", r"\b(?:swift|bic)\b[^\ue000\w]{0,3}(?:code )?(?:is |: ?)?"
            r"(?P<v>[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b"),
    pattern("ORDER", ORDER, MARKED, VALUE, holds=lambda value: digits(value) >= 2),
    pattern("ORDER", ORDER, r"\s*", VALUE, holds=lambda value: digits(value) >= 4),
    pattern("ORDER", r"\b(?:plates?|registration)\b(?: number)?(?:\s*(?:is|was|:|reads?))?\s+"
            r"(?P<v>(?=[A-Z -]*\d)(?-i:[A-Z0-9]{1,4}(?:[- ]?[A-Z0-9]{1,4}){1,2}))\b"),
    pattern("ORDER", r"(?<!\w)#\s?(?P<v>[A-Z]{0,5}-?\d[\w-]{3,})"),
)  # fmt: skip

# --- names one goes by ---------------------------------------------------------------------

USERNAMES: tuple[Detector, ...] = (
    pattern("USERNAME", r"\b(?:user[ -]?name|user[ -]?id|log-?in(?: name| id)?|screen ?name|handle"
            r"|nick(?:name)?|account name|skype(?: id)?|telegram|discord|twitter|instagram|insta"
            r"|snapchat"
            r"|gamertag|github)\b\s*(?:(?:is|was|id|name|handle|called|:|=|as)\s*){1,3}[\"'`@]?"
            r"(?P<v>[\w.-]{3,}(?:#\d{4})?)", holds=_is_login),
    pattern("USERNAME", r"\buser[ -]?name\s+(?P<v>[a-z][\w.-]{2,})", holds=_is_login),
    pattern("USERNAME", r"\b(?:logged|log|signed|sign) in (?:as|with) [\"'`@]?"
            r"(?P<v>[\w.-]{3,})", holds=_is_login),
    pattern("USERNAME", r"(?<![\w@.])@(?!channel\b|here\b|everyone\b)[a-z_][\w.-]{2,}"),
    pattern("USERNAME", r"\b(?!(?:covid|windows|office|web|python|version|step|question|level"
            r"|room|mp|utf"
            r"|base|sha|h)[-_.]?\d)[a-z]{3,}(?:[._-][a-z]+){0,2}[._-]?\d{2,}\b", cased=True),
    pattern("USERNAME", r"\b[a-z]+_[a-z0-9_]*[a-z0-9]\b", cased=True,
            holds=lambda value: digits(value) > 0),
)  # fmt: skip
REST: tuple[Detector, ...] = (
    pattern("NUMBER", r"(?<![\w.,])\d{7,}(?![\w]|[.,]\d)"),
    pattern("NUMBER", r"(?<![\w.,])(?=(?:[A-Z-]*\d){3})(?=[\d-]*[A-Z])(?!(?:ISO|RFC|DIN|EN|IEC"
            r"|NIST|PCI|SOC"
            r"|COVID|FORM|GDPR|PART)[- ]?\d)[A-Z0-9]{2,}(?:[-/][A-Z0-9]+)*\b", cased=True,
            holds=lambda value: len(value) >= 6),
)  # fmt: skip

ANNOUNCED: tuple[Detector, ...] = (
    Pattern("KEY", LONG_KEY),
    *URLS, *KEYS, *EMAILS, *SLACK, *MONEY, *STATES, *NETWORK, *RANDOM, *BIRTHS, *SECRETS,
    *ADDRESSES, *BEHIND_WORDS,
)  # fmt: skip
"""What its form or the words before it leave no doubt of, in this order: what is found first is
out of the others' sight."""
PLAIN: tuple[Detector, ...] = (*PHONES, *USERNAMES, *REST)
"""What is looked for once the answers to questions were found."""
