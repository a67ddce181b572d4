"""Measures a style model against what answers now: on conversations it did not learn from.

Both sides get the prompts of the dataset's validation rows, which training never saw. What counts
is what people would be shown: a reply that may not be used counts as the plain words in its
stead, so a model gains nothing by what the lock takes back.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import Engine

from core.settings import Settings
from evaluation.asking import Progress, Prompt, replies_of, speaking
from evaluation.drafts import built_in_drafts, drafts_of
from evaluation.gate import Decision, Figure, GateError, decide
from evaluation.safety import Canaries, Harmed, judge_safety
from evaluation.style import Marks, Panel, Text, learn_panel
from evaluation.voices import masked
from finetune.redact import redact
from graph.models import open_model
from graph.router import REPLIES, small_talk_kind
from retrieval.embeddings import Embedder
from retrieval.sentences import split
from retrieval.voice import (
    Message,
    changed_facts,
    numbered,
    policy_facts,
    read_lines,
    style_messages,
    without_marks,
)
from store.access import OPERATOR_ACCESS
from store.datasets import DatasetRow
from store.model_registry import Model
from store.search import versions_in_force
from store.transcripts import list_transcripts

MOST_CASES = 400  # of the validation rows; more narrow the interval little and take long
MOST_PROSE = 4_000  # sentences of documents that the judge of voices learns from
LEAST_AUROC = 0.7  # of the judge of voices; below, what it says of a gain means nothing
SHOWN = 3  # exchanges that a base model is shown, as the graph shows it approved ones
EXAMPLES_KEPT = 10  # harmful replies that are kept as evidence
LONGEST_REPLY = 600  # characters of one that are kept
MARGINS = {
    "answers": 0.02,  # chrF with what the team said
    "usable": 0.10,  # share of replies that are used at all
    # Against the team's own held-out words, of which four in five are within its bands, some
    # repeat others and some surprise. Wide, for few conversations: who strays falls by more.
    "length": 0.25,
    "readability": 0.25,
    "own words": 0.15,  # one less the share copied
    "expected words": 0.5,  # nats a word
}

Task = Literal["tone", "style"]


@dataclass(frozen=True)
class Case:
    """A prompt that the team answered: what it was asked with, and what it said."""

    task: Task
    conversation: str
    prompt: Prompt
    reference: str
    given: tuple[str, ...]  # the sentences to rewrite; of small talk the asker's last words


def cases_of(rows: Sequence[DatasetRow], split_name: str = "validation") -> list[Case]:
    """Return the cases of rows: each reply of the team in a row of small talk is one."""
    found: list[Case] = []
    for row in rows:
        if row.split != split_name:
            continue
        content = row.content
        if "messages" in content:
            messages: list[Message] = content["messages"]
        else:  # a pair of preferences: the preferred words are the team's
            messages = [*content["prompt"], {"role": "assistant", "content": content["chosen"]}]
        task: Task = "style" if content.get("task") == "style" else "tone"
        if content.get("task") == "raft":
            continue  # answers with passages are measured by `eval compare`, through the graph
        for place, message in enumerate(messages):
            if message["role"] != "assistant" or place == 0:
                continue
            given: Sequence[str] = [messages[place - 1]["content"]]
            reference = message["content"]
            if task == "style":
                lines = given[0].splitlines()
                drafted = read_lines(given[0], len(lines))
                better = read_lines(reference, len(lines))
                if drafted is None or better is None:
                    continue
                given, reference = drafted, " ".join(map(without_marks, better))
            case = Case(task, row.conversation, messages[:place], reference, tuple(given))
            found.append(case)
    return found


def plain_words(case: Case) -> str:
    """Return what stands where no style model speaks."""
    if case.task == "style":
        return " ".join(map(without_marks, case.given))
    return REPLIES[small_talk_kind(case.given[-1])]


def shown(case: Case, reply: str | None) -> tuple[str, bool]:
    """Return what people would be shown of a reply, and whether it is the reply."""
    if reply is None:
        return plain_words(case), False
    if case.task == "tone":
        words = reply.strip()
        return (words, True) if policy_facts(words) is None else (plain_words(case), False)
    lines = read_lines(reply, len(case.given))
    if lines is None or changed_facts(case.given, lines) is not None:
        return plain_words(case), False
    return " ".join(map(without_marks, lines)), True


@dataclass(frozen=True)
class Ground:
    """What a style model is measured on: held-out cases, the panel, drafts, canary words."""

    cases: Sequence[Case]
    panel: Panel
    drafts: Sequence[tuple[str, ...]]
    canaries: Canaries
    examples: Sequence[Case]


def ground_of(
    engine: Engine, workspace_id: int, rows: Sequence[DatasetRow], cases: int = MOST_CASES
) -> Ground:
    """Prepare the measuring from a dataset's rows and the workspace's documents.

    The panel learns the team's voice from training rows; the other voice is that of the askers
    in them, of the documents, and of suggestions that were sent as they stood. Raises VoiceError,
    GateError where that is not enough.
    """
    learned = cases_of(rows, "train")
    held = cases_of(rows)
    if len(held) > cases:
        drawn = np.random.default_rng(0).choice(len(held), cases, replace=False)
        held = [held[place] for place in sorted(drawn)]
    if not held:
        raise GateError(
            "The dataset has no validation rows to measure on; build one with"
            " `footnote finetune dataset build --validation-share 0.2`."
        )
    now = datetime.now(UTC)
    texts = [one.text for one in versions_in_force(engine, workspace_id, OPERATOR_ACCESS, now)]
    team: list[Text] = [(case.reference, case.conversation) for case in learned]
    others: list[Text] = [
        (without_marks(words), case.conversation) for case in learned for words in case.given
    ]
    prose = [
        (" ".join(text[start:end].split()), f"document {number}.{start // 2_000}")
        for number, text in enumerate(texts)
        for start, end in split(text)
        if end - start > 1
    ]
    others += suggested(engine, workspace_id, {masked(text) for text, _ in team})
    drafts = [*built_in_drafts(), *drafts_of(texts)]
    prose += [(without_marks(line), f"draft {n}") for n, one in enumerate(drafts) for line in one]
    panel = learn_panel(team, [*others, *_drawn(prose)])
    if panel.voice.auroc < LEAST_AUROC:
        raise GateError(
            "The team's voice cannot be told from other words by these examples (AUROC"
            f" {panel.voice.auroc:.2f}, it takes {LEAST_AUROC}); approve more of them."
        )
    elsewhere = [*texts, *(words for case in held for words in (case.reference, *case.given))]
    canaries = Canaries([(case.reference, case.conversation) for case in learned], elsewhere)
    return Ground(held, panel, drafts, canaries, [one for one in learned if one.task == "tone"])


def suggested(engine: Engine, workspace_id: int, own: set[str]) -> list[Text]:
    """Return suggestions that were sent as they stood, without what the rows teach (`own`)."""
    return [
        (said.text, f"transcript {one.id}")
        for one in list_transcripts(engine, workspace_id, "approved", None)
        for said in one.words
        if said.role == "team" and said.canned and masked(said.text) not in own
    ]


def _drawn(prose: Sequence[Text]) -> list[Text]:
    if len(prose) <= MOST_PROSE:
        return list(prose)
    chosen = np.random.default_rng(0).choice(len(prose), MOST_PROSE, replace=False)
    return [prose[place] for place in sorted(chosen)]


@dataclass(frozen=True)
class Spoken:
    """What one side said: what is shown of it, whether it is used, and the panel's marks."""

    words: Sequence[str]
    used: Sequence[bool]
    marks: Sequence[Marks]


def measure_style(
    engine: Engine,
    settings: Settings,
    embedder: Embedder,
    candidate: Model,
    incumbent: Model | None,
    rows: Sequence[DatasetRow],
    progress: Progress = lambda _done, _total: None,
) -> Decision:
    """Return the verdict on a style model against the one that is active, or what stands now.

    Without an active model that is the plain words, and for small talk the base model with the
    nearest examples where one is set. Raises GateError where a side cannot be asked.
    """
    ground = ground_of(engine, candidate.workspace_id, rows)
    asked = [case.prompt for case in ground.cases]
    restyle: list[Prompt] = [style_messages(draft) for draft in ground.drafts]
    with ExitStack() as stack:
        chat = stack.enter_context(speaking(engine, settings, candidate))
        total = len(asked) + len(restyle)
        replies = replies_of(chat, candidate.name, asked, lambda done, _: progress(done, total))
        restyled = replies_of(
            chat, candidate.name, restyle, lambda done, _: progress(len(asked) + done, total)
        )
        if incumbent is not None:
            other = stack.enter_context(speaking(engine, settings, incumbent))
            before = replies_of(other, incumbent.name, asked)
        else:
            before = _without_model(settings, embedder, ground)
    spoken = [
        ([message["content"] for message in case.prompt], reply)
        for case, reply in zip(ground.cases, replies, strict=True)
    ]
    safety, harmed = judge_safety(ground.drafts, restyled, spoken, ground.canaries)
    ours, theirs = _heard(ground, replies), _heard(ground, before)
    main, guards = _figures(ground, ours, theirs)
    decided = decide(main, guards, safety)
    more = {
        "kind": "style",
        "against": incumbent.name if incumbent else "no style model",
        "cases": len(ground.cases),
        "auroc": round(ground.panel.voice.auroc, 4),
        "harm": [_kept(one) for one in harmed[:EXAMPLES_KEPT]],
    }
    return Decision(decided.passed, decided.reason, decided.evidence | more)


def _without_model(settings: Settings, embedder: Embedder, ground: Ground) -> list[str | None]:
    """Return what stands now in each case, as a reply."""
    plain: list[str | None] = [
        numbered(case.given) if case.task == "style" else plain_words(case)
        for case in ground.cases
    ]
    chat = open_model(settings)
    places = [place for place, case in enumerate(ground.cases) if case.task == "tone"]
    if chat is None or not places or not ground.examples:
        return plain
    known = embedder.embed([one.given[-1] for one in ground.examples])
    prompts: list[Prompt] = []
    for place in places:
        case = ground.cases[place]
        likeness = known @ embedder.embed([case.given[-1]])[0]
        nearest = [ground.examples[int(at)] for at in np.argsort(-likeness)[:SHOWN]]
        turns: list[Message] = []
        for one in nearest:
            turns.append({"role": "user", "content": one.given[-1]})
            turns.append({"role": "assistant", "content": one.reference})
        prompts.append([case.prompt[0], *turns, *case.prompt[1:]])
    replies = replies_of(chat, settings.openai_model, prompts)
    for place, reply in zip(places, replies, strict=True):
        plain[place] = reply
    return plain


def _heard(ground: Ground, replies: Sequence[str | None]) -> Spoken:
    told = [shown(case, reply) for case, reply in zip(ground.cases, replies, strict=True)]
    marks = ground.panel.marks(
        [(words, case.conversation) for (words, _), case in zip(told, ground.cases, strict=True)],
        [case.reference for case in ground.cases],
        [" ".join(case.given) for case in ground.cases],
    )
    return Spoken([words for words, _ in told], [used for _, used in told], marks)


def _figures(ground: Ground, ours: Spoken, theirs: Spoken) -> tuple[Figure, list[Figure]]:
    groups = [case.conversation for case in ground.cases]
    panel = ground.panel
    team = panel.marks(
        [(case.reference, case.conversation) for case in ground.cases],
        given=[" ".join(case.given) for case in ground.cases],
    )

    def figure(
        name: str, candidate: Sequence[float], incumbent: Sequence[float], percent: bool = True
    ) -> Figure:
        return Figure(name, groups, candidate, incumbent, MARGINS.get(name), percent)

    main = figure("voice", [m.voice for m in ours.marks], [m.voice for m in theirs.marks])
    return main, [
        figure(
            "answers", [m.chrf or 0.0 for m in ours.marks], [m.chrf or 0.0 for m in theirs.marks]
        ),
        figure("usable", [float(u) for u in ours.used], [float(u) for u in theirs.used]),
        figure(
            "length",
            [float(panel.length.holds(m.length)) for m in ours.marks],
            [float(panel.length.holds(m.length)) for m in team],
        ),
        figure(
            "readability",
            [float(panel.readability.holds(m.readability)) for m in ours.marks],
            [float(panel.readability.holds(m.readability)) for m in team],
        ),
        figure("own words", [1 - m.copied for m in ours.marks], [1 - m.copied for m in team]),
        figure(
            "expected words",
            [-m.surprise for m in ours.marks],
            [-m.surprise for m in team],
            percent=False,
        ),
    ]


def _kept(one: Harmed) -> dict[str, Any]:
    """Return a harmful reply as evidence; of leaks, the reason without the words."""
    kept: dict[str, Any] = {"harm": one.harm, "why": one.why}
    if one.harm != "leaks":
        # A reply may have changed a fact and named somebody at once.
        given, reply = redact([one.given, one.reply]).texts
        kept |= {"given": given, "reply": reply[:LONGEST_REPLY]}
    return kept
