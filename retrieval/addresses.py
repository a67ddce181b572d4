"""Addresses in a text: where a reader could be led, or who could be called."""

import re

ADDRESS = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://[^\s<>|"”]+         # https://example.com/a
    | \bwww\.[^\s<>|"”]+
    | \b(?:mailto|tel|javascript|data):\S+
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+          # a mailbox
    | \b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>|"”]*
    | \b(?:[a-z0-9-]+\.)+(?:com|org|net|io|co|info|biz|app|dev|eu|uk|de|xyz|example|test)\b
    | <[@!\#][^>\s]+>                       # how Slack writes a mention
    | (?<!\w)@(?:channel|here|everyone)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
CLOSING = ".,;:!?)]}'’"  # what may follow an address in a sentence


def addresses(text: str) -> frozenset[str]:
    """Return the links, mailboxes, host names and mentions in `text`, in lower case.

    Host names without a scheme count only with a path or a well-known ending, so that
    "e.g." and a missing space after a full stop do not.
    """
    return frozenset(found.rstrip(CLOSING).casefold() for found in ADDRESS.findall(text))
