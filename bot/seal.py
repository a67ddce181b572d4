"""Sealing what must not be read in the database: tokens of workspaces."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import ConfigurationError, FootnoteError

NO_KEY = (
    "Set FOOTNOTE_SECRET_KEY, which seals the tokens of workspaces. Make one with:"
    ' .venv/bin/python -c "from cryptography.fernet import Fernet;'
    ' print(Fernet.generate_key().decode())"'
)
BAD_KEY = (
    "FOOTNOTE_SECRET_KEY is not a key: each of its keys, with commas between, is what"
    " Fernet.generate_key() makes, 44 characters."
)


class SealBrokenError(FootnoteError):
    """What is kept of an installation cannot be opened with any of the secret keys."""


class Seal:
    """Seals texts with the first of several keys, and opens what any of them sealed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ConfigurationError where there is no key, or one that is none."""
        if not keys:
            raise ConfigurationError(NO_KEY)
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise ConfigurationError(BAD_KEY) from error
        self._first, self._any = fernets[0], MultiFernet(fernets)

    def closed(self, words: str) -> bytes:
        """Return words as nobody reads them without the first key."""
        return self._first.encrypt(words.encode())

    def opened(self, sealed: bytes) -> str:
        """Return what was sealed. Raises SealBrokenError where no key opens it."""
        try:
            return self._any.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SealBrokenError(
                "FOOTNOTE_SECRET_KEY does not open what is kept of a team; put the key that sealed"
                " it behind the present one, with a comma between, or install the app there again."
            ) from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key opens it."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return False
        return True
