"""Drafts that a style model must not change: of our own writing, and of a workspace's documents.

Each draft is some sentences with citation marks, as the graph hands them to a style model. Ours
hold, in turn, all that may not change: numbers with units and their order, dates, amounts, rates,
negations, limits, obligations, names, addresses, several marks on one sentence.
"""

import random
import re
from collections.abc import Sequence

from retrieval.sentences import split
from retrieval.voice import with_marks

OURS = 160
THEIRS = 160
SEED = 7
WORDS = range(6, 41)  # of a document's sentence that is taken

TEMPLATES = (
    "Returns are accepted within {days} days of delivery.",
    "Sale items are not refunded after {days} days.",
    "Orders over {money} ship free of charge.",
    "Expenses above {money} must be approved by {name} before they are paid.",
    "The allowance is {money} per night and {small} per meal.",
    "Contractors do not get the bonus unless their contract says so.",
    "Claims must be filed no later than {date}.",
    "From {date} the rate is {percent} instead of {other_percent}.",
    "Only {team} may open the safe.",
    "Batteries are covered for {months} months and screens for {other_months} months.",
    "You need to give at least {days} days of notice.",
    "At most {count} guests may join without a badge.",
    "Report the loss to {email} within {hours} hours.",
    "The form is at {url} and must be signed by {name}.",
    "Neither cash nor cheques are accepted at {place}.",
    "Refunds usually arrive after {days} working days.",
    "Parental leave lasts {weeks} weeks, of which {other_weeks} weeks are paid in full.",
    "Employees in {place} may work from home on {day} and {other_day}.",
    "Purchases before {date} are exempt from the fee of {money}.",
    "The warranty is void if the seal is broken, except where {team} opened it.",
    "Deliveries to {place} cost {money} for each {weight} kg.",
    "No refund is paid where the parcel was opened more than {count} times.",
    "Until {date}, {name} signs for amounts up to {money}.",
    "Interest of {percent} a year is added after {days} days.",
)
NAMES = "Marigold Ashworth|Tobias Lindqvist|Ines Carvalho|Desmond Okafor|Yuki Tanabe".split("|")
TEAMS = "Facilities|Procurement|the Audit Office|People Operations".split("|")
PLACES = "Lisbon|Rotterdam|the Northgate depot|Osaka|the Harbour office".split("|")
DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday".split("|")
MONTHS = "January|March|April|June|September|November".split("|")
CURRENCIES = ("€{}", "${}", "£{}", "{} EUR")

Draft = tuple[str, ...]
"""Sentences with their marks."""


def built_in_drafts(count: int = OURS, seed: int = SEED) -> list[Draft]:
    """Return drafts of our own writing, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    drafts = []
    for number in range(count):
        # Each template comes up as often as the others, and each length of draft.
        chosen = [
            TEMPLATES[(number + step * 5) % len(TEMPLATES)] for step in range(number % 3 + 1)
        ]
        drafts.append(_marked([_filled(template, dice) for template in chosen], dice))
    return drafts


def _filled(template: str, dice: random.Random) -> str:
    low, high = sorted(dice.sample(range(2, 29), 2))
    small, large = sorted(dice.sample(range(15, 950), 2))
    day, other_day = dice.sample(DAYS, 2)
    currency = dice.choice(CURRENCIES)
    host = dice.choice(("help", "people", "forms"))
    return template.format(
        days=high,
        hours=low * 2,
        count=low,
        weeks=high,
        other_weeks=low,
        months=high,
        other_months=low,
        weight=low,
        money=currency.format(large),
        small=currency.format(small),
        percent=f"{high / 2:g} %",
        other_percent=f"{low / 2:g} %",
        date=f"{dice.randint(1, 28)} {dice.choice(MONTHS)} {dice.randint(2026, 2029)}",
        name=dice.choice(NAMES),
        team=dice.choice(TEAMS),
        place=dice.choice(PLACES),
        day=day,
        other_day=other_day,
        email=f"{host}@example.com",
        url=f"https://{host}.example.com/forms/{low}",
    )


def drafts_of(texts: Sequence[str], count: int = THEIRS, seed: int = SEED) -> list[Draft]:
    """Return drafts of sentences that stand one after the other in documents' texts."""
    dice = random.Random(seed)  # noqa: S311 - as above
    sentences: list[tuple[int, str]] = []
    for number, text in enumerate(texts):
        for start, end in split(text):
            sentence = " ".join(text[start:end].split())
            whole = sentence[:1].isupper() and sentence[-1:] in ".!?"
            if whole and "|" not in sentence and len(sentence.split()) in WORDS:
                sentences.append((number, sentence))
    if not sentences:
        return []
    drafts = []
    for place in sorted(dice.sample(range(len(sentences)), min(count, len(sentences)))):
        number = sentences[place][0]
        length = dice.randint(1, 3)
        chosen = [words for at, words in sentences[place : place + length] if at == number]
        drafts.append(_marked(chosen, dice))
    return drafts


def _marked(sentences: Sequence[str], dice: random.Random) -> Draft:
    """Number footnotes as an answer does: from 1, some sentences with two, some sharing one."""
    marked, last = [], 0
    for sentence in sentences:
        numbers = [last] if last and dice.random() < 0.2 else [last + 1]
        if dice.random() < 0.15:
            numbers.append(max(numbers) + 1)
        last = max(last, *numbers)
        marked.append(with_marks(re.sub(r"\s*\[\d{1,3}\]", "", sentence), numbers))
    return tuple(marked)
