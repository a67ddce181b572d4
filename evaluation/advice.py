"""Which approach suits a team's questions: stated rules over the figures of a comparison.

An arm may answer policy questions only if what it says is proven; whatever else it does well
does not make up for that. Among those that may, the one that sounds more like the team is taken
where this surely gains and surely costs no answers. What was not measured decides nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from evaluation.arms import ARMS, Arm
from evaluation.compare import ArmReport, Comparison
from evaluation.gate import signed

LEAST_VERIFIED = 1.0  # of citations: a quote that is not there is a fault, not a weakness
LEAST_PROVEN = 0.95  # of sentences
MOST_OTHER_FACTS = 0.05  # of answers, with numbers or dates of no source
MOST_LOST = 0.02  # words shared with the reference that a voice may surely cost
LEAST_KEPT = 0.90  # of rewritings; below, too much is written in vain
LONGEST_WAIT = 20.0  # seconds at p95: what people wait in a chat
MANY_REFUSED = 0.30  # of what can be answered; above, documents or search are the bottleneck

Mark = Literal["yes", "no", "not measured"]


@dataclass(frozen=True)
class Cell:
    """Whether an arm does what a rule asks, and the figure that says so."""

    mark: Mark
    figure: str

    def to_json(self) -> dict[str, str]:
        """Return the cell as JSON types."""
        return {"mark": self.mark, "figure": self.figure}


@dataclass(frozen=True)
class Advice:
    """The decision table by rule and arm, the arm that is advised, and why in sentences."""

    table: dict[str, dict[Arm, Cell]]
    arm: Arm | None
    reasons: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return the advice as JSON types."""
        return {
            "advised": self.arm,
            "reasons": self.reasons,
            "table": {
                rule: {arm: cell.to_json() for arm, cell in cells.items()}
                for rule, cells in self.table.items()
            },
        }


PROVEN, FACTS, ANSWERS, VOICE, KEPT, FAST = (
    f"every quote stands, and {100 * LEAST_PROVEN:g} % of its sentences have one",
    f"at most {100 * MOST_OTHER_FACTS:g} % of its answers state numbers of no source",
    f"it surely loses no more than {100 * MOST_LOST:g} points of words shared with references",
    "it surely sounds more like the team than retrieval alone",
    f"at least {100 * LEAST_KEPT:g} % of its rewritings keep all facts",
    f"95 % of its answers come within {LONGEST_WAIT:g} s",
)


def advise(found: Comparison) -> Advice:
    """Return the decision table and what follows from it."""
    table: dict[str, dict[Arm, Cell]] = {
        rule: {} for rule in (PROVEN, FACTS, ANSWERS, VOICE, KEPT, FAST)
    }
    for arm, report in found.arms.items():
        for rule, cell in _cells(found, arm, report):
            table[rule][arm] = cell
    may = [arm for arm in ARMS if arm in found.arms and _may_answer(table, arm)]
    return Advice(table, _chosen(table, may), list(_reasons(found, table, may)))


def _cells(found: Comparison, arm: Arm, report: ArmReport) -> Iterator[tuple[str, Cell]]:
    figures, gains = report.figures, found.gains.get(arm, {})
    proven, verified = figures.get("proven"), figures.get("verified")
    if proven is None:
        yield PROVEN, Cell("not measured", "it answered nothing")
    else:
        stands = verified.value if verified else 0.0
        good = stands >= LEAST_VERIFIED and proven.value >= LEAST_PROVEN
        told = f"{100 * stands:.1f} %, {100 * proven.value:.1f} %"
        yield PROVEN, Cell("yes" if good else "no", told)
    other = figures.get("other facts")
    if other is None:
        yield FACTS, Cell("not measured", "it answered nothing")
    else:
        yield FACTS, Cell(_mark(other.value <= MOST_OTHER_FACTS), f"{100 * other.value:.1f} %")
    if arm != "rag":  # which the others are held against
        cost, voice = gains.get("f1"), gains.get("voice")
        yield (
            ANSWERS,
            (
                Cell("not measured", "no references")
                if cost is None
                else Cell(_mark(cost.low > -MOST_LOST), _points(cost.value, cost.low, cost.high))
            ),
        )
        yield (
            VOICE,
            (
                Cell("not measured", "no transcripts")
                if voice is None
                else Cell(_mark(voice.low > 0), _points(voice.value, voice.low, voice.high))
            ),
        )
    kept = figures.get("facts kept")
    if kept is not None:
        told = f"{100 * kept.value:.1f} % of {kept.count}"
        yield KEPT, Cell(_mark(kept.value >= LEAST_KEPT), told)
    yield FAST, Cell(_mark(report.seconds_p95 <= LONGEST_WAIT), f"{report.seconds_p95:.2f} s")


def _may_answer(table: dict[str, dict[Arm, Cell]], arm: Arm) -> bool:
    """Whether an arm's answers are proven, hold no facts of nowhere, and come in time."""
    return all(table[rule][arm].mark == "yes" for rule in (PROVEN, FACTS, FAST))


def _chosen(table: dict[str, dict[Arm, Cell]], may: list[Arm]) -> Arm | None:
    if "hybrid" in may and all(
        table[rule]["hybrid"].mark == "yes"
        for rule in (ANSWERS, VOICE, KEPT)
        if "hybrid" in table[rule]
    ):
        return "hybrid"
    return "rag" if "rag" in may else None


def _reasons(
    found: Comparison, table: dict[str, dict[Arm, Cell]], may: list[Arm]
) -> Iterator[str]:
    chosen = _chosen(table, may)
    if chosen == "hybrid":
        voice = table[VOICE]["hybrid"].figure
        yield f"Hybrid: it is proven like retrieval, and sounds more like the team ({voice})."
    elif chosen == "rag":
        yield "Retrieval: its answers are proven."
    else:
        yield "None of them may answer policy questions as it is; the table says what is missing."
    for arm in ("base", "fine-tuned"):
        if arm in found.arms and arm not in may:
            yield (
                f"{arm.capitalize()}: a model alone proves nothing that it says"
                f" ({table[FACTS][arm].figure} of its answers state numbers of no source), so it"
                " is no source for policies; small talk is what it may answer."
            )
    if "hybrid" in found.arms and chosen == "rag":
        for rule in (ANSWERS, VOICE, KEPT):
            cell = table[rule].get("hybrid")
            if cell is not None and cell.mark != "yes":
                yield f"Not hybrid: {rule}: {cell.mark} ({cell.figure})."
    for arm, why in found.missing.items():
        yield f"{arm.capitalize()} was not tried: {why}."
    rag = found.arms.get("rag")
    if rag is not None and "answered" in rag.figures:
        refused = 1 - rag.figures["answered"].value
        if refused > MANY_REFUSED:
            yield (
                f"{100 * refused:.0f} % of what can be answered was not: documents and search"
                " gain more here than any voice; look at `footnote eval retrieval`."
            )


def _mark(good: bool) -> Mark:
    return "yes" if good else "no"


def _points(value: float, low: float, high: float) -> str:
    return f"{signed(100 * value)} pp ({signed(100 * low)} … {signed(100 * high)})"
