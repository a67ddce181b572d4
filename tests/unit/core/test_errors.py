"""Errors that people see, and the ids that tie them to the log."""

import re

import pytest

from core.errors import (
    ConfigurationError,
    FootnoteError,
    NotFoundError,
    ServiceUnavailableError,
    reference_id,
)


@pytest.mark.parametrize("kind", [ConfigurationError, NotFoundError, ServiceUnavailableError])
def test_every_expected_failure_has_the_one_base(kind: type[FootnoteError]) -> None:
    """A boundary that catches the base catches them all and can show the sentence."""
    with pytest.raises(FootnoteError, match=r"^Do this\.$"):
        raise kind("Do this.")


def test_references_are_short_and_differ() -> None:
    """A reference is eight hex digits, and a thousand of them are a thousand."""
    references = {reference_id() for _ in range(1000)}
    assert len(references) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{8}", reference) for reference in references)
