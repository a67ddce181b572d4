"""Asks the same questions in four ways and holds what came of it side by side.

Every figure is a mean over questions with its interval over dialogues. What an arm cannot do is
shown as what it is: a model alone has no citation that could verify, so none of its sentences is
proven.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from evaluation.arms import Arm, Ask, Said
from evaluation.cases import Case, Dataset
from evaluation.statistics import Difference, difference, percentile
from evaluation.style import Panel, likeness
from evaluation.voices import WORD
from retrieval.facts import facts
from store.documents import Version, read_versions

EXAMPLES = 8  # questions that are shown side by side
FIGURES = {
    "answered": "answered, of what can be answered",
    "refused": "refused or asked back, of what cannot be answered",
    "f1": "words shared with the reference (F1)",
    "chrf": "likeness to the reference (chrF)",
    "verified": "citations whose quote stands in the document",
    "proven": "sentences with a citation",
    "other facts": "answers with numbers or dates of no source",
    "facts kept": "rewritings that changed no fact",
    "voice": "sounds like the team (probability)",
    "length": "length within the team's band",
    "copied": "runs of eight words copied from the team's rows",
}
"""Names of the figures, as reports tell them; all are shares from 0 to 1."""


@dataclass(frozen=True)
class ArmReport:
    """What became of an arm: figures, time in seconds, tokens a question, failures."""

    figures: dict[str, Difference]
    seconds_p50: float
    seconds_p95: float
    tokens: float
    failed: int
    facts_changed: int
    styled: int

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "figures": {name: value.to_json() for name, value in self.figures.items()},
            "seconds_p50": round(self.seconds_p50, 4),
            "seconds_p95": round(self.seconds_p95, 4),
            "tokens": round(self.tokens, 1),
            "failed": self.failed,
            "facts_changed": self.facts_changed,
            "styled": self.styled,
        }


@dataclass(frozen=True)
class Example:
    """A question, what a person said to it, and what each arm said."""

    question: str
    reference: str | None
    answerable: bool
    said: dict[Arm, str]

    def to_json(self) -> dict[str, Any]:
        """Return the example as JSON types."""
        return vars(self)


@dataclass(frozen=True)
class Comparison:
    """All arms that ran, why others did not, gains over retrieval alone, and examples."""

    name: str
    questions: int
    arms: dict[Arm, ArmReport]
    missing: dict[Arm, str]
    gains: dict[Arm, dict[str, Difference]]
    examples: list[Example] = field(default_factory=list)
    voice_note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON types."""
        return {
            "set": self.name,
            "questions": self.questions,
            "arms": {arm: report.to_json() for arm, report in self.arms.items()},
            "missing": dict(self.missing),
            "gains_over_rag": {
                arm: {name: value.to_json() for name, value in found.items()}
                for arm, found in self.gains.items()
            },
            "voice": self.voice_note,
            "examples": [one.to_json() for one in self.examples],
        }


@dataclass(frozen=True)
class _Row:
    """One question's figures of one arm, by name; a figure that is not about it is not there."""

    case: Case
    said: Said
    figures: dict[str, float]


def compare(
    dataset: Dataset,
    arms: Mapping[Arm, Ask],
    missing: Mapping[Arm, str],
    engine: Engine,
    workspace_id: int,
    versions: Mapping[str, Version],
    panel: Panel | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Ask every case in every arm and return what came of it."""
    rows: dict[Arm, list[_Row]] = {}
    total, done = len(arms) * len(dataset.cases), 0
    for arm, ask in arms.items():
        said = []
        for case in dataset.cases:
            said.append(ask(case))
            done += 1
            progress(done, total)
        rows[arm] = _rows(dataset.cases, said, engine, workspace_id, versions, panel)
    note = None
    if panel is None:
        note = "not measured; name transcripts of the team with --voice"
    else:
        note = f"the judge of voices tells unseen conversations apart at {panel.voice.auroc:.2f}"
    return Comparison(
        name=dataset.path.name,
        questions=len(dataset.cases),
        arms={arm: _report(found) for arm, found in rows.items()},
        missing=dict(missing),
        gains={
            arm: gains(found, rows["rag"])
            for arm, found in rows.items()
            if arm != "rag" and "rag" in rows
        },
        examples=_examples(dataset.cases, rows),
        voice_note=note,
    )


def _rows(
    cases: Sequence[Case],
    said: Sequence[Said],
    engine: Engine,
    workspace_id: int,
    versions: Mapping[str, Version],
    panel: Panel | None,
) -> list[_Row]:
    ids = {citation.version_id for one in said for citation in one.citations}
    texts = {one.id: one.text for one in read_versions(engine, workspace_id, ids)}
    spoken = [one.text if one.answered else "" for one in said]
    marks = None
    if panel is not None:
        given = [" ".join(c.quote for c in one.citations) for one in said]
        whose = [(text, case.group) for text, case in zip(spoken, cases, strict=True)]
        marks = panel.marks(whose, given=given)
    rows = []
    for place, (case, one) in enumerate(zip(cases, said, strict=True)):
        figures = figures_of(case, one, texts, versions)
        if marks is not None and panel is not None and one.answered:
            figures["voice"] = marks[place].voice
            figures["length"] = float(panel.length.holds(marks[place].length))
            figures["copied"] = marks[place].copied
        rows.append(_Row(case, one, figures))
    return rows


def figures_of(
    case: Case, said: Said, texts: Mapping[int, str], versions: Mapping[str, Version]
) -> dict[str, float]:
    """Return the figures of one answer that the question and the answer allow."""
    found: dict[str, float] = {}
    if not case.answerable:
        found["refused"] = float(not said.answered and not said.failed)
    else:
        found["answered"] = float(said.answered)
        reference = case.answer or case.quote
        if reference:
            found["f1"] = shared_words(said.text, reference) if said.answered else 0.0
            found["chrf"] = likeness(said.text, reference) if said.answered else 0.0
    if said.citations:
        stand = [texts[c.version_id][c.start : c.end] == c.quote for c in said.citations]
        found["verified"] = sum(stand) / len(stand)
    if said.answered and said.sentences:
        found["proven"] = said.proven / said.sentences
        gold = versions.get(case.document or "")
        known = " \n ".join(
            [
                case.question,
                *(turn.text for turn in case.history),
                *(citation.quote for citation in said.citations),
                case.quote or "",
                gold.text if gold else "",
            ]
        )
        found["other facts"] = float(bool(facts(said.text) - facts(known)))
    if said.style in ("styled", "facts_changed"):
        found["facts kept"] = float(said.style == "styled")
    return found


def shared_words(text: str, reference: str) -> float:
    """Return F1 over words, each as often as it stands there (Rajpurkar et al., 2016)."""
    ours, theirs = (
        Counter(word.casefold() for word in WORD.findall(one)) for one in (text, reference)
    )
    shared = sum((ours & theirs).values())
    if not shared:
        return 0.0
    precision, recall = shared / ours.total(), shared / theirs.total()
    return 2 * precision * recall / (precision + recall)


def _report(rows: Sequence[_Row]) -> ArmReport:
    figures = {}
    for name in FIGURES:
        about = [row for row in rows if name in row.figures]
        if about:
            values = [row.figures[name] for row in about]
            figures[name] = difference(
                [row.case.group for row in about], values, [0.0] * len(values)
            )
    seconds = [row.said.seconds for row in rows]
    styles = Counter(row.said.style for row in rows)
    return ArmReport(
        figures=figures,
        seconds_p50=percentile(seconds, 50),
        seconds_p95=percentile(seconds, 95),
        tokens=sum(row.said.tokens for row in rows) / max(len(rows), 1),
        failed=sum(row.said.failed for row in rows),
        facts_changed=styles["facts_changed"],
        styled=styles["styled"],
    )


def gains(ours: Sequence[_Row], theirs: Sequence[_Row]) -> dict[str, Difference]:
    """Return an arm's gain over another in each figure, on the questions that both have it for."""
    found = {}
    for name in FIGURES:
        pairs = [
            (a.case.group, a.figures[name], b.figures[name])
            for a, b in zip(ours, theirs, strict=True)
            if name in a.figures and name in b.figures
        ]
        if pairs:
            groups, mine, other = zip(*pairs, strict=True)
            found[name] = difference(groups, mine, other)
    return found


def _examples(cases: Sequence[Case], rows: Mapping[Arm, Sequence[_Row]]) -> list[Example]:
    """Return questions on which the arms differ, rewritings that were taken back first."""
    chosen = []
    for place, case in enumerate(cases):
        said = {arm: found[place].said for arm, found in rows.items()}
        different = len({one.text for one in said.values()}) > 1 or len(said) == 1
        taken_back = any(one.style == "facts_changed" for one in said.values())
        if different:
            chosen.append((not taken_back, place, case, said))
    chosen.sort(key=lambda one: (one[0], one[1]))
    return [
        Example(
            case.question,
            case.answer or case.quote,
            case.answerable,
            {arm: one.shown for arm, one in said.items()},
        )
        for _, _, case, said in chosen[:EXAMPLES]
    ]
