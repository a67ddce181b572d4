"""Deliveries repeated and shuffled, killed bots, floods: one reply each, in order."""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from core.settings import ROOT
from tests.acceptance.processes import installation
from tests.acceptance.slack_face import declared
from tests.fakes.openai import OpenAIServer
from tests.fakes.slack import SlackServer
from tests.integration.slack_campaigns import (
    Office,
    deliver_shuffled,
    flood,
    kill_bots,
    office,
)

SEED = 20_261_121
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def bots(embedder_cache: Path, database_url: str, engine: Engine) -> Iterator[Office]:
    """An installation on this test's database with the sample policies, and a local Slack."""
    manifest = declared()
    with (
        SlackServer(
            events=manifest["settings"]["event_subscriptions"]["bot_events"],
            scopes=manifest["oauth_config"]["scopes"]["bot"],
        ) as slack,
        installation(embedder_cache, DATABASE_URL=database_url) as footnote,
        office(footnote, engine, slack) as made,
    ):
        done = footnote.run("ingest", ROOT / "samples" / "policies" / "returns-policy.md")
        assert done.code == 0, done.told
        yield made


def slowly(body: dict[str, Any]) -> str:
    """What a model says after a while: the first sentence of the first passage, quoted."""
    time.sleep(1.5)
    told = re.search(r"Passage 1: [^\n]*\n([^.\n]*\.)", body["messages"][-1]["content"])
    claims = [{"text": told[1], "passage": 1, "quote": told[1]}] if told else []
    return json.dumps({"claims": claims})


def sized(short: object, full: object) -> pytest.MarkDecorator:
    """Run a campaign in its short form in the suite, and whole in a soak."""
    soak = pytest.param(full, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(7200)])
    return pytest.mark.parametrize("count", [pytest.param(short, id="short"), soak])


@sized(10, 200)
def test_what_is_delivered_four_times_to_two_bots_is_answered_once(
    bots: Office, count: int
) -> None:
    """Whatever bot gets which copy first, each question has one reply."""
    deliver_shuffled(bots, count, SEED)


@sized(2, 50)
def test_a_bot_killed_anywhere_leaves_one_final_reply(bots: Office, count: int) -> None:
    """What was accepted is answered by the next process, and nothing twice."""
    kill_bots(bots, count, SEED)


@sized(1, 20)
def test_a_bot_killed_while_an_answer_streams_leaves_one_final_reply(
    bots: Office, count: int
) -> None:
    """A stream that was begun is finished by the next process instead of posting again."""
    with OpenAIServer(fallback=slowly) as model:
        kill_bots(
            bots,
            count,
            SEED,
            OPENAI_BASE_URL=model.url,
            FOOTNOTE_STREAM_AFTER="0.1",
            ANSWER_SECONDS="1.8",
        )


@sized((10, 3), (100, 10))
def test_a_flood_is_answered_in_order(
    bots: Office, count: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Many threads at once: every message gets one reply, in its thread's order."""
    measured = flood(bots, *count, bots=1)
    with capsys.disabled():
        sys.stdout.write(f"\n{measured}\n")
    assert measured.own
