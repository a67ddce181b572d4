"""A judge of voices: how likely it is that words are one voice's and not another's.

It learns from what people wrote and nothing else: a judge that had seen a model's words would
soon know the model, and not the voice. It sees pieces of words, words, and how a text is built:
length, sentences, capitals, punctuation, greetings. It does not understand: what one voice alone
speaks about helps it as much as how it speaks, so both voices should speak of the same things.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FootnoteError
from evaluation.statistics import auroc

Floats = NDArray[np.float64]

FOLDS = 5
FEWEST = 40  # texts of each voice
MOST = 6_000  # texts of each voice that are learned from; more say hardly more and take long
FEATURES = 20_000  # pieces of words, and as many words, that are kept
SEED = 7

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
EMOJI = re.compile(r":[a-z][\w+'-]+:|[\U0001f300-\U0001faff\u2600-\u27bf]|[:;]-?[)(DP](?!\w)")
GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|hiya|dear|greetings|welcome|good (?:morning|afternoon|evening|day))\b",
    re.IGNORECASE,
)
SIGN_OFF = re.compile(
    r"\b(?:(?:good)?bye|regards|sincerely|cheers|take care|have an? \w+ day"
    r"|have a (?:nice|great|good|lovely)|see you|all the best|thank you and)\b",
    re.IGNORECASE,
)
CONTRACTION = re.compile(r"\b\w+['’](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
DIGITS = re.compile(r"\d+")
TOKEN = re.compile(r"[^\W_]+|[^\w\s]")


class VoiceError(FootnoteError):
    """The voices cannot be learned or told apart from what there is."""


def build_of(text: str) -> list[float]:
    """Return how a text is built, as numbers of about one size."""
    words = WORD.findall(text)
    count = max(len(words), 1)
    letters = max(sum(map(str.isalpha, text)), 1)
    sentences = max(len(SENTENCE_END.findall(text)), 1)
    return [
        float(np.log1p(len(words))),
        float(np.log1p(len(words) / sentences)),
        sum(map(len, words)) / count / 5,
        sum(map(str.isupper, text)) / letters * 10,
        float(text[:1].isupper()),
        float(text.rstrip()[-1:] in ".!?"),
        float("\n" in text),
        text.count("!") / sentences,
        text.count("?") / sentences,
        text.count(",") / count * 10,
        sum(text.count(mark) for mark in "'\"“”") / count * 10,
        sum(map(str.isdigit, text)) / max(len(text), 1) * 10,
        len(CONTRACTION.findall(text)) / count * 10,
        float(bool(EMOJI.search(text))),
        float(bool(GREETING.search(text))),
        float(bool(SIGN_OFF.search(text))),
    ]


def masked(text: str) -> str:
    """Return a text as it is compared with others: case, digits and white space set aside."""
    return " ".join(DIGITS.sub("0", text.casefold()).split())


@dataclass(frozen=True)
class Voice:
    """Learned from two voices; tells how likely words are the first one's.

    `auroc` is how well it told unseen conversations apart while it learned: the share of pairs,
    one text of each voice, of which it knew the right one.
    """

    auroc: float
    texts: tuple[int, int]
    _model: "_Linear"
    _slope: float
    _bias: float

    def probability(self, texts: Sequence[str]) -> Floats:
        """Return for each text how likely it is the first voice's, from 0 to 1."""
        if not texts:
            return np.zeros(0)
        scores = self._model.scores(texts)
        made: Floats = 1 / (1 + np.exp(-(self._slope * scores + self._bias)))
        return made


@dataclass(frozen=True)
class _Linear:
    """A logistic regression on pieces of words, words and build."""

    pieces: Any
    words: Any
    scaler: Any
    regression: Any

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return log-odds as they come out of the regression, which are not calibrated."""
        made: Floats = self.regression.decision_function(self._features(texts))
        return made

    def _features(self, texts: Sequence[str]) -> Any:
        from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415 - a second, for who measures

        plain = [DIGITS.sub("0", text) for text in texts]
        build = csr_matrix(self.scaler.transform([build_of(text) for text in texts]))
        return hstack(
            [self.pieces.transform(plain), self.words.transform(plain), build * 0.2], format="csr"
        )


def learn(texts: Sequence[str], theirs: Sequence[str]) -> "_Linear":
    """Fit on texts of the first voice and of the other."""
    # sklearn takes two seconds to load, and only who measures needs it.
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    together = [*texts, *theirs]
    plain = [DIGITS.sub("0", text) for text in together]
    # min_df 2: what one text alone has says who it is about.
    shared: dict[str, Any] = {"sublinear_tf": True, "max_features": FEATURES, "min_df": 2}
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False, **shared)
    words = TfidfVectorizer(
        ngram_range=(1, 2), tokenizer=TOKEN.findall, token_pattern=None, **shared
    )
    regression = LogisticRegression(C=4.0, class_weight="balanced", max_iter=300)
    model = _Linear(
        pieces.fit(plain),
        words.fit(plain),
        StandardScaler().fit([build_of(text) for text in together]),
        regression,
    )
    regression.fit(model._features(together), [1] * len(texts) + [0] * len(theirs))
    return model


def learn_voice(
    texts: Sequence[str],
    conversations: Sequence[str],
    theirs: Sequence[str],
    their_conversations: Sequence[str],
) -> Voice:
    """Learn one voice from another, each with the conversations that its texts are of.

    The same words count once. Calibrated (Platt) on scores of conversations that were left out.
    Raises VoiceError where there is too little of either.
    """
    ours = distinct(texts, conversations)
    others = distinct(theirs, their_conversations)
    for name, found in (("the team's voice", ours), ("another voice", others)):
        if len(found) < FEWEST:
            raise VoiceError(
                f"{len(found)} different texts of {name} are too few to learn it; it takes"
                f" {FEWEST}."
            )
    scores, labels = _cross_fitted(ours, others)
    slope, bias = _calibrated(scores, labels)
    model = learn([text for text, _ in ours], [text for text, _ in others])
    return Voice(auroc(scores, labels), (len(ours), len(others)), model, slope, bias)


def distinct(texts: Sequence[str], conversations: Sequence[str]) -> list[tuple[str, str]]:
    """Return each wording once, with the conversation it came first in; at most `MOST` drawn."""
    seen: dict[str, tuple[str, str]] = {}
    for text, conversation in zip(texts, conversations, strict=True):
        if text.strip():
            seen.setdefault(masked(text), (text, conversation))
    found = list(seen.values())
    if len(found) > MOST:
        chosen = np.random.default_rng(SEED).choice(len(found), MOST, replace=False)
        found = [found[place] for place in sorted(chosen)]
    return found


def fold_of(conversations: Sequence[str]) -> NDArray[np.int64]:
    """Return a fold for each text, the same for all of a conversation, drawn by seed."""
    names = sorted(set(conversations))
    order = np.random.default_rng(SEED).permutation(len(names))
    folds = {names[place]: number % FOLDS for number, place in enumerate(order)}
    return np.array([folds[conversation] for conversation in conversations])


def _cross_fitted(
    ours: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]
) -> tuple[Floats, Floats]:
    """Return the score of each text by a model that saw nothing of its conversation."""
    texts = [text for text, _ in (*ours, *others)]
    folds = fold_of([conversation for _, conversation in (*ours, *others)])
    labels = np.array([1.0] * len(ours) + [0.0] * len(others))
    scores = np.zeros(len(texts))
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        mine = [texts[i] for i in np.flatnonzero((folds != fold) & (labels == 1))]
        other = [texts[i] for i in np.flatnonzero((folds != fold) & (labels == 0))]
        if len(held) == 0:
            continue
        if not mine or not other:
            raise VoiceError("All texts of a voice are of one conversation; it takes several.")
        scores[held] = learn(mine, other).scores([texts[i] for i in held])
    return scores, labels


def _calibrated(scores: Floats, labels: Floats) -> tuple[float, float]:
    """Return slope and bias of Platt's sigmoid (1999), fitted to scores of unseen texts."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    fitted = LogisticRegression(C=1e6, class_weight="balanced").fit(scores[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
