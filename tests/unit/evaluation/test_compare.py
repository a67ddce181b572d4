"""Four ways to answer: figures of single answers, the rules of advice, the page."""

from datetime import UTC, datetime

import pytest

from evaluation.advice import ANSWERS, FACTS, KEPT, PROVEN, VOICE, advise
from evaluation.arms import REFUSES, Arm, Said
from evaluation.cases import Case
from evaluation.compare import ArmReport, Comparison, Example, figures_of, shared_words
from evaluation.report import comparison_lines, page
from evaluation.statistics import Difference
from store.answers import Citation, StyleOutcome

SALE = "Items bought in a sale can be returned within 14 days of delivery."
TEXTS = {1: SALE}
ASKED = Case(
    "1", "1", "Can I return a sale item?", (), True, "returns.md", SALE, "Within 14 days."
)
UNKNOWN = Case("2", "2", "Who won the cup?", (), False, None, None)


def cited(quote: str = SALE, start: int = 0) -> Citation:
    """A citation of the only document."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + len(quote)
    return Citation(1, 1, "returns.md", "Returns", 1, (), None, start, end, quote, moment)


def said(
    text: str,
    *citations: Citation,
    answered: bool = True,
    style: StyleOutcome | None = None,
    failed: bool = False,
) -> Said:
    """An answer of one sentence."""
    proven = int(bool(citations))
    return Said(text, text, answered, failed, int(answered), proven, citations, style, 0.1, 10)


def test_a_proven_answer_states_nothing_of_its_own() -> None:
    """Its quote stands, its sentence is cited, its numbers are of the source."""
    found = figures_of(ASKED, said(SALE, cited()), TEXTS, {})

    assert (found["verified"], found["proven"], found["other facts"]) == (1.0, 1.0, 0.0)
    assert found["answered"] == 1.0
    assert 0 < found["f1"] < 1


def test_what_no_source_says_is_counted() -> None:
    """Another number, and a quote that does not stand where it is said to."""
    found = figures_of(ASKED, said("Within 30 days.", cited("Within 30 days.")), TEXTS, {})
    alone = figures_of(ASKED, said("You have 30 days."), TEXTS, {})

    assert found["verified"] == 0.0
    assert (alone["proven"], alone["other facts"]) == (0.0, 1.0)


def test_refusals_are_right_or_wrong_by_the_question() -> None:
    """A failure is neither a right refusal nor an answer."""
    assert figures_of(UNKNOWN, said("No.", answered=False), {}, {}) == {"refused": 1.0}
    assert figures_of(UNKNOWN, said("Rome."), {}, {})["refused"] == 0.0
    assert figures_of(UNKNOWN, said("", answered=False, failed=True), {}, {})["refused"] == 0.0
    refused = figures_of(ASKED, said("No.", answered=False), {}, {})
    assert (refused["answered"], refused["f1"], refused["chrf"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("style", "kept"), [("styled", 1.0), ("facts_changed", 0.0), ("failed", None), (None, None)]
)
def test_a_rewriting_kept_the_facts_or_not(style: StyleOutcome | None, kept: float | None) -> None:
    """Where nothing was rewritten, nothing is counted."""
    assert figures_of(ASKED, said(SALE, cited(), style=style), TEXTS, {}).get("facts kept") == kept


@pytest.mark.parametrize(
    ("text", "reference", "f1"),
    [("a b c", "a b c", 1.0), ("a b", "a b c d", 2 / 3), ("x", "a", 0.0), ("A a", "a", 2 / 3)],
)
def test_shared_words_are_counted_as_often_as_they_stand(
    text: str, reference: str, f1: float
) -> None:
    """F1 of precision and recall, letters in any case."""
    assert shared_words(text, reference) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I don't know.", True),
        ("I’m not sure about that", True),
        ("I'm not sure about that", True),
        ("Sorry, that is not in my rules.", True),
        ("You may return it within 14 days.", False),
        ("I know: 14 days.", False),
    ],
)
def test_a_model_alone_says_that_it_does_not_know(text: str, refuses: bool) -> None:
    """By how it begins; other wordings count as answers, which is said with the figures."""
    assert bool(REFUSES.search(text)) == refuses


def figure(value: float, spread: float = 0.01) -> Difference:
    """A mean with its interval."""
    return Difference(value, value - spread, value + spread, 100, 50)


def report(seconds: float = 1.0, **figures: float) -> ArmReport:
    """What became of an arm; names with _ for a space."""
    shares = {name.replace("_", " "): figure(value) for name, value in figures.items()}
    return ArmReport(shares, seconds / 2, seconds, 100.0, 0, 1, 9)


PROVEN_ARM = {"verified": 1.0, "proven": 1.0, "other_facts": 0.0, "answered": 0.9}


def comparison(
    hybrid: ArmReport | None = None, gains: dict[str, Difference] | None = None, **more: ArmReport
) -> Comparison:
    """Retrieval, a model alone, and the hybrid where one is given."""
    arms: dict[Arm, ArmReport] = {
        "base": more.get("base", report(proven=0.0, other_facts=0.4, answered=0.9)),
        "rag": more.get("rag", report(**PROVEN_ARM)),
    }
    missing: dict[Arm, str] = {"fine-tuned": "no tuned model"}
    if hybrid is not None:
        arms["hybrid"] = hybrid
    found = {} if gains is None else {"hybrid": gains}
    example = Example("May <b>I</b>?", "Yes.", True, {"rag": "<script>alert(1)</script>"})
    return Comparison("set", 50, arms, missing, found, [example], "measured")  # type: ignore[arg-type]


HYBRID = report(**PROVEN_ARM, facts_kept=0.95)
GAINS = {"f1": figure(0.0), "voice": figure(0.2)}


def test_the_hybrid_is_advised_where_it_gains_and_costs_nothing() -> None:
    """All its marks are yes, and a model alone is named for small talk only."""
    advice = advise(comparison(HYBRID, GAINS))

    assert advice.arm == "hybrid"
    assert {advice.table[rule]["hybrid"].mark for rule in advice.table} == {"yes"}
    assert any("a model alone proves nothing" in reason for reason in advice.reasons)


@pytest.mark.parametrize(
    ("hybrid", "gains", "rule"),
    [
        (HYBRID, GAINS | {"voice": figure(0.005)}, VOICE),
        (HYBRID, GAINS | {"f1": figure(-0.05)}, ANSWERS),
        (report(**PROVEN_ARM, facts_kept=0.5), GAINS, KEPT),
        (HYBRID, {"f1": figure(0.0)}, VOICE),
    ],
    ids=["voice not sure", "answers lost", "facts changed", "voice not measured"],
)
def test_retrieval_stands_where_the_hybrid_is_in_doubt(
    hybrid: ArmReport, gains: dict[str, Difference], rule: str
) -> None:
    """The reason names the rule that it did not meet."""
    advice = advise(comparison(hybrid, gains))

    assert advice.arm == "rag"
    assert any(reason.startswith(f"Not hybrid: {rule}") for reason in advice.reasons)


@pytest.mark.parametrize(
    ("rag", "rule"),
    [
        (report(**PROVEN_ARM | {"verified": 0.99}), PROVEN),
        (report(**PROVEN_ARM | {"other_facts": 0.2}), FACTS),
    ],
    ids=["a quote that does not stand", "facts of nowhere"],
)
def test_nothing_is_advised_that_is_not_proven(rag: ArmReport, rule: str) -> None:
    """A fault of proof is made up for by nothing."""
    advice = advise(comparison(rag=rag))

    assert advice.arm is None
    assert advice.table[rule]["rag"].mark == "no"
    assert advice.reasons[0].startswith("None of them may answer")


def test_many_wrong_refusals_point_to_documents_and_search() -> None:
    """No voice mends what is not found."""
    advice = advise(comparison(rag=report(**PROVEN_ARM | {"answered": 0.5})))

    assert any("eval retrieval" in reason for reason in advice.reasons)


def test_the_page_escapes_every_word_and_asks_for_nothing() -> None:
    """Model output stays text; charts are in the page; no script, no address outside."""
    found = comparison(HYBRID, GAINS)
    written = page(found, advise(found))

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in written
    assert "May &lt;b&gt;I&lt;/b&gt;?" in written
    assert "<script" not in written
    assert "data:image/svg+xml;base64," in written
    assert "http" not in written.replace('http-equiv="Content-Security-Policy"', "")


def test_the_terminal_tells_what_was_not_tried() -> None:
    """With the reason, beside the figures and the advice."""
    found = comparison(HYBRID, GAINS)
    told = "\n".join(comparison_lines(found, advise(found)))

    assert "50 questions of set, asked in 3 ways: base, rag, hybrid." in told
    assert "fine-tuned was not tried: no tuned model." in told
    assert "hybrid: 1 of 10 rewritings changed a fact" in told
    assert "100.0 (99.0 … 101.0)" in told
