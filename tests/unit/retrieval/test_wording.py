"""Which wordings say the same, and what stands in a sentence's place in another version."""

import pytest

from retrieval.quotes import stands
from retrieval.wording import (
    broken_pieces,
    changed_words,
    counterpart,
    same_wording,
    states_otherwise,
)

SALE = "Items bought in a sale can be returned within 14 days of delivery."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("Don’t say “gift” – ever.", "Don't say \"gift\" - ever.", id="typography"),
        pytest.param("Refunds take 14 days", "refunds  take 14 days.", id="case, space, end"),
        pytest.param("Refunds take fourteen days.", "Refunds take 14 days.", id="number in words"),
        pytest.param("It costs €1,500.", "It costs EUR 1500.", id="an amount"),
        pytest.param("It starts on 2026-09-01.", "It starts on 1 September 2026.", id="a date"),
        pytest.param("We do not refund cards.", "We don't refund cards.", id="contraction"),
        pytest.param("It's refunded.", "It is refunded.", id="it is"),
        pytest.param("We keep it's keys.", "We keep its keys.", id="apostrophe"),
        pytest.param("You recieve a refund.", "You receive a refund.", id="two letters in turn"),
        pytest.param("It is refered to us.", "It is referred to us.", id="a doubled letter"),
        pytest.param("Log in by e-mail.", "Login by email.", id="words that are joined"),
        pytest.param("Badges, keys and cards.", "Badges, keys, and cards.", id="a comma"),
        pytest.param("Unless told not to or so.", "Unless told not to, or so.", id="another"),
    ],
)  # fmt: skip
def test_how_words_are_written_does_not_count(old: str, new: str) -> None:
    """The same words in the same order are one wording, both ways."""
    assert same_wording(old, new)
    assert same_wording(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("Return it within 14 days.", "Return it within 30 days.", id="a number"),
        pytest.param("Return it within 14 days.", "Return it within 14 weeks.", id="a unit"),
        pytest.param("It costs €40 a day.", "It costs €40 a week.", id="a rate"),
        pytest.param("Members pay €5, guests €9.", "Members pay €9, guests €5.", id="an order"),
        pytest.param("It can be returned.", "It cannot be returned.", id="a negation"),
        pytest.param("No, refunds are paid.", "No refunds are paid.", id="a comma after no"),
        pytest.param("You may return it.", "You must return it.", id="a modal"),
        pytest.param("Cards or keys.", "Cards and keys.", id="and for or"),
        pytest.param("The manager pays the guest.", "The guest pays the manager.", id="who pays"),
        pytest.param("Managers approve it.", "Directors approve it.", id="another word"),
        pytest.param("The later date counts.", "The latter date counts.", id="real words"),
        pytest.param("Please resign the form.", "Please re-sign the form.", id="a prefix"),
        pytest.param("Return it.", "Return it unless it is used.", id="a condition"),
    ],
)
def test_other_words_count(old: str, new: str) -> None:
    """What may change the meaning is another wording, both ways."""
    assert not same_wording(old, new)
    assert not same_wording(new, old)


@pytest.mark.parametrize(
    ("old", "new", "otherwise"),
    [
        pytest.param("Return it in 14 days.", "Send it back in 14 days.", False, id="same facts"),
        pytest.param("Return it in 14 days.", "Return it in 15 days.", True, id="a number"),
        pytest.param("You may return it.", "You should return it.", True, id="a modal"),
        pytest.param("You can return it.", "You can't return it.", True, id="a negation"),
        pytest.param("All items are covered.", "Some items are covered.", True, id="for whom"),
    ],
)
def test_facts_and_binding_words_are_told_from_the_rest(
    old: str, new: str, otherwise: bool
) -> None:
    """Numbers, negations and words that bind make another statement; other words do not."""
    assert states_otherwise(old, new) is otherwise


def test_changed_words_are_those_out_of_order() -> None:
    """What one wording has and the other lacks in its place; articles are nothing."""
    removed, added = changed_words("The manager pays a guest.", "The guest pays the manager.")
    assert set(removed) & {"manager", "guest"}
    assert set(added) & {"manager", "guest"}
    assert changed_words("The card is kept.", "A card is kept.") == ([], [])


@pytest.mark.parametrize(
    ("text", "there"),
    [
        pytest.param(f"# Sale\n{SALE} More.", True, id="as it was"),
        pytest.param(f"{SALE.upper()}", True, id="in capitals"),
        pytest.param(SALE.replace("14", "30"), False, id="with another number"),
        pytest.param(SALE.replace("in a sale", "on a sale"), False, id="with another word"),
    ],
)
def test_a_quote_stands_word_for_word_or_not(text: str, there: bool) -> None:
    """Likeness does not count."""
    assert (stands(SALE, text) is not None) is there


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("be returned", "It cannot be returned.", id="under a negation"),
        pytest.param("4 days", "It takes 14 days.", id="in a number"),
        pytest.param("10² items", "There are 102 items.", id="a power"),
        pytest.param("", "Anything.", id="nothing"),
    ],
)
def test_words_within_others_do_not_stand(quote: str, text: str) -> None:
    """What a longer word or a negation takes in is not what was quoted."""
    assert stands(quote, text) is None


OLD = """Returns
Normal items can be returned within 30 days of delivery.
Items bought in a sale can be returned within 14 days of delivery.
The following cannot be returned:
gift cards
opened food
Faulty goods are exchanged within 14 days.
Write to the shop if in doubt."""


def broken(quote: str, new: str) -> list[str]:
    """Return the broken pieces of a quote from OLD."""
    start = OLD.index(quote)
    return broken_pieces(OLD, start, start + len(quote), new)


def test_a_sentence_is_said_wherever_it_stands() -> None:
    """Moved to the end of the document, it is not broken."""
    assert broken(SALE, OLD.replace(f"{SALE}\n", "") + f"\n{SALE}") == []


def test_a_scrap_is_said_only_in_its_place() -> None:
    """The same few words about something else do not count."""
    quote = "within 14 days"  # its first place is the sale's
    new = OLD.replace("returned within 14 days", "returned within 30 days")
    assert stands(quote, new) is not None
    assert broken(quote, new) == [quote]
    assert broken(quote, OLD.replace("Normal", "Usual")) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        pytest.param(f"Only {SALE}", False, id="only"),
        pytest.param(f"Unless damaged, {SALE}", False, id="a condition"),
        pytest.param(f"From 2027 {SALE}", False, id="a date"),
        pytest.param(f"Note: {SALE}", True, id="a heading in the line"),
        pytest.param(f"Dogs stay outside. {SALE} Only cats may enter.", True, id="neighbours"),
    ],
)
def test_a_sentence_is_not_said_by_one_that_binds_it_otherwise(now: str, said: bool) -> None:
    """What is put before its words can turn them, though they stand as they were."""
    assert stands(SALE, now) is not None
    assert (broken(SALE, OLD.replace(SALE, now)) == []) is said


@pytest.mark.parametrize(
    ("end", "said"),
    [
        pytest.param("),", True, id="other signs"),
        pytest.param("", True, id="none"),
        pytest.param(", unless it is used.", False, id="a condition"),
        pytest.param(" and of purchase.", False, id="more words"),
    ],
)
def test_another_sign_may_end_a_sentence_but_no_word_go_on(end: str, said: bool) -> None:
    """Whatever goes on belongs to what is said."""
    now = SALE.removesuffix(".") + end
    assert (broken(SALE, OLD.replace(SALE, now)) == []) is said


def test_an_item_that_changed_lists_is_broken() -> None:
    """It stands in the document still, but no longer in the list that was quoted."""
    quote = "The following cannot be returned:\ngift cards\nopened food"
    moved = OLD.replace("gift cards\n", "") + "\nThe following can be returned:\ngift cards"
    assert broken(quote, moved) == ["gift cards"]


def test_a_list_that_moved_as_a_whole_is_not_broken() -> None:
    """It says the same at another place."""
    quote = "The following cannot be returned:\ngift cards\nopened food"
    assert broken(quote, OLD.replace(f"{quote}\n", "") + f"\n{quote}") == []


def test_a_list_that_grew_is_broken_as_a_whole() -> None:
    """What was put between its items is told with them."""
    quote = "The following cannot be returned:\ngift cards\nopened food"
    grown = quote.replace("gift cards", "gift cards\nused shoes")
    new = OLD.replace(quote, grown)
    assert broken(quote, new) == [quote]
    assert counterpart(quote, OLD, new) == grown


def test_a_list_is_taken_from_where_it_is_shortest() -> None:
    """The same words may lead in two lists; what stands between those is in neither."""
    quote = "Please include the following:\nyour name\nyour number"
    new = f"Please include the following:\na picture\nMore rules.\n{quote}\n"
    assert broken_pieces(f"Rules.\n{quote}\n", 7, 7 + len(quote), new) == []


def test_signs_around_a_sentence_are_not_said() -> None:
    """A star that is left of some markup goes unnoticed."""
    old = f"* Ask.\n*{SALE}\nMore."
    assert broken_pieces(old, 7, 8 + len(SALE), f"Ask.\n{SALE}\nMore.") == []


def test_what_took_a_sentences_place_is_found() -> None:
    """Its new wording, told apart from sentences that were there before."""
    now = "Items bought in a sale can be returned within 30 days of purchase."
    assert counterpart(SALE, OLD, OLD.replace(SALE, now)) == now
    assert counterpart("within 14 days", OLD, OLD.replace(SALE, now)) != "within 14 days"
    moved = OLD.replace(f"{SALE}\n", "") + f"\nSales\n{now}"
    assert counterpart(SALE, OLD, moved) == now


def test_what_went_without_a_successor_has_none() -> None:
    """Neither another rule nor an unlike sentence is taken for it."""
    assert counterpart(SALE, OLD, OLD.replace(f"{SALE}\n", "")) is None
    unlike = OLD.replace(SALE, "Our shops close at noon on Saturdays.\nDogs stay outside.")
    assert counterpart(SALE, OLD, unlike) is None
