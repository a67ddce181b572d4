"""The home tab: plain about how the sources fare, and within Slack's limits for any data."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.home import FALLBACK_PROMPTS, ForAdmins, Home, home_view, prompts
from store.answers import Outcome
from store.home import OwnQuestion, RecentUpload, SourceHealth, Unanswered
from store.shutdowns import HostedModel
from tests.fakes.slack.checks import check_prompts, check_view

NOW = datetime(2026, 11, 12, 14, 2, tzinfo=UTC)
FINE = SourceHealth(1, "handbook", True, False, 12, NOW - timedelta(minutes=4), None, 0, 900)
UPLOADS = SourceHealth(2, "Uploads", False, False, 3, None, None, 0, None)
HOME = Home("member", 15, [FINE, UPLOADS], [], NOW)
ADMIN = replace(HOME, role="admin", transcripts=2, admin=ForAdmins())


def told(home: Home) -> str:
    """Every word of a home tab."""
    view = home_view(home)
    check_view(view)
    return "\n".join(_words(view["blocks"]))


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [words for item in value for words in _words(item)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [words for item in value.values() for words in _words(item)]
    return []


def test_it_says_what_it_knows_and_how_to_ask() -> None:
    """The policies one may read, each source with its last look, and the ways to ask."""
    words = told(HOME)
    assert "15 policies that you may read." in words
    assert "All sources could be read; the oldest look was 4 minutes ago." in words
    assert "handbook · 12 policies · checked 4 minutes ago" in words
    assert "Uploads · 3 policies" in words
    assert "mention me with the question" in words
    assert "knowledge admins" not in words


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        pytest.param({"failure": "It is gone."}, "The source could not be read", id="failing"),
        pytest.param(
            {"checked_at": NOW - timedelta(hours=3)}, "no look for longer than usual", id="late"
        ),
        pytest.param(
            {"checked_at": NOW - timedelta(hours=3), "every": None},
            "the oldest look was 3 hours ago",
            id="by hand only",
        ),
        pytest.param({"checked_at": None}, "for the first time", id="new"),
    ],
)
def test_health_is_told_in_plain_words(changes: dict[str, Any], health: str) -> None:
    """Everybody is told that a source fails; why it does only admins."""
    home = replace(HOME, sources=[replace(FINE, **changes), UPLOADS])
    assert health in told(home)
    assert "It is gone." not in told(home)


def test_a_source_of_which_one_may_read_nothing_is_not_named() -> None:
    """Its name may say what it holds; admins look after it all the same."""
    secret = replace(FINE, name="Layoffs 2027", documents=0, failure="It is gone.")
    assert "Layoffs" not in told(replace(HOME, sources=[secret]))
    words = told(replace(ADMIN, sources=[secret]))
    assert "Layoffs 2027: It is gone." in words


def test_one_s_own_questions_stand_with_how_they_ended() -> None:
    """Those that quoted something can be looked into."""
    asked_at = NOW - timedelta(days=2)
    questions = [
        OwnQuestion("a1", "Sale items?", "answered", asked_at, True, False),
        OwnQuestion("a2", "Dogs?", "refused", asked_at, False, False),
        OwnQuestion("a3", "Batteries?", "answered", asked_at, True, True),
    ]
    home = replace(HOME, questions=questions)
    assert "Sale items?\nanswered, 2 days ago" in told(home)
    assert "Dogs?\nno policy answers it, 2 days ago" in told(home)
    assert "Batteries?\nanswered; the policy has changed since" in told(home)
    buttons = [b["accessory"] for b in home_view(home)["blocks"] if "accessory" in b]
    assert [(one["action_id"], one["value"]) for one in buttons] == [
        ("sources", "a1"),
        ("sources", "a3"),
    ]


def test_admins_see_what_waits_for_them() -> None:
    """Uploads, transcripts, what fails with a button, and what no policy answered."""
    upload = RecentUpload("U0ALICE01", NOW, 4, 1, 1, ("Returns policy", "Travel"))
    home = replace(
        ADMIN,
        sources=[replace(FINE, failures=2)],
        admin=ForAdmins([upload], 7, [Unanswered("May I bring a dog?", "C1", NOW)]),
    )
    words = told(home)
    assert "2 transcripts wait for a curator." in words
    assert "handbook: 2 items could not be read" in words
    assert " · just now · 4 files · Returns policy, Travel · 1 refused · 1 still being" in words
    assert "No policy answered 7 questions in the last 7 days" in words
    assert "May I bring a dog?" in words
    view = json.dumps(home_view(home))
    assert '{"type": "user", "user_id": "U0ALICE01"}' in view
    assert '"action_id": "look_again", "value": "1"' in view
    assert '"action_id": "channel_settings"' in view


def test_admins_see_which_models_end_soon() -> None:
    """The day and what to do, of a few."""
    ending = [
        HostedModel(n, 1, "style", f"style-{n}", "active", "ft:x", None, NOW) for n in range(9)
    ]
    words = told(replace(ADMIN, admin=ForAdmins(ending=ending)))
    assert "ends at its provider on 12 Nov 2026; train another in time" in words
    assert words.count("ends at its provider") == 5
    assert "ends at its provider" not in told(ADMIN)


def test_curators_see_transcripts_and_no_more() -> None:
    """What is for knowledge admins is not for them."""
    words = told(replace(HOME, role="curator", transcripts=1))
    assert "1 transcript waits for a curator." in words
    assert "For knowledge admins" not in words


hostile = st.text(max_size=400)
moments = st.timedeltas(timedelta(days=-400), timedelta(days=9_000)).map(lambda ago: NOW - ago)
counts = st.integers(0, 10_000_000)
sources = st.builds(
    SourceHealth, st.integers(1, 10**15), hostile, st.booleans(), st.booleans(), counts,
    st.none() | moments, st.none() | hostile, counts, st.none() | st.integers(1, 10**6),
)  # fmt: skip
questions = st.builds(
    OwnQuestion, st.text("0123456789abcdef", min_size=12, max_size=12), hostile,
    st.sampled_from(get_args(Outcome)), moments, st.booleans(), st.booleans(),
)  # fmt: skip
uploads = st.builds(
    RecentUpload, hostile, moments, counts, counts, counts, st.lists(hostile).map(tuple)
)
unanswered = st.builds(Unanswered, hostile, st.just("C1"), moments)
homes = st.builds(
    Home, st.sampled_from(["admin", "curator", "member"]), counts, st.lists(sources, max_size=40),
    st.lists(questions, max_size=5), st.just(NOW), st.none() | counts,
    st.none() | st.builds(
        ForAdmins, st.lists(uploads, max_size=5), counts, st.lists(unanswered, max_size=5)
    ),
    st.none() | hostile,
)  # fmt: skip


@given(homes)
def test_any_home_fits_slack_s_limits(home: Home) -> None:
    """Whatever things are called and however many there are; nothing is read as markup."""
    view = home_view(home)
    check_view(view)
    written = json.dumps(view)
    assert "mrkdwn" not in written
    assert len(written) < 200_000
    assert not [words for words in _words(view["blocks"]) if not words]
    written.encode()


def test_what_is_suggested_is_a_question_about_a_section() -> None:
    """Four at most; where nothing may be read, how to begin."""
    sections = [(f"Policy {number}", "Sale items") for number in range(9)]
    made = prompts(sections)
    assert len(made) == 4
    assert made[0] == {
        "title": "Policy 0: Sale items",
        "message": "What does “Policy 0” say about “Sale items”?",
    }
    assert [one["message"] for one in prompts([])] == [words for _, words in FALLBACK_PROMPTS]


@given(st.lists(st.tuples(hostile, hostile), max_size=8))
def test_a_suggestion_holds_no_markup(sections: list[tuple[str, str]]) -> None:
    """It is sent in the asker's name: no mention of everybody and no link can come of a title."""
    made = prompts([("<!channel>", "<https://evil|x> @here"), *sections])
    check_prompts(made)
    for one in made:
        assert not set("<>&@") & set(one["title"] + one["message"])
        assert len(one["title"]) <= 75
