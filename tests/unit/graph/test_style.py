"""What a style model may and may not change."""

import pytest

from graph.style import changed_facts

CLAIM = "Sale items cannot be returned after 14 days unless they are faulty."


@pytest.mark.parametrize(
    "styled",
    [
        CLAIM,
        "After 14 days sale items can't come back, except faulty ones!",
        "We cannot take sale items back after fourteen days unless something is faulty.",
    ],
)
def test_other_words_for_the_same_facts_are_fine(styled: str) -> None:
    """Order, tone and the writing of numbers may change."""
    assert changed_facts([CLAIM], [styled]) is None


@pytest.mark.parametrize(
    ("styled", "reason"),
    [
        ("Sale items cannot be returned after 15 days unless faulty.", "number"),
        ("Sale items cannot be returned after 14 weeks unless faulty.", "number"),
        ("Sale items cannot be returned unless they are faulty.", "number"),
        ("Sale items cannot be returned after 14 days, 30 for gifts, unless faulty.", "number"),
        ("Sale items can be returned after 14 days.", "negation"),
        ("Sale items cannot be returned after 14 days.", "negation"),
        ("Not after 14 days unless faulty, see https://a.example.", "address"),
        ("Not after 14 days unless faulty, <!here>.", "address"),
        ("Not after 14 days unless faulty" + ", truly" * 200, "too long"),
    ],
)
def test_a_changed_fact_is_named(styled: str, reason: str) -> None:
    """Numbers, units, conditions and addresses count, one lost negation among two does too."""
    changed = changed_facts([CLAIM], [styled])

    assert changed is not None
    assert reason in changed


def test_a_sentence_may_be_neither_lost_nor_added() -> None:
    """Every claim keeps its own sentence, since its footnote belongs to it."""
    plain = "Lamps go back."

    assert changed_facts([plain], []) is not None
    assert changed_facts([plain], [plain, plain]) is not None
    assert changed_facts([plain], ["  "]) is not None


def test_facts_may_not_move_to_another_sentence() -> None:
    """Sentences are compared one by one."""
    before = ["Lamps go back for 14 days.", "Books go back for 30 days."]
    after = ["Lamps go back for 30 days.", "Books go back for 14 days."]

    assert changed_facts(before, after) == "a number, date or amount changed"
