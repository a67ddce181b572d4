"""Whether redaction leaves anything: identifiers are planted into dialogues and looked for after.

The identifiers are made up by a seed, valid by their checksums where they have one, and said in
many ways: announced, in passing, spelled, in full-width digits. What is measured on them says
nothing about forms that nobody thought of here.
"""

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stdnum import iban, luhn

from finetune.redact import redact

PLANTED = 200  # identifiers
LEAST_PART = 3  # letters of a part of a name that counts as left when it stands there
WORD = re.compile(r"\w+")
PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")

FIRST = (
    "Oluwaseun Thandeka Xiulan Bartholomew Anneliese Priyadarshini Zbigniew Guadalupe"
    " Ferelith Ignatius"
).split()
LAST = (
    "Okonkwo Achterberg Villanueva Raghunathan Szczepanski Featherstonehaugh Lindqvist"
    " Papadopoulos"
).split()
COLLEAGUES = ("Xenothe Varga", "Brunilde Achebe", "Teodosio Kwan", "Ludmilla Sørby")
"""Who stands in the directory: named in passing, as nobody else is found."""
STREETS = "Primrose Juniper Old Mill Kensington Harbour View Sycamore".split()
ENDINGS = "Street Avenue Road Lane Boulevard".split()


@dataclass(frozen=True)
class RedactionReport:
    """What was planted and what was left of it, by kind; what was taken where nothing was.

    `alarms` counts placeholders by kind in dialogues as they came, `words` all their words. Some
    of these are right: people do say their names there.
    """

    planted: dict[str, int]
    left: dict[str, int]
    examples: tuple[str, ...] = field(repr=False)
    dialogues: int
    words: int
    alarms: dict[str, int]

    @property
    def alarm_rate(self) -> float:
        """The share of words that were replaced in dialogues as they came."""
        return sum(self.alarms.values()) / max(1, self.words)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types; what was left is made up, so it may be shown."""
        return {
            "planted": self.planted,
            "left": self.left,
            "left_examples": list(self.examples),
            "dialogues": self.dialogues,
            "words": self.words,
            "replaced_unplanted": self.alarms,
            "replaced_share": round(self.alarm_rate, 5),
        }


def evaluate_redaction(
    dialogues: Sequence[Sequence[str]], seed: int = 1, count: int = PLANTED
) -> RedactionReport:
    """Plant `count` identifiers into dialogues and say what redaction leaves of them."""
    dice = random.Random(seed)  # noqa: S311 - which identifiers are tried is no secret
    kinds = list(MAKERS)
    planted: Counter[str] = Counter()
    left: Counter[str] = Counter()
    examples: list[str] = []
    chosen = [dice.randrange(len(dialogues)) for _ in range(count)]
    for number, place in enumerate(chosen):
        kind = kinds[number % len(kinds)]
        value, said = MAKERS[kind](dice)
        messages = list(dialogues[place])
        at = dice.randrange(len(messages))
        messages[at] = f"{messages[at]} {said}" if dice.random() < 0.5 else said
        after = redact(messages, COLLEAGUES).texts
        planted[kind] += 1
        if is_left(kind, value, after):
            left[kind] += 1
            examples.append(f"{kind}: {said} → {after[at]}")
    alarms: Counter[str] = Counter()
    words = 0
    sample = [dialogues[place] for place in sorted(set(chosen))]
    for dialogue in sample:
        alarms.update(redact(dialogue, COLLEAGUES).counts)
        words += sum(len(WORD.findall(message)) for message in dialogue)
    return RedactionReport(
        {kind: planted[kind] for kind in kinds},
        {kind: left[kind] for kind in kinds},
        tuple(examples),
        len(sample),
        words,
        dict(sorted(alarms.items())),
    )


def is_left(kind: str, value: str, texts: Sequence[str]) -> bool:
    """Whether a planted value, or a part of a name, stands in texts; spelling is seen through."""
    whole = _plain(" ".join(PLACEHOLDER.sub(" ", text) for text in texts))
    if kind in ("NAME", "DIRECTORY"):
        parts = [part for part in value.split() if len(part) >= LEAST_PART]
        return any(re.search(rf"\b{re.escape(_plain(part))}\b", whole) for part in parts)
    wanted = _plain(value)
    return re.sub(r"[\s.-]", "", wanted) in re.sub(r"[\s.-]", "", whole)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")


# --- identifiers, each with a sentence that says it ---------------------------------------

Maker = Callable[[random.Random], tuple[str, str]]


def _digits(dice: random.Random, count: int) -> str:
    return str(dice.randint(1, 9)) + "".join(str(dice.randint(0, 9)) for _ in range(count - 1))


def _said(dice: random.Random, value: str, *sentences: str) -> tuple[str, str]:
    return value, dice.choice(sentences).replace("{}", value)


def _name(dice: random.Random) -> tuple[str, str]:
    value = f"{dice.choice(FIRST)} {dice.choice(LAST)}"
    return _said(
        dice, value, "My name is {}.", "I'm {}, thanks.", "This is {} from the second floor.",
        "Please ask for Ms. {}.", "Best regards,\n{}", "Hello, {} here.", "my name's {} btw",
        "The account holder is {}.", "My wife {} ordered it.",
    )  # fmt: skip


def _email(dice: random.Random) -> tuple[str, str]:
    name, host = dice.choice(FIRST).lower(), dice.choice(("example.com", "mail.example.co.uk"))
    value = dice.choice((f"{name}@{host}", f"{name}.{_digits(dice, 2)}+shop@{host}"))
    if dice.random() < 0.2:
        spelled = value.replace("@", " at ").replace(".", " dot ")
        return spelled, f"Write to {spelled} please."
    return _said(
        dice, value, "Mail me at {}.", "{}", "it is {}, ok?", "<mailto:{}|mail>", "E-MAIL:{}"
    )


def _phone(dice: random.Random) -> tuple[str, str]:
    area, three, four = _digits(dice, 3), _digits(dice, 3), _digits(dice, 4)
    value = dice.choice(
        (f"({area}) {three}-{four}", f"{area}-{three}-{four}", f"+1 {area} {three} {four}",
         f"{area}.{three}.{four}", f"+44 20 7946 0{three}", f"+49 30 {three}{four}",
         f"{area}{three}{four}",
         f"0{_digits(dice, 4)} {_digits(dice, 6)}")
    )  # fmt: skip
    return _said(dice, value, "Call me on {}.", "{}", "my number is {} thanks", "Phone: {}")


def _card(dice: random.Random) -> tuple[str, str]:
    body = dice.choice("45") + _digits(dice, 14)
    value = body + luhn.calc_check_digit(body)
    grouped = " ".join(value[n : n + 4] for n in range(0, 16, 4))
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in value)
    return _said(dice, dice.choice((value, grouped, grouped.replace(" ", "-"), wide)),
                 "The card is {}.", "{}", "I paid with {} yesterday")  # fmt: skip


def _iban(dice: random.Random) -> tuple[str, str]:
    bank = _digits(dice, 18)
    value = f"DE{iban.calc_check_digits('DE00' + bank)}{bank}"
    grouped = " ".join(value[n : n + 4] for n in range(0, len(value), 4))
    return _said(dice, dice.choice((value, grouped)), "Refund to {}.", "IBAN: {}", "{}")


def _address_on_net(dice: random.Random) -> tuple[str, str]:
    four = ".".join(str(dice.randint(1, 254)) for _ in range(4))
    six = ":".join(f"{dice.randrange(65536):x}" for _ in range(8))
    return _said(dice, dice.choice((four, six, f"2001:db8::{dice.randrange(65536):x}")),
                 "It comes from {}.", "my ip is {}", "{}")  # fmt: skip


def _link(dice: random.Random) -> tuple[str, str]:
    secret = "".join(dice.choices("abcdefghijkmnpqrstuvwxyz23456789", k=14))
    value = dice.choice(
        (f"https://admin:{secret}@shop.example.com/x", f"https://example.com/reset?token={secret}",
         f"postgres://app:{secret}@db.example.com:5432/main")
    )  # fmt: skip
    return secret, f"I used {value} for that."


def _key(dice: random.Random) -> tuple[str, str]:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    random_part = "".join(dice.choices(letters, k=24))
    value = dice.choice(
        ("sk-proj-" + random_part, "xoxb-" + _digits(dice, 11) + "-" + random_part,
         "AKIA" + random_part[:16].upper(), "ghp_" + random_part + random_part[:12],
         f"eyJhbGciOiJIUzI1NiJ9.{random_part}.{random_part[::-1]}", random_part + _digits(dice, 3))
    )  # fmt: skip
    return _said(dice, value, "The key is {}", "{}", "export TOKEN={}", "use {} to log in")


def _slack(dice: random.Random) -> tuple[str, str]:
    tail = "".join(dice.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=8))
    value = dice.choice("UWTC") + "0" + tail
    return _said(dice, value, "Ask <@{}> about it.", "{} knows", "ping <@{}|joe>")


def _state(dice: random.Random) -> tuple[str, str]:
    value = f"{dice.randint(100, 665)}-{dice.randint(10, 99)}-{dice.randint(1000, 9999)}"
    return _said(dice, value, "My SSN is {}.", "{}", "social security number: {}")


def _number(dice: random.Random) -> tuple[str, str]:
    value = dice.choice((_digits(dice, 6), _digits(dice, 10), f"ORD-{_digits(dice, 5)}"))
    return _said(dice, value, "Order number {}.", "the booking id is {}", "Account #{}",
                 "invoice no. {}", "My customer number: {}", "ticket {} please")  # fmt: skip


def _address(dice: random.Random) -> tuple[str, str]:
    street = f"{dice.choice(STREETS)} {dice.choice(ENDINGS)}"
    value = f"{dice.randint(12, 9999)} {street}"
    return _said(dice, value, "I live at {}.", "{}, Springfield, IL 62704", "Send it to {} please",
                 "{}, Apt 4B")  # fmt: skip


def _birth(dice: random.Random) -> tuple[str, str]:
    year, month, day = dice.randint(1940, 2005), dice.randint(1, 12), dice.randint(1, 28)
    months = "January March April June July September October November December".split()
    value = dice.choice(
        (f"{day:02}/{month:02}/{year}", f"{year}-{month:02}-{day:02}",
         f"{dice.choice(months)} {day}, {year}",
         f"{day}.{month}.{year}")
    )  # fmt: skip
    return _said(dice, value, "I was born on {}.", "DOB: {}", "My date of birth is {}")


def _login(dice: random.Random) -> tuple[str, str]:
    value = dice.choice((f"{dice.choice(LAST).lower()}{_digits(dice, 3)}",
                         f"{dice.choice(FIRST).lower()}_x{_digits(dice, 2)}"))  # fmt: skip
    return _said(dice, value, "Username: {}", "my user name is {}", "it is {} I think", "@{}")


def _colleague(dice: random.Random) -> tuple[str, str]:
    value = dice.choice(COLLEAGUES)
    said, word = dice.choice((value, value.split()[0])), "yesterday"
    return said, f"{word} {said} was here and looked at it"


MAKERS: dict[str, Maker] = {
    "DIRECTORY": _colleague,
    "NAME": _name,
    "EMAIL": _email,
    "PHONE": _phone,
    "CARD": _card,
    "IBAN": _iban,
    "IP": _address_on_net,
    "URL": _link,
    "KEY": _key,
    "SLACK_ID": _slack,
    "SSN": _state,
    "ORDER": _number,
    "ADDRESS": _address,
    "DATE_OF_BIRTH": _birth,
    "USERNAME": _login,
}
