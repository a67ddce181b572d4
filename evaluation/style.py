"""The style panel: how much a set of texts sounds like the team, from several sides.

No single figure is believed. A judge of voices can be won over by one habit; a model of words by
platitudes; bands of length by anything of the right length; and whoever copies the team's rows
wins all of these. So they are shown side by side, and copying is measured for itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.ngrams import Repeats, WordModel
from evaluation.statistics import Difference, difference
from evaluation.voices import (
    EMOJI,
    GREETING,
    SENTENCE_END,
    SIGN_OFF,
    WORD,
    Voice,
    learn_voice,
)

BAND = (10, 90)  # percentiles of the team's own texts

Text = tuple[str, str]
"""Words, and the conversation that they are of."""


@dataclass(frozen=True)
class Marks:
    """What the panel says of one text.

    `voice` is how likely it is the team's, `surprise` the mean negative log-likelihood of a word
    in nats, `length` in words, `readability` a school grade; `copied` the share of its runs of
    eight words that stand in the team's rows of other conversations, `longest` the longest of
    these in words; `chrf` its likeness to a reference from 0 to 1, None without one.
    """

    voice: float
    surprise: float
    length: int
    readability: float
    greets: bool
    signs_off: bool
    emoji: bool
    exclaims: bool
    copied: float
    longest: int
    chrf: float | None


@dataclass(frozen=True)
class Band:
    """The middle four fifths of what the team does, from the 10th to the 90th percentile."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value is within."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Panel:
    """Learned from the team's words and from others'; says how much a text sounds like the team.

    `habits` are the shares of the team's texts that greet, sign off, hold an emoji, exclaim.
    """

    voice: Voice
    words: WordModel
    repeats: Repeats
    length: Band
    readability: Band
    habits: dict[str, float]

    def marks(
        self,
        texts: Sequence[Text],
        references: Sequence[str] | None = None,
        given: Sequence[str] | None = None,
    ) -> list[Marks]:
        """Return what the panel says of each text.

        `references` are what a person of the team said in its place; `given` the words that it
        was made of, which it may repeat.
        """
        likely = self.voice.probability([text for text, _ in texts])
        made = []
        for place, (text, conversation) in enumerate(texts):
            copy = self.repeats.copied(text, conversation, given[place] if given else "")
            made.append(
                Marks(
                    voice=float(likely[place]),
                    surprise=self.words.surprise(text),
                    length=len(WORD.findall(text)),
                    readability=readability(text),
                    **habits(text),
                    copied=copy.share,
                    longest=copy.longest,
                    chrf=likeness(text, references[place]) if references else None,
                )
            )
        return made


HABITS: dict[str, Callable[[str], bool]] = {
    "greets": lambda text: GREETING.search(text) is not None,
    "signs_off": lambda text: SIGN_OFF.search(text) is not None,
    "emoji": lambda text: EMOJI.search(text) is not None,
    "exclaims": lambda text: "!" in text,
}


def learn_panel(team: Sequence[Text], others: Sequence[Text]) -> Panel:
    """Learn what the team sounds like, from its texts and from those of other people.

    Raises VoiceError where there is too little to learn from.
    """
    texts = [text for text, _ in team]
    voice = learn_voice(
        texts,
        [conversation for _, conversation in team],
        [text for text, _ in others],
        [conversation for _, conversation in others],
    )
    found = [habits(text) for text in texts]
    return Panel(
        voice=voice,
        words=WordModel(texts),
        repeats=Repeats(team),
        length=_band([len(WORD.findall(text)) for text in texts]),
        readability=_band([readability(text) for text in texts]),
        habits={name: sum(one[name] for one in found) / len(found) for name in HABITS},
    )


def _band(values: Sequence[float]) -> Band:
    low, high = np.percentile(values, BAND)
    return Band(float(low), float(high))


def habits(text: str) -> dict[str, bool]:
    """Return whether a text greets, signs off, holds an emoji, exclaims."""
    return {name: holds(text) for name, holds in HABITS.items()}


def readability(text: str) -> float:
    """Return the Automated Readability Index, a US school grade (Smith and Senter, 1967)."""
    words = WORD.findall(text)
    if not words:
        return 0.0
    sentences = max(len(SENTENCE_END.findall(text)), 1)
    letters = sum(map(len, words))
    return 4.71 * letters / len(words) + 0.5 * len(words) / sentences - 21.43


def likeness(text: str, reference: str) -> float:
    """Return chrF of a text against a reference, from 0 to 1 (Popović, 2015)."""
    from sacrebleu import sentence_chrf  # noqa: PLC0415 - a second, for who measures

    return float(sentence_chrf(text, [reference]).score) / 100


@dataclass(frozen=True)
class PanelReport:
    """The panel's figures of one set of texts, each a mean with its interval.

    `beside` are the team's own shares of greetings and the like, to compare with.
    """

    figures: dict[str, Difference]
    beside: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "figures": {name: value.to_json() for name, value in self.figures.items()},
            "team": {name: round(value, 4) for name, value in self.beside.items()},
        }


def report_of(panel: Panel, marks: Sequence[Marks], groups: Sequence[str]) -> PanelReport:
    """Return the means over texts, with intervals over their conversations."""

    def mean(values: Sequence[float]) -> Difference:
        return difference(groups, values, [0.0] * len(values))

    figures = {
        "voice": mean([one.voice for one in marks]),
        "surprise": mean([one.surprise for one in marks]),
        "length in band": mean([float(panel.length.holds(one.length)) for one in marks]),
        "readability in band": mean(
            [float(panel.readability.holds(one.readability)) for one in marks]
        ),
        "greets": mean([float(one.greets) for one in marks]),
        "signs off": mean([float(one.signs_off) for one in marks]),
        "emoji": mean([float(one.emoji) for one in marks]),
        "exclaims": mean([float(one.exclaims) for one in marks]),
        "copied": mean([one.copied for one in marks]),
    }
    likened = [
        (group, one.chrf) for group, one in zip(groups, marks, strict=True) if one.chrf is not None
    ]
    if likened:
        values = [value for _, value in likened]
        figures["chrF"] = difference([group for group, _ in likened], values, [0.0] * len(values))
    beside = {name.replace("_", " "): share for name, share in panel.habits.items()}
    return PanelReport(figures, beside)
