"""Identifiers that are planted, and what is left of them."""

import pytest

from evaluation.redaction import MAKERS, evaluate_redaction, is_left

DIALOGUES = (
    ["Hi, my lamp broke.", "I am sorry to hear that.", "Can it be mended?", "I think so."],
    ["Is my parcel here?", "It is, at the desk.", "Thanks a lot!", "You are welcome."],
)


@pytest.mark.parametrize("seed", [7, 8])
def test_nothing_that_is_planted_is_left(seed: int) -> None:
    """Two hundred identifiers of more than twelve kinds."""
    report = evaluate_redaction(DIALOGUES, seed)
    assert sum(report.planted.values()) == 200
    assert len(report.planted) == len(MAKERS) > 12
    assert report.left == dict.fromkeys(MAKERS, 0), report.examples
    assert report.alarms == {}


def test_the_measure_sees_what_is_left() -> None:
    """In another spelling or spacing, and each part of a name; not within placeholders."""
    assert is_left("CARD", "4111111111111111", ["it is 4111 1111 1111 1111"])
    assert is_left("EMAIL", "a@example.com", ["Ａ@example.com"])
    assert is_left("NAME", "Xiu Oyelaran", ["ask Oyelaran"])
    assert not is_left("NAME", "Xiu Oyelaran", ["ask [NAME_1]"])
    assert not is_left("SSN", "1", ["[SSN_1]"])
