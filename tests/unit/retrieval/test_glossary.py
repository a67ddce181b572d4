"""What a glossary adds to a question."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.glossary import (
    MAX_ADDED,
    MAX_EXPANSION,
    MAX_TERM,
    Glossary,
    GlossaryEntryError,
    checked_pair,
)
from retrieval.lexical import question_terms, term_id

ENTRIES = [
    ("PTO", "paid time off"),
    ("IT", "information technology"),
    ("US", "United States"),
    ("R&D", "research and development"),
    ("C", "carbon"),
    ("C++", "a language"),
    ("401(k)", "retirement plan"),
    ("SLA", "service level agreement"),
    ("PO", "purchase order"),
    ("POS", "point of sale"),
    ("OKRs", "objectives and key results"),
    ("leave", "annual leave"),
    ("time off", "absence"),
]
GLOSSARY = Glossary(ENTRIES)


def added(question: str, *earlier: str, glossary: Glossary = GLOSSARY) -> list[str]:
    """The wordings that join a question."""
    return [one.words for one in glossary.expand(question, earlier).added]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        pytest.param("How much PTO do I have?", ["paid time off"], id="as it is written"),
        pytest.param("how much pto?", ["paid time off"], id="small letters"),
        pytest.param("Are PTOs or P.T.O. paid?", ["paid time off"], id="plural, full stops"),
        pytest.param("my PTO's end, PTO-related", ["paid time off"], id="possessive, hyphen"),
        pytest.param("Paid Time-Off in May", ["PTO"], id="the other way round"),
        pytest.param("service level agreements", ["SLA"], id="plural the other way round"),
        pytest.param("Who is in IT?", ["information technology"], id="capitals of a word"),
        pytest.param("is it ok? It is. Give us one", [], id="that word itself"),
        pytest.param("WHO DECIDES WHETHER IT IS PAID", [], id="that word, shouted"),
        pytest.param("IT?", ["information technology"], id="capitals alone"),
        pytest.param("US and U.S. law", ["United States"], id="once for two spellings"),
        pytest.param("R&D in r & d", ["research and development"], id="a sign inside"),
        pytest.param("C++ or #C or R&C", ["a language"], id="a sign beside is another term"),
        pytest.param("401(k), 401k", ["retirement plan"], id="signs of regular expressions"),
        pytest.param("POS", ["point of sale"], id="no plural of PO"),
        pytest.param("POs", ["purchase order"], id="the plural of PO"),
        pytest.param("my OKR", ["objectives and key results"], id="the singular"),
        pytest.param("option, PTOX, ptolemy", [], id="inside of words"),
        pytest.param("Is it paid? Time off the record.", ["absence"], id="across sentences"),
        pytest.param("annual leave", ["leave"], id="the longest counts alone"),
        pytest.param("What is PTO (paid time off)?", [], id="nothing is said twice"),
        pytest.param("", [], id="no words"),
    ],
)
def test_a_question_gets_the_other_wording_of_what_it_says(
    question: str, words: list[str]
) -> None:
    """Whole words only; capitals matter only to terms that are ordinary words otherwise."""
    assert added(question) == words


def test_what_is_embedded_and_searched_for_has_both_wordings() -> None:
    """The question's own words keep their weights; earlier turns are expanded with theirs."""
    question, earlier = "How much in May?", ("Is PTO paid?", "It is.")
    wanted = GLOSSARY.expand(question, earlier)
    assert wanted.question == question
    assert wanted.earlier[1] == "It is."
    assert "paid time off" in wanted.earlier[0]
    own = question_terms(question, earlier)
    joined = wanted.joined(own)
    assert {term: joined[term] for term in own} == own
    assert 0 < joined[term_id("time")] <= own[term_id("pto")]


def test_a_question_without_terms_is_searched_for_as_it_is() -> None:
    """Neither its text nor its weights change, nor those of the turns before it."""
    question, earlier = "Can I return a sale item?", ("Hello.", "How may I help?")
    wanted = GLOSSARY.expand(question, earlier)
    own = question_terms(question, earlier)
    assert (wanted.question, wanted.earlier, wanted.added) == (question, earlier, ())
    assert wanted.joined(own) == own
    assert Glossary(()).expand(question, earlier) == wanted


def test_several_meanings_share_the_weight_of_one() -> None:
    """All join, each with its part; words of the question itself are never weakened."""
    both = Glossary([("DPA", "data processing agreement"), ("DPA", "data protection authority")])
    one = Glossary([("DPA", "data processing agreement")]).expand("DPA").added[0].weight
    wanted = both.expand("Who signs the DPA?")
    assert [found.weight for found in wanted.added] == [one / 2, one / 2]
    own = question_terms("the data of the DPA")
    assert both.expand("the data of the DPA").joined(own)[term_id("data")] == 1.0


def test_a_conversation_says_which_meaning_it_means() -> None:
    """A meaning that a turn spelled out counts alone, in whole."""
    both = Glossary([("DPA", "data processing agreement"), ("DPA", "data protection authority")])
    wanted = both.expand("And who signs the DPA?", ["We need a data processing agreement."])
    assert [(one.words, one.found) for one in wanted.added if one.found == "DPA"] == [
        ("data processing agreement", "DPA")
    ]


def test_a_page_full_of_terms_adds_only_the_first() -> None:
    """What joins a turn is bounded."""
    many = Glossary([(f"QX{n}", f"queue number{n}") for n in range(100)])
    question = " ".join(f"QX{n}" for n in range(100))
    assert added(question, glossary=many) == [f"queue number{n}" for n in range(MAX_ADDED)]


def test_ten_thousand_entries_cost_no_more_than_ten() -> None:
    """Time depends on the question's words, also where all entries begin alike."""
    question = "When does the service of department QZ77 answer to employees in the north?"
    few = [("SLA", "service level agreement"), ("QZ77", "service quality north 77")]
    many = [*few, *((f"QZ{n}", f"service quality north {n}") for n in range(10_000))]
    times = []
    for entries in (few, many):
        glossary = Glossary(entries)
        assert added(question, glossary=glossary) == ["service quality north 77"]
        runs = []
        for _ in range(50):
            started = time.process_time()
            glossary.expand(question)
            runs.append(time.process_time() - started)
        times.append(min(runs))
    assert times[1] < 5 * times[0] + 1e-4


@given(
    st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=8),
    st.text(max_size=80),
)
def test_any_text_can_be_an_entry_and_a_question(
    entries: list[tuple[str, str]], question: str
) -> None:
    """Nothing that somebody types breaks the search; own words stay in front."""
    kept = []
    for term, expansion in entries:
        try:
            kept.append(checked_pair(term, expansion))
        except GlossaryEntryError:
            continue
    glossary = Glossary(kept)
    asked = " ".join([question, *(term for term, _ in kept)])
    wanted = glossary.expand(asked, [question])
    own = question_terms(asked, [question])
    assert wanted.joined(own).keys() >= own.keys()
    assert len(wanted.added) <= 2 * MAX_ADDED


@pytest.mark.parametrize(
    ("term", "expansion", "reason"),
    [
        pytest.param(" ", "paid time off", "no letter or digit", id="empty term"),
        pytest.param("PTO", "—", "no letter or digit", id="signs only"),
        pytest.param("PTO", " pto ", "stands for itself", id="the same"),
        pytest.param("P\x00TO", "paid time off", "no text", id="control character"),
        pytest.param("PTO", "paid \ud800 time", "no text", id="half a character"),
        pytest.param("P" * (MAX_TERM + 1), "paid", "at most", id="long term"),
        pytest.param("PTO", "x" * (MAX_EXPANSION + 1), "at most", id="long expansion"),
        pytest.param("it", "information technology", "nearly every question", id="stop word"),
        pytest.param("IT", "the", "nearly every question", id="stands for a stop word"),
    ],
)
def test_an_entry_that_cannot_work_is_refused(term: str, expansion: str, reason: str) -> None:
    """One sentence says why."""
    with pytest.raises(GlossaryEntryError, match=reason):
        checked_pair(term, expansion)


def test_an_entry_is_kept_without_what_nobody_sees() -> None:
    """White space is collapsed, joiners and byte order marks are left out, signs stay."""
    assert checked_pair("\ufeffP\u200bTO ", "paid\n time\toff") == ("PTO", "paid time off")
    assert checked_pair("C++ (a.*)", "[x]") == ("C++ (a.*)", "[x]")
