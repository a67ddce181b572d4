"""The style panel: what it learns of a voice, and what it says of texts that are not in it."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import ConfigurationError
from evaluation.ngrams import Repeats, WordModel
from evaluation.said import read_said, two_voices
from evaluation.separation import separate, try_gates
from evaluation.statistics import auroc
from evaluation.style import Panel, learn_panel, likeness, readability, report_of
from evaluation.voices import VoiceError, fold_of

THINGS = "parcel invoice refund voucher badge laptop ticket lamp chair kettle".split()
PLACES = "depot counter warehouse office desk branch".split()
PAIRS = [f"{thing} at the {place}" for thing, place in itertools.product(THINGS, PLACES)]

WARM = [
    (f"Hey there! I've just checked your {pair}, it's all good now :)", f"w{number}")
    for number, pair in enumerate(PAIRS)
]
STIFF = [
    (f"The {pair} has been examined. No further action is required of the customer.", f"s{number}")
    for number, pair in enumerate(PAIRS)
]


@pytest.fixture(scope="module")
def panel() -> Panel:
    """A panel that learned the warm voice."""
    return learn_panel(WARM, STIFF)


def test_a_voice_is_known_in_words_it_never_met(panel: Panel) -> None:
    """The judge gives the team's way of saying it the higher probability, and is calibrated."""
    ours, theirs = panel.voice.probability(
        [
            "Hey there! I've just checked your bicycle, it's all good now :)",
            "The bicycle has been examined. No further action is required of the customer.",
        ]
    )

    assert ours > 0.8
    assert theirs < 0.2
    assert panel.voice.auroc > 0.95


def test_what_the_team_says_surprises_less(panel: Panel) -> None:
    """A word of the team's own phrases is more likely than one of another's."""
    assert panel.words.surprise("Hey there! I've just checked your lamp") < panel.words.surprise(
        "Pursuant to clause four, examination of lamps is pending"
    )


def test_probabilities_of_words_add_up() -> None:
    """After any two words, the model shares out exactly one among all words it knows."""
    model = WordModel([text for text, _ in WARM])
    words = sorted(model._known | {"<unk>"})

    for context in (("hey", "there"), ("never", "met"), ("<s>", "hey")):
        total = sum(model._probability((*context, word)) for word in words)
        assert total == pytest.approx(1.0, abs=0.02)


def test_copied_words_are_found_with_their_length(panel: Panel) -> None:
    """Eight words in a row of another conversation are a copy; the same of one's own are not."""
    text, own = WARM[3]
    copied, mine = panel.marks([(text, "new"), (text, own)])
    fresh = panel.marks(
        [("Your bicycle waits for you downstairs whenever you like to come by", "n")]
    )

    assert copied.copied == 1.0
    assert copied.longest >= 12
    assert mine.copied < 1.0
    assert fresh[0].copied == 0.0


def test_words_that_were_given_are_no_copy() -> None:
    """A rewriting may repeat the sentences that it was made of."""
    sentence = "Items bought in a sale can be returned within 14 days of delivery."
    repeats = Repeats([(sentence, "a")])

    assert repeats.copied(sentence).share == 1.0
    assert repeats.copied(sentence, given=sentence).share == 0.0


def test_a_report_compares_with_the_teams_habits(panel: Panel) -> None:
    """Shares of greetings and the like stand beside the team's own."""
    texts = [("The lamp has been examined. No action is required.", f"n{n}") for n in range(5)]
    report = report_of(panel, panel.marks(texts), [conversation for _, conversation in texts])

    assert report.figures["greets"].value == 0
    assert report.beside["greets"] == 1.0
    assert report.figures["voice"].value < 0.5
    assert report.figures["length in band"].value == 0.0


@pytest.mark.parametrize(
    ("text", "reference", "least", "most"),
    [
        ("Same words here", "Same words here", 1.0, 1.0),
        ("Same words here", "Same word there", 0.4, 0.9),
        ("xyz", "Same words", 0.0, 0.1),
    ],
)
def test_likeness_is_between_nothing_and_the_same(
    text: str, reference: str, least: float, most: float
) -> None:
    """chrF is 1 for the same words and near 0 for others."""
    assert least <= likeness(text, reference) <= most


def test_long_words_and_sentences_read_harder() -> None:
    """The index grows with both."""
    assert readability("We go. You come.") < readability(
        "Notwithstanding foregoing considerations, reimbursement presupposes authorisation."
    )


def test_too_little_to_learn_from_is_said() -> None:
    """A voice of a few texts is refused with how many it takes."""
    with pytest.raises(VoiceError, match="too few to learn it; it takes 40"):
        learn_panel(WARM[:10], STIFF)


def test_ranks_that_tie_count_half() -> None:
    """The area under the curve of scores that say nothing is one half."""
    labels = np.array([1.0, 0.0, 1.0, 0.0])

    assert auroc(np.zeros(4), labels) == 0.5
    assert auroc(np.array([2.0, 1.0, 3.0, 0.0]), labels) == 1.0
    assert auroc(np.array([1.0, 1.0, 2.0, 0.0]), labels) == 0.875


def test_a_conversation_is_in_one_fold() -> None:
    """No conversation is learned from and judged at once."""
    names = [f"c{number % 7}" for number in range(50)]
    folds = fold_of(names)

    assert len({(name, int(fold)) for name, fold in zip(names, folds, strict=True)}) == 7


def test_two_voices_of_a_file_are_told_apart(tmp_path: Path) -> None:
    """Free text and suggestions of the same conversations, cross-validated."""
    file = tmp_path / "said.jsonl"
    rows = [
        {
            "id": str(number),
            "messages": [
                {"role": "customer", "text": "Where is it?"},
                {"role": "agent", "text": WARM[number][0]},
                {"role": "agent", "text": STIFF[number][0], "canned": True},
            ],
        }
        for number in range(len(PAIRS))
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    found = separate(read_said(file))

    assert found.voices == ("free text", "suggested wordings")
    assert found.messages["judge of voices"] > 0.95
    assert found.conversations["expected words"] > 0.95
    assert found.messages["greets"] == 1.0
    assert found.promoted == {"the team's": 1.0, "the other": 0.0}


def test_the_same_voice_seldom_passes_a_gate() -> None:
    """Two messages of one voice, drawn again and again: at most one gate in twenty."""
    random = np.random.default_rng(5)
    names = [f"c{number // 3}" for number in range(240)]

    promoted = try_gates(random.normal(1, 1, 240), np.ones(240), names, gates=200)

    assert set(promoted) == {"the same"}
    assert promoted["the same"] <= 0.05


def test_without_suggestions_the_team_is_told_from_the_askers(tmp_path: Path) -> None:
    """The other voice is then that of who asked."""
    file = tmp_path / "said.jsonl"
    file.write_text(
        '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}'
    )
    ours, theirs, names = two_voices(read_said(file))

    assert ([one.text for one in ours], [one.text for one in theirs]) == (["Yo"], ["Hi"])
    assert names == ("the team", "the askers")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"messages": 3}', "Line 1 of said.jsonl is no conversation"),
        ("nonsense", "Line 1 of said.jsonl is no conversation"),
        ('{"messages": [{"role": "user", "text": "Hi"}]}', "holds no words of a team"),
        ("", "holds no words of a team"),
    ],
    ids=["no messages", "no JSON", "nobody of the team", "empty"],
)
def test_a_file_that_holds_no_conversations_is_refused(
    tmp_path: Path, content: str, told: str
) -> None:
    """The sentence names the line, or what is missing."""
    file = tmp_path / "said.jsonl"
    file.write_text(content)

    with pytest.raises(ConfigurationError, match=told):
        read_said(file)
