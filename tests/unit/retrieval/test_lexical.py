"""Words of passages and questions, and the two parts of their BM25."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.lexical import (
    AVERAGE_LENGTH,
    K1,
    STOP_WORDS,
    TERM_ID_LIMIT,
    inverse_frequencies,
    passage_weights,
    question_terms,
    term_id,
    terms,
)

TERMS = {
    "stop words": ("What is the policy on this?", ["polici"]),
    "stems": ("returns returned returning", ["return", "return", "return"]),
    "case": ("GDPR Gdpr gdpr", ["gdpr", "gdpr", "gdpr"]),
    "accents": ("Café naïve façade", ["cafe", "naiv", "facad"]),
    "decomposed accents": ("Cafe\u0301", ["cafe"]),
    "possessive": ("the manager's manager’s managers", ["manag", "manag", "manag"]),
    "contractions": ("don't can’t it's", []),
    "numbers whole": ("1,500 EUR, 4.2 and 10:30.", ["1,500", "eur", "4.2", "10:30"]),
    "numbers at words": ("A4 30days COVID-19", ["4", "30", "day", "covid", "19"]),
    "ligatures": ("ﬁne oﬃce", ["fine", "offic"]),
    "wide letters": ("ＡＢＣ １２", ["abc", "12"]),
    "underscores": ("snake_case", ["snake", "case"]),
    "other scripts": ("отпуск 休暇", ["отпуск", "休暇"]),
    "signs": ("?! — *** 👩‍👧 €", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), TERMS.values(), ids=TERMS)
def test_terms_are_folded_stems_in_order(text: str, expected: list[str]) -> None:
    """Case, accents and endings fold; stop words fall; numbers stay whole."""
    assert terms(text) == expected


@settings(deadline=None)
@given(st.text())
def test_any_text_has_terms_with_ids(text: str) -> None:
    """Whatever is written, terms are words without space and their ids are within bounds."""
    for term in terms(text):
        assert term
        assert not any(letter.isspace() for letter in term)
        assert 1 <= term_id(term) <= TERM_ID_LIMIT


def test_ids_never_change() -> None:
    """Ids are stored with every chunk: CRC-32 (its check value is 0xCBF43926), folded."""
    assert term_id("123456789") == 0xCBF43926 % 999_999_999 + 1
    assert (term_id("return"), term_id("отпуск")) == (812165906, 185069288)


def test_a_word_once_in_a_passage_of_average_length_weighs_one() -> None:
    """The formula's scale: tf 1 at the average length is 1, and K1 + 1 is never reached."""
    words = " ".join(f"w{'x' * n}" for n in range(int(AVERAGE_LENGTH)))
    assert passage_weights(words)[term_id("wx")] == pytest.approx(1)
    assert 1 < passage_weights("leave " * 1000)[term_id("leav")] < K1 + 1


def test_weights_follow_the_formula() -> None:
    """tf·(k1+1) / (tf + k1·(1 - b + b·length/average)), computed by hand."""
    weights = passage_weights("leave leave sick note")
    damping = 1.2 * (1 - 0.75 + 0.75 * 4 / 90)
    assert weights == pytest.approx(
        {
            term_id("leav"): 2 * 2.2 / (2 + damping),
            term_id("sick"): 2.2 / (1 + damping),
            term_id("note"): 2.2 / (1 + damping),
        }
    )
    assert list(weights) == sorted(weights)


def test_more_of_a_word_weighs_more_and_a_longer_passage_less() -> None:
    """Weights rise with the count, ever slower, and fall with the length."""
    leave = term_id("leav")
    filler = " ".join(f"word{'y' * n}" for n in range(30))
    by_count = [passage_weights(f"{'leave ' * n} {filler}")[leave] for n in range(1, 5)]
    steps = [later - earlier for earlier, later in pairwise(by_count)]
    assert by_count == sorted(by_count)
    assert steps == sorted(steps, reverse=True)
    assert passage_weights("leave")[leave] > passage_weights(f"leave {filler}")[leave]


def test_a_passage_without_words_has_no_weights() -> None:
    """Stop words and signs alone leave nothing to store."""
    assert passage_weights("the — of") == {}
    assert passage_weights("") == {}


def test_a_question_s_words_weigh_one_or_two() -> None:
    """A word twice counts twice, and no more."""
    weights = question_terms("leave leave leave sick sick note")
    assert weights == {term_id("leav"): 2.0, term_id("sick"): 2.0, term_id("note"): 1.0}
    assert question_terms("what is it?") == {}


def test_earlier_turns_weigh_less_the_older_they_are() -> None:
    """0.3, then 0.8 of it for each turn back; the first turn, which names the subject, 0.3."""
    earlier = ["returns", "bikes", "tents", "boots"]
    weights = question_terms("helmets", earlier)
    assert weights == pytest.approx(
        {
            term_id("helmet"): 1.0,
            term_id("boot"): 0.3,
            term_id("tent"): 0.24,
            term_id("bike"): 0.192,
            term_id("return"): 0.3,
        }
    )


def test_a_word_weighs_as_in_its_weightiest_turn() -> None:
    """What is asked now is not made less by having been said before, nor more."""
    weights = question_terms("boots", ["boots boots tents", "tents"])
    assert weights == pytest.approx({term_id("boot"): 1.0, term_id("tent"): 0.3})


def test_inverse_frequencies_follow_the_formula() -> None:
    """ln(1 + (N - n + ½)/(n + ½)); what stands nowhere has none, and none is negative."""
    found = inverse_frequencies([1, 2, 3, 4], {1: 1, 2: 10, 3: 0, 4: 12}, 10)
    assert found == pytest.approx(
        {1: math.log(1 + 9.5 / 1.5), 2: math.log(1 + 0.5 / 10.5), 4: math.log(1 + 0.5 / 10.5)}
    )
    assert min(found.values()) > 0


def test_stop_words_are_written_as_they_are_looked_up() -> None:
    """Each is in the folded form that words are compared in."""
    assert all(word == word.casefold().replace("’", "'") for word in STOP_WORDS)
