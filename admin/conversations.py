"""What a browser session shows of its conversation: bounded, in this process, never the truth.

The agent's memory is the turns table. This is only what the page draws again after a reload or
a plain form post; when the process restarts, a session starts a new conversation.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from threading import Lock

from store.answers import Answer

CONVERSATIONS_KEPT = 500  # browser sessions; the one that was quiet longest is dropped first
EXCHANGES_KEPT = 50  # questions with their answers in one conversation
KEY_BYTES = 16  # random bytes of a key: nobody guesses 128 bits


@dataclass(frozen=True)
class Exchange:
    """A question as it was asked on the page, with its answer."""

    answer: Answer
    as_of: date | None = None


class Conversations:
    """The exchanges of each browser session by its random key; safe to use from many threads."""

    def __init__(
        self, kept: int = CONVERSATIONS_KEPT, exchanges_kept: int = EXCHANGES_KEPT
    ) -> None:
        """Keep at most `kept` conversations of at most `exchanges_kept` exchanges each."""
        self._kept = kept
        self._exchanges_kept = exchanges_kept
        self._exchanges: OrderedDict[str, tuple[Exchange, ...]] = OrderedDict()
        self._lock = Lock()

    def resume(self, key: str | None) -> str:
        """Return `key` if its conversation is known here, else the key of a new one.

        A key that a browser brings along is never adopted: only keys made here count.
        """
        with self._lock:
            if key is None or key not in self._exchanges:
                key = secrets.token_urlsafe(KEY_BYTES)
                self._exchanges[key] = ()
            self._exchanges.move_to_end(key)
            while len(self._exchanges) > self._kept:
                self._exchanges.popitem(last=False)
            return key

    def exchanges(self, key: str | None) -> tuple[Exchange, ...]:
        """Return what was said in a conversation, oldest first; nothing if it is not known."""
        with self._lock:
            return self._exchanges.get(key or "", ())

    def add(self, key: str, exchange: Exchange) -> None:
        """Append an exchange; one with the same answer (a second delivery) is replaced."""
        with self._lock:
            others = (
                earlier
                for earlier in self._exchanges.get(key, ())
                if earlier.answer.id != exchange.answer.id
            )
            self._exchanges[key] = (*others, exchange)[-self._exchanges_kept :]

    def forget(self, key: str | None) -> None:
        """Drop a conversation from the page; what the agent remembers of it stays unreachable."""
        with self._lock:
            self._exchanges.pop(key or "", None)
