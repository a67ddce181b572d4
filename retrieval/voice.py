"""What a style model is asked, in training as in use, and what its replies may not do.

A style model rewrites verified sentences or answers small talk. It is never believed: what it
changed of the facts is found by comparing its words with what it was given, by rules. The rules
see numbers with units and their order, dates, negations, addresses, names inside a sentence,
citation marks, words of obligation and limit, and which words share a clause with which number.
They do not understand: what is said of a number in new words, two nouns that change places where
there is one number or none, and a name nobody gave that begins a sentence go unnoticed.
"""

import re
from collections.abc import Sequence
from typing import Literal, TypedDict

from retrieval.addresses import addresses
from retrieval.facts import facts, facts_in_order, rates
from retrieval.lexical import terms
from retrieval.quotes import NEGATION

Register = Literal["plain", "warm", "calm", "brief"]
"""How to say it, by the asker's mood: `calm` for who is upset or worried, `brief` for who is in
a hurry, `warm` for who is pleased."""


class Message(TypedDict):
    """One message to a language model, as the chat APIs have it."""

    role: Literal["system", "user", "assistant"]
    content: str


TONE_RULES = """\
You answer as a member of the support team, in the team's voice, to what asks for no policy.
State no rule, number, date, amount, name or address, and promise nothing. One or two sentences.
"""

STYLE_RULES = """\
Rewrite the numbered sentences in the team's voice: same facts, same order, one line for each
with its number. Keep every number, date, amount, name, condition, negation, address and every
mark like [1] exactly. Add nothing. Reply with the numbered lines only.
"""

REGISTERS: dict[Register, str] = {
    "plain": "",
    "warm": "The asker is pleased: be warm.\n",
    "calm": "The asker is upset or worried: stay calm and kind, with no cheer.\n",
    "brief": "The asker is in a hurry: be brief.\n",
}

WISH_LIMIT = 100  # characters of a tone or a language, as an admin wrote it

LINE = re.compile(r"\s*(\d{1,3})[.):]\s+(\S.*)")
MARK = re.compile(r"\s*\[(\d{1,3})\]")
PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_]*_\d+\]")
PART = re.compile(r"[,;:()]\s*|\s(?:and|but|or|while|whereas|otherwise)\s", re.IGNORECASE)
CLAUSE = re.compile(r"[.!?:]\s+|\n+")
CAPITALISED = re.compile(r"(?<![\w’'.])(?:[A-Z][\w’'-]*|\w*[a-z][A-Z]\w*)")
# Said with a capital within a sentence without naming anybody.
NO_NAMES = frozenset("i i'm i’m i'd i’d i'll i’ll i've i’ve ok okay".split())

CONDITIONS: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for name, words in {
        "an obligation": r"must|shall|ha(?:ve|s|d) to|needs? to|(?:is|are) required|mandatory"
        r"|obliged|required to",
        "an exclusion": r"only|except|unless|solely|exclusively",
        "a lower limit": r"at least|no less than|minimum|or more|no fewer than|more than",
        "an upper limit": r"at most|no more than|maximum|up to|no later than|less than",
        "what comes before": r"before|prior to|until|in advance",
        "what comes after": r"after|afterwards|from then on",
        "a condition": r"if|when(?:ever)?|provided(?: that)?|as long as|in case|in the event",
        "a possibility": r"may|might|could|possibly|usually|normally|generally",
    }.items()
}  # fmt: skip

RULE = re.compile(
    r"\b(?:must|shall|required|entitled|eligible|allowed|permitted|prohibited|forbidden"
    r"|mandatory|refund(?:s|ed|able)?|reimburs\w+|deadline|guarantee[ds]?|warrant(?:y|ies)"
    r"|free of charge|policy (?:says|states|is)|(?:can|may|will|do) (?:return|claim|exchange)"
    r"|(?:our|the) polic(?:y|ies) (?:say|allow|require|cover)s?)\b",
    re.IGNORECASE,
)
LONGEST_SENTENCE = 1_200  # characters: what one claim of an answer may have
LONGEST_REPLY = 400  # characters of a reply to small talk


def tone_messages(
    turns: Sequence[tuple[Literal["asker", "team"], str]],
    register: Register = "plain",
    *,
    tone: str | None = None,
    language: str | None = None,
    examples: Sequence[tuple[str, str]] = (),
) -> list[Message]:
    """Return what asks a model for the team's next words in a conversation.

    `turns` are (who, text), the asker's last; `examples` are (asked, replied) of the team, for a
    model that was not tuned. `tone` and `language` are an admin's wishes.
    """
    messages: list[Message] = [
        {"role": "system", "content": TONE_RULES + REGISTERS[register] + wishes(tone, language)}
    ]
    for asked, replied in examples:
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": replied})
    for who, text in turns:
        messages.append({"role": "user" if who == "asker" else "assistant", "content": text})
    return messages


def style_messages(
    sentences: Sequence[str],
    register: Register = "plain",
    *,
    tone: str | None = None,
    language: str | None = None,
    examples: Sequence[str] = (),
) -> list[Message]:
    """Return what asks a model for sentences in the team's voice, as numbered lines.

    The sentences carry their marks, "Refunds take 14 days. [1]". `examples` are replies of the
    team, for a model that was not tuned: shown for their tone alone.
    """
    rules = STYLE_RULES + REGISTERS[register] + wishes(tone, language)
    if examples:
        shown = "\n".join(f"- {' '.join(example.split())}" for example in examples)
        rules += f"The team writes like this (take the tone, never the facts):\n{shown}\n"
    lines = "\n".join(
        f"{number}. {' '.join(sentence.split())}"
        for number, sentence in enumerate(sentences, start=1)
    )
    return [{"role": "system", "content": rules}, {"role": "user", "content": lines}]


def wishes(tone: str | None, language: str | None) -> str:
    """Return an admin's wishes of a place as rules, each on one line."""
    said = ""
    if tone:
        said += f"The tone is wanted to be: {' '.join(tone.split())[:WISH_LIMIT]}.\n"
    if language:
        said += f"Keep the sentences' language; greet in {_one_line(language)} at most.\n"
    return said


def numbered(sentences: Sequence[str]) -> str:
    """Return sentences as the numbered lines that a style model replies with."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(sentences, start=1))


def read_lines(reply: str, count: int) -> list[str] | None:
    """Return the `count` sentences of a reply in numbered lines; None where it is anything else.

    A single sentence may come without its number.
    """
    lines = [line for line in reply.strip().splitlines() if line.strip()]
    if count == 1 and len(lines) == 1 and LINE.fullmatch(lines[0]) is None:
        return [lines[0].strip()]
    read = [LINE.fullmatch(line) for line in lines]
    found = [(int(match[1]), match[2].strip()) for match in read if match is not None]
    if len(found) != len(lines) or [number for number, _ in found] != list(range(1, count + 1)):
        return None
    return [text for _, text in found]


def with_marks(sentence: str, numbers: Sequence[int]) -> str:
    """Return a sentence with the marks of its citations behind it."""
    return " ".join([sentence, "".join(f"[{number}]" for number in numbers)]).strip()


def marks(sentence: str) -> list[int]:
    """Return the numbers of a sentence's citation marks, in order."""
    return [int(number) for number in MARK.findall(sentence)]


def without_marks(sentence: str) -> str:
    """Return a sentence without its citation marks."""
    return MARK.sub("", sentence).strip()


def changed_facts(before: Sequence[str], after: Sequence[str]) -> str | None:
    """Return what rewriting sentences changed that it may not, in a few words, or None."""
    if len(before) != len(after):
        return "the number of sentences changed"
    for old, new in zip(before, after, strict=True):
        changed = _changed(old, new)
        if changed is not None:
            return changed
    return None


def _changed(old: str, new: str) -> str | None:
    if sorted(marks(old)) != sorted(marks(new)):
        return "a citation mark changed"
    if set(PLACEHOLDER.findall(new)) - set(PLACEHOLDER.findall(old)):
        return "a placeholder was put in"
    old, new = without_marks(old), without_marks(new)
    if not new:
        return "a sentence was lost"
    if len(new) > LONGEST_SENTENCE:
        return "a sentence became too long"
    if facts(old) != facts(new) or rates(old) != rates(new):
        return "a number, date or amount changed"
    if len(facts(old)) > 1:
        if _once(facts_in_order(old)) != _once(facts_in_order(new)):
            return "the order of numbers changed"
        if _moved(old, new):
            return "what a number belongs to changed"
    # Counted: "not … unless" without its "unless" is negated still, and says another thing.
    if len(NEGATION.findall(old)) != len(NEGATION.findall(new)):
        return "a negation changed"
    if addresses(old) != addresses(new):
        return "an address changed"
    for condition, pattern in CONDITIONS.items():
        if bool(pattern.search(old)) != bool(pattern.search(new)):
            return f"{condition} changed"
    return _changed_names(old, new)


def _moved(old: str, new: str) -> bool:
    """Whether a word that stood with one number alone now stands with another alone."""
    before, after = _stands_with(old), _stands_with(new)
    return any(
        len(numbers) == 1 and len(after.get(word, ())) == 1 and after[word] != numbers
        for word, numbers in before.items()
    )


def _stands_with(text: str) -> dict[str, set[tuple[str, str]]]:
    """Return, for each word that says something, the numbers that share a clause with it."""
    found: dict[str, set[tuple[str, str]]] = {}
    for part in PART.split(text):
        stated = facts(part)
        for word in terms(part) if stated else ():
            if not word[0].isdigit():
                found.setdefault(word, set()).update(stated)
    return found


def _once(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what is stated in order of its first mention."""
    return list(dict.fromkeys(found))


def _changed_names(old: str, new: str) -> str | None:
    """Compare what has a capital inside a sentence, in either direction."""
    said_before = {word.casefold() for word in re.findall(r"[\w’'-]+", old)}
    said_after = {word.casefold() for word in re.findall(r"[\w’'-]+", new)}
    if any(name.casefold() not in said_after for name in names(old)):
        return "a name was lost"
    if any(name.casefold() not in said_before for name in names(new)):
        return "a name was put in"
    return None


def names(text: str) -> list[str]:
    """Return words with a capital that does not begin a sentence, and words with one inside."""
    found = []
    for clause in CLAUSE.split(text):
        begins = re.match(r"[\W_]*", clause)
        start = begins.end() if begins else 0
        found += [
            match[0].rstrip("'’-")
            for match in CAPITALISED.finditer(clause)
            if (match.start() > start or not match[0].istitle())
            and match[0].casefold() not in NO_NAMES
        ]
    return found


def policy_facts(reply: str) -> str | None:
    """Return what a reply to small talk states that only a cited answer may, or None."""
    if not reply.strip():
        return "it said nothing"
    if len(reply) > LONGEST_REPLY:
        return "it said too much"
    if facts(reply) or rates(reply):
        return "it states a number or a date"
    if addresses(reply):
        return "it holds an address"
    if RULE.search(reply):
        return "it states a rule"
    if PLACEHOLDER.search(reply) or MARK.search(reply):
        return "it holds a placeholder"
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:WISH_LIMIT]
