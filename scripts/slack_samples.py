"""What Footnote sends to Slack, on an invented case: one function a surface, one line to list it.

Each is JSON as `admin.slack.surfaces.draw` takes it, made by the bot's own builders.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from bot.channel_settings import Offer, settings_view
from bot.corrections import correction
from bot.escalation_blocks import (
    answer_view,
    answered_notice,
    claimed_notice,
    handed_over_message,
    with_state,
)
from bot.feedback import why_view
from bot.home import ForAdmins, Home, home_view
from bot.incoming import Shared
from bot.living import STEPS
from bot.privacy import kept_message
from bot.receipts import receipt
from bot.render import render, render_failure, superseded
from bot.sources import sources
from ingestion.uploads import FileState
from scripts.slack_case import (
    ANSWER,
    ASKED_AT,
    ASKER,
    CHANGED_AT,
    CLARIFYING,
    CURRENT,
    FAULT,
    LEAD,
    NEW_QUOTE,
    NO,
    QUESTION,
    REFUSAL,
    REPLACED,
    SALE,
    SALE_WORDS,
    SINCE,
    Surface,
    post,
    section_of,
    thread,
    ts,
)
from store.access import Scope
from store.answers import Claim
from store.channels import ChannelSettings
from store.cited import CitedAnswer, CitedWords
from store.corrections import Change
from store.escalations import Escalation
from store.feedback import Opinion
from store.home import Choice, OwnQuestion, RecentUpload, SourceHealth, Unanswered
from store.privacy import Kept, Kind

READ = (
    FileState(
        "returns-2026.pdf",
        "succeeded",
        report={
            "file": "returns-2026.pdf",
            "title": "Returns policy",
            "version": 4,
            "version_id": 7,
            "new_version": True,
            "chunks": 41,
            "embedded": 3,
            "effective_from": "2026-12-01T00:00:00+00:00",
            "hidden_characters": 0,
            "changes": [
                {"summary": "Sale items: 14 days → 30 days"},
                {"summary": "Faulty goods: reworded"},
            ],
            "sections_changed": 2,
            "warnings": ["1 of 13 pages is a picture without text and was left out: page 7"],
        },
    ),
    FileState("logo.exe.pdf", "failed", error="logo.exe.pdf is a Windows program, not a PDF."),
)
POLICIES = "214 policies"
STATES = ("complete", "complete", "in_progress")  # of the steps of an answer that takes longer
CHECKED_AT = datetime(2026, 11, 14, 9, 0, tzinfo=UTC)
CLAIMED_AT = ASKED_AT + timedelta(minutes=4)
HANDED_OVER = Escalation(
    id=1,
    workspace_id=1,
    key="C0HELP:1",
    conversation_id=None,
    answer_id=REFUSAL.id,
    asker_id=ASKER,
    question=REFUSAL.question,
    reason="asked",
    channel="C0HELP",
    thread_ts=ts(0),
    private=False,
    handed_to="C0LEADS",
    state="waiting",
    claimed_by=None,
    claimed_at=None,
    resolved_by=None,
    resolved_at=None,
    resolution=None,
    created_at=ASKED_AT,
)
NEW_SALE = SALE_WORDS.replace("14", "30")
CORRECTED = replace(
    ANSWER,
    id="c0aa15b2d3e4",
    text=f"Yes. {NEW_SALE}",
    claims=(Claim(f"Yes. {NEW_SALE}", (NEW_QUOTE,)),),
)
NOT_FOUND = "https://benefits.example.com/leave answered 404"
RESOLVED = "We do: drills and saws, for three days against a deposit of €50."


def answer() -> Surface:
    """An answer with its footnotes, in a thread."""
    return thread(QUESTION, render(ANSWER))


def refusal() -> Surface:
    """A refusal with the closest passage."""
    return thread(REFUSAL.question, render(REFUSAL))


def clarifying() -> Surface:
    """A question back, with what may be meant."""
    return thread(CLARIFYING.question, render(CLARIFYING))


def working() -> Surface:
    """What is seen while an answer is made."""
    return thread(QUESTION, ()) | {"status": "is searching 214 policies…"}


def streaming() -> Surface:
    """Steps and the first words of an answer that takes longer."""
    tasks = [
        {"type": "task_card", "task_id": name, "title": title, "status": status}
        for (name, title), status in zip(STEPS.items(), STATES, strict=True)
    ]
    titled = [task | {"title": task["title"].format(policies=POLICIES)} for task in tasks]
    post = {"text": "", "blocks": [*titled, {"type": "markdown", "text": NO}], "ts": ts(1)}
    asked = thread(QUESTION, ())
    return asked | {"messages": [*asked["messages"], post]}


def failure() -> Surface:
    """What is told when an answer could not be finished."""
    return thread(QUESTION, render_failure("7f3a"))


def upload() -> Surface:
    """Files that somebody shared, and what became of them."""
    files = [
        {"name": "returns-2026.pdf", "pretty_type": "PDF", "size": 214_300},
        {"name": "logo.exe.pdf", "pretty_type": "PDF", "size": 88_100},
    ]
    shared = {"user": LEAD, "text": "The new wording", "files": files, "ts": ts(0)}
    told = receipt(READ, (), "https://policies.example.com")
    return {"place": "Footnote", "messages": [shared, post(told, 1)]}


def uploading() -> Surface:
    """The same while it is read."""
    reading = FileState("returns-2026.pdf", "running", done=12, total=41)
    told = receipt([reading], [Shared("F2", "logo.exe.pdf")], None)
    return {"place": "Footnote", "messages": [post(told, 1)]}


def private() -> Surface:
    """An answer to a command, which only the asker sees."""
    posts = [post(m, 0) | {"is_ephemeral": True} for m in render(ANSWER)]
    return {"place": "# ask-policies", "messages": posts}


def privacy() -> Surface:
    """What is kept about who asks, which only they see."""
    kinds = (
        Kind("messages", 24, SINCE, ASKED_AT),
        Kind("questions", 11, SINCE, ASKED_AT),
        Kind("feedback", 2, ASKED_AT, ASKED_AT),
    )
    kept = Kept(ASKER, kinds, "member", (), ("everyone",))
    posts = [post(m, 0) | {"is_ephemeral": True} for m in kept_message(kept, 90)]
    return {"place": "# ask-policies", "messages": posts}


def escalation() -> Surface:
    """A question that was handed over, before anybody claimed it."""
    message = handed_over_message(
        HANDED_OVER, REFUSAL, (), "https://halvermoor.slack.com/archives/C0HELP/p1793616120000000"
    )
    return {"place": "# support-leads", "messages": [post(message, 1)]}


def claimed() -> Surface:
    """The same once somebody has claimed it, and what the asker is told."""
    now = replace(HANDED_OVER, state="claimed", claimed_by=LEAD, claimed_at=CLAIMED_AT)
    shown = with_state(asdict(handed_over_message(HANDED_OVER, REFUSAL)), now) | {"ts": ts(1)}
    return {"place": "# support-leads", "messages": [shown]}


def answering() -> Surface:
    """The form in which somebody answers it."""
    return answer_view(replace(HANDED_OVER, state="claimed", claimed_by=LEAD))


def taken_over() -> Surface:
    """What the asker is told: that somebody looks, and then the answer."""
    told = [claimed_notice(LEAD), *answered_notice(LEAD, RESOLVED)]
    asked = thread(REFUSAL.question, [])
    posts = [post(message, 4 + n) for n, message in enumerate(told)]
    return asked | {"messages": [*asked["messages"], *posts]}


def sources_modal() -> Surface:
    """The exact quotes, with old words beside new where they changed."""
    words = tuple(
        CitedWords(
            citation, False, REPLACED, True, CHECKED_AT, None, CURRENT, section_of(citation)
        )
        for citation in (SALE, FAULT)
    )
    cited = CitedAnswer(ANSWER, ASKER, None, None, words)
    return sources(cited, CHECKED_AT + timedelta(minutes=4)).modal(0)


def feedback_modal() -> Surface:
    """Why a thumb went down."""
    return why_view(ANSWER.id, QUESTION, Opinion(-1, "outdated"))


def home() -> Surface:
    """The home tab of a knowledge admin."""
    health = (
        SourceHealth(1, "Handbook", True, False, 37, CHECKED_AT, None, 0, 3_600),
        SourceHealth(2, "Benefits pages", True, False, 12, SINCE, NOT_FOUND, 1, 86_400),
        SourceHealth(3, "Uploads", False, False, 9, None, None, 0, None),
    )
    questions = (
        OwnQuestion(ANSWER.id, QUESTION, "answered", ASKED_AT, True, True),
        OwnQuestion(REFUSAL.id, REFUSAL.question, "refused", ASKED_AT, False, False),
    )
    sent = RecentUpload(LEAD, ASKED_AT, 2, 0, 1, ("Returns policy",))
    unanswered = Unanswered("Do you lend out tools?", "C0HELP", ASKED_AT)
    admin = ForAdmins((sent,), 1, (unanswered,))
    return home_view(
        Home("admin", 58, health, questions, CHECKED_AT + timedelta(minutes=4), 3, admin)
    )


def correction_post() -> Surface:
    """An answer that changed, told in its thread."""
    change = Change("returns-policy", "Returns policy", SALE_WORDS, NEW_SALE, 3, 4, CHANGED_AT)
    posts = [post(m, 2_000) for m in correction([change], CORRECTED)]
    marked = [superseded(asdict(m), CHANGED_AT) | {"ts": ts(1)} for m in render(ANSWER)]
    asked = thread(QUESTION, ())
    return asked | {"messages": [*asked["messages"], *marked, *posts]}


def channel_settings() -> Surface:
    """What an admin sets for a channel."""
    chosen = Scope(frozenset({1}), frozenset({"warranty-policy"}))
    offer = Offer(
        (Choice(1, "Handbook"),), (Choice(2, "Warranty", "warranty-policy"), Choice(3, "Expenses"))
    )
    settings = ChannelSettings(
        "C0HELP", scope=chosen, language="English", escalation_channel="C0LEADS"
    )
    return settings_view(settings, offer)


SURFACES: dict[str, Callable[[], Surface]] = {
    "answer": answer,
    "refusal": refusal,
    "clarifying": clarifying,
    "working": working,
    "private": private,
    "streaming": streaming,
    "failure": failure,
    "upload": upload,
    "uploading": uploading,
    "privacy": privacy,
    "escalation": escalation,
    "escalation-claimed": claimed,
    "escalation-form": answering,
    "escalation-answered": taken_over,
    "sources": sources_modal,
    "feedback": feedback_modal,
    "settings": channel_settings,
    "home": home,
    "correction": correction_post,
}
