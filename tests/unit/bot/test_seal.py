"""Sealing with several keys."""

import pytest
from cryptography.fernet import Fernet

from bot.seal import Seal, SealBrokenError
from core.errors import ConfigurationError

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_the_first_key_seals_and_all_open() -> None:
    """What the old key sealed is opened beside the new one, which seals what comes."""
    before = Seal([OLD]).closed("xoxb-1")
    both = Seal([NEW, OLD])
    assert b"xoxb" not in before
    assert both.opened(before) == "xoxb-1"
    assert not both.is_current(before)
    after = both.closed("xoxb-1")
    assert both.is_current(after)
    assert Seal([NEW]).opened(after) == "xoxb-1"


def test_no_other_key_opens_it() -> None:
    """A key that is gone, and bytes that somebody changed, are told as such."""
    sealed = Seal([OLD]).closed("xoxb-1")
    with pytest.raises(SealBrokenError, match="put the key that sealed it behind"):
        Seal([NEW, OTHER]).opened(sealed)
    with pytest.raises(SealBrokenError):
        Seal([OLD]).opened(sealed[:-4] + b"AAA=")
    with pytest.raises(SealBrokenError):
        Seal([OLD]).opened(b"")


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "ключ"], [NEW[:-8]]])
def test_what_is_no_key_is_refused(keys: list[str]) -> None:
    """A missing or mistyped key is found at the start, and not repeated."""
    with pytest.raises(ConfigurationError) as told:
        Seal(keys)
    assert "short" not in str(told.value)
