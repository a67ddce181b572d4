"""What the first pass notices in an exchange: what keeps it out, and what a curator should see."""

import re
import unicodedata
from collections.abc import Iterator, Sequence, Set

from finetune.spans import PLACEHOLDER
from retrieval.facts import facts
from retrieval.sentences import split
from store.transcripts import Finding, Said

QUARANTINE = frozenset(
    {"injection", "hidden", "link", "roles", "too_short", "too_long", "canned", "duplicate"}
)
"""The findings with which an exchange is kept apart; the others are only told."""

FEWEST_TEAM_WORDS = 3
MOST_CHARACTERS = 20_000
MOST_MESSAGES = 100
POOR = 0.4  # quality below which it is told
TELLING = 5  # words of a sentence, from which it is looked for in the documents

WORD = re.compile(r"[^\W\d_]+")
LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*://|\bwww\.)(?P<host>[^\s/?#\\<>|\"')\]]+)", re.IGNORECASE)
BARE = re.compile(
    r"(?<![@\w.-])(?P<host>(?:[a-z0-9-]+\.)+(?:com|org|net|io|co|info|biz|app|dev|xyz|me"
    r"|ly|ru|cn|eu|uk"
    r"|de|top|site|online|shop|link))(?=[/\s,;:!?)]|\.?(?:\s|$))",
    re.IGNORECASE,
)
_PAST = r"(?:previous|prior|above|earlier|all|your|any|the)"
_RULES = r"(?:instructions?|prompts?|rules|guidelines|directions|context|training|constraints)"
_PARTS = (
    r"(?:ai|assistant|bot|model|dan|admin|administrator|developer|hacker|character|unrestricted"
    r"|no restrictions)"
)
INJECTION = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{{0,40}}\b{_PAST}\b[^.\n]{{0,30}}"
    rf"\b{_RULES}\b"
    r"|\b(?:system|developer|hidden|initial) (?:prompt|message|instructions?)\b"
    r"|\b(?:reveal|print|repeat|show|output|leak)\b[^.\n]{0,30}\b(?:prompt|instructions)\b"
    r"|\byou are (?:now|no longer)\b|\bfrom now on,? (?:you|act|respond|answer)\b"
    r"|\b(?:pretend|act|roleplay|role-play|behave)\b[^.\n]{0,20}\b(?:to be|as if|as an?|like)\b"
    rf"[^.\n]{{0,40}}\b{_PARTS}\b"
    r"|\bjailbreak|\bdo anything now\b|\bdeveloper mode\b|\bprompt injection\b"
    r"|\bno (?:restrictions|filters?) apply\b"
    r"|<\|(?:im_start|im_end|system|user|assistant|endoftext)[^>]*\|?>|\[/?INST\]|<<SYS>>"
    r"|^#{1,3} ?(?:system|instruction)s?\b|</?(?:system|instructions?|tool_call|function_call)>"
    r"|\bBEGIN (?:SYSTEM|PROMPT)\b|\b(?:as an ai|as a language model)\b|\bnew instructions?:"
    r"|\bexecute (?:the following|this) (?:code|command)\b",
    re.IGNORECASE | re.MULTILINE,
)


def find(
    messages: Sequence[Said],
    *,
    quality: float,
    redactions: Set[str],
    hosts: Set[str] = frozenset(),
    documents: Set[str] = frozenset(),
) -> Iterator[Finding]:
    """Yield what stands out in redacted messages, the reasons in words for a curator.

    `redactions` are the kinds that were replaced in it, `hosts` those to which a link may lead,
    `documents` the sentences of what is in force, as `plain` writes them.
    """
    texts = [message.text for message in messages]
    team = [message for message in messages if message.role == "team"]
    whole = "\n".join(texts)
    yield from _form(messages, team, whole)
    if any(_hidden(letter) for letter in whole):
        yield Finding("hidden", "It holds characters that a reader does not see.")
    if found := INJECTION.search(unicodedata.normalize("NFKC", whole)):
        shown = " ".join(found[0].split())[:60]
        yield Finding("injection", f"It speaks to a model rather than to a person: “{shown}”.")
    outside = sorted({host for host in _hosts(whole) if not _allowed(host, hosts)})
    if outside or "URL" in redactions:
        where = f" to {', '.join(outside[:3])}" if outside else ""
        yield Finding("link", f"It holds a link{where}; examples should not lead anywhere.")
    if "KEY" in redactions:
        yield Finding("secret", "It held a key or password; whoever owns it should change it.")
    if team and quality < POOR:
        yield Finding("poor", f"Its quality is {quality:.2f}; below {POOR} it rarely helps.")
    yield from _facts(team, documents)


def _form(messages: Sequence[Said], team: Sequence[Said], whole: str) -> Iterator[Finding]:
    if not team or len(team) == len(messages):
        missing = "the team" if not team else "an asker"
        yield Finding("roles", f"No message is by {missing}.")
        return
    words = sum(len(WORD.findall(PLACEHOLDER.sub(" ", message.text))) for message in team)
    if words < FEWEST_TEAM_WORDS:
        yield Finding("too_short", f"The team says {words} words; {FEWEST_TEAM_WORDS} are needed.")
    if len(whole) > MOST_CHARACTERS or len(messages) > MOST_MESSAGES:
        yield Finding(
            "too_long",
            f"It has {len(messages)} messages and {len(whole)} characters; at most"
            f" {MOST_MESSAGES} and {MOST_CHARACTERS} are taken.",
        )
    if all(message.canned for message in team):
        yield Finding("canned", "Every reply was a suggestion that was sent as it stood.")


def _facts(team: Sequence[Said], documents: Set[str]) -> Iterator[Finding]:
    stated = set()
    quoted = 0
    for message in team:
        words = PLACEHOLDER.sub(" ", message.text)
        stated |= facts(words)
        quoted += sum(plain(words[a:b]) in documents for a, b in split(words)) if documents else 0
    if stated:
        shown = ", ".join(sorted({f"{fact.value} {fact.unit}".strip() for fact in stated})[:5])
        yield Finding(
            "policy_fact", f"It states {shown}: facts belong to policies, not to a voice."
        )
    if quoted:
        times = "a sentence" if quoted == 1 else f"{quoted} sentences"
        yield Finding("policy_fact", f"It says {times} of a document word for word.")


def plain(sentence: str) -> str:
    """Return a sentence as sentences are compared; "" for one that is too short to tell."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", sentence).casefold())
    return " ".join(words) if len(words) >= TELLING else ""


def sentences_of(texts: Sequence[str]) -> frozenset[str]:
    """Return the sentences of documents, as `find` compares them."""
    return frozenset(plain(text[a:b]) for text in texts for a, b in split(text)) - {""}


def _hidden(letter: str) -> bool:
    tag = 0xE0000 <= ord(letter) <= 0xE007F
    steering = letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff"
    return tag or steering


def _hosts(text: str) -> Iterator[str]:
    for regex in (LINK, BARE):
        for found in regex.finditer(text):
            yield found["host"].rpartition("@")[2].partition(":")[0].casefold().rstrip(".,")


def _allowed(host: str, hosts: Set[str]) -> bool:
    return any(host == known or host.endswith(f".{known}") for known in hosts)
