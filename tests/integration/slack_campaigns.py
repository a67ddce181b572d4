"""Real bot processes and a local Slack, with whatever goes wrong between them."""

import random
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import psutil
from sqlalchemy import Engine, text

from tests.acceptance.processes import Footnote, Running, wait_until
from tests.fakes.slack import Message, SlackServer

LONG = 90.0  # seconds until something that must happen is taken for missing
QUESTIONS = (
    "Can I return a sale item after three weeks?",
    "How long do refunds take?",
    "Who pays for the return shipping?",
    "What is covered by the warranty?",
    "thanks",
)
NO_LIMITS = {
    "FOOTNOTE_LIMIT_PERSON_MINUTE": "0",
    "FOOTNOTE_LIMIT_PERSON_DAY": "0",
    "FOOTNOTE_LIMIT_WORKSPACE_MINUTE": "0",
    "FOOTNOTE_LIMIT_WORKSPACE_DAY": "0",
}


@dataclass
class Office:
    """An installation that answers in a local Slack with one bot process or several."""

    footnote: Footnote
    engine: Engine
    slack: SlackServer
    bots: list[Running] = field(default_factory=list)
    started: int = 0

    def start_bot(self, **changes: str) -> Running:
        """Start a bot and wait until it is connected."""
        self.started += 1
        ready = self.footnote.home / f"bot-{self.started}.ready"
        tokens = {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.url,
        }
        variables = NO_LIMITS | tokens | changes
        running = self.footnote.start("bot", "--ready-file", str(ready), **variables)
        self.bots.append(running)
        wait_until(lambda: ready.exists() or running.process.poll() is not None)
        assert running.process.poll() is None, running.told
        return running

    def kill(self, bot: Running) -> None:
        """Kill a bot without a word."""
        bot.process.send_signal(signal.SIGKILL)
        bot.process.wait()
        self.bots.remove(bot)

    def stop(self) -> None:
        """Stop the bots that still run."""
        for bot in self.bots:
            bot.process.terminate()
        for bot in self.bots:
            bot.join()

    def channels(self, count: int) -> list[str]:
        """Open channels with alice and bob in them."""
        slack = self.slack
        people = [slack.alice, slack.bob]
        return [slack.add_channel(f"room-{n}", people).id for n in range(count)]

    def settled(self) -> bool:
        """Whether every event has ended and every post stands."""
        with self.engine.connect() as connection:
            open_rows = connection.execute(
                text(
                    "SELECT (SELECT count(*) FROM events WHERE state <> 'ended')"
                    " + (SELECT count(*) FROM posts WHERE state IN ('waiting', 'posting'))"
                )
            ).scalar_one()
        return bool(open_rows == 0)

    def wait_until_settled(self, timeout: float = LONG) -> None:
        """Wait until nothing is open any more."""
        end = time.monotonic() + timeout
        while not self.settled():
            assert time.monotonic() < end, "events or posts stay open"
            time.sleep(0.1)

    def outcomes(self) -> dict[str, int]:
        """How events ended."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT outcome, count(*) AS n FROM events GROUP BY 1"))
            return {row.outcome: row.n for row in rows}

    def replies(self, channel: str, ts: str) -> list[Message]:
        """What the bot said in a thread, streams that were never ended too."""
        return [m for m in self.slack.messages(channel, ts) if m.user == self.slack.bot_user]


@contextmanager
def office(footnote: Footnote, engine: Engine, slack: SlackServer) -> Iterator[Office]:
    """Give an office whose bots end with the block."""
    made = Office(footnote, engine, slack)
    try:
        yield made
    finally:
        made.stop()


def deliver_shuffled(office: Office, count: int, seed: int) -> None:
    """Deliver `count` questions four times each, in any order, to two bots: one reply each."""
    slack, dice = office.slack, random.Random(seed)
    for _ in range(2):
        office.start_bot()
    slack.wait_for_connection(2)
    places = office.channels(max(count // 5, 1))
    with slack.held(copies=4, shuffle=dice):
        asked = [
            (place := places[n % len(places)], slack.say(place, slack.alice, slack.mention(words)))
            for n, words in enumerate(dice.choices(QUESTIONS, k=count))
        ]
    slack.wait_for_reply_count(count, timeout=LONG)
    office.wait_until_settled()
    assert [len(office.replies(place, ts)) for place, ts in asked] == [1] * count
    assert sum(office.outcomes().values()) == count


def kill_bots(office: Office, count: int, seed: int, **changes: str) -> None:
    """Kill a bot `count` times while it answers; each question gets its one final reply."""
    slack, dice = office.slack, random.Random(seed)
    bot = office.start_bot(**changes)
    slow = float(changes.get("ANSWER_SECONDS", "0.4"))
    places = office.channels(4)
    for n in range(count):
        slack.wait_for_connection()
        place = places[n % len(places)]
        before = len(slack.deliveries)
        ts = slack.say(place, slack.alice, slack.mention(dice.choice(QUESTIONS)))
        wait_until(partial(_acknowledged, slack, before))
        time.sleep(dice.uniform(0, slow))
        office.kill(bot)
        wait_until(lambda: not slack.socket_mode.links)
        bot = office.start_bot(**changes)
        slack.wait_for_messages(place, ts, timeout=LONG)
        office.wait_until_settled()
        replies = office.replies(place, ts)
        assert len(replies) == 1, f"after {n} kills: {replies}"
        assert replies[0].finished
        assert replies[0].blocks
    assert office.outcomes().get("error", 0) == 0


def _acknowledged(slack: SlackServer, before: int) -> bool:
    return any(d.acknowledged.is_set() for d in slack.deliveries[before:])


@dataclass(frozen=True)
class Flood:
    """What a flood of messages measured; times in seconds, and in milliseconds where named."""

    seconds: float
    a_second: float
    ack_p99_ms: float
    ack_max_ms: float
    own: dict[str, dict[str, float]]  # what the bots told when they stopped
    megabytes: tuple[float, ...]  # of each bot, at the end


def flood(office: Office, threads: int, each: int, bots: int, **changes: str) -> Flood:
    """Write in many threads at once: every message gets its reply, in its thread's order."""
    slack = office.slack
    for _ in range(bots):
        office.start_bot(**changes)
    slack.wait_for_connection(bots)
    people = [slack.add_user(f"asker-{n}").id for n in range(threads)]
    places = [slack.dm(person) for person in people]
    roots = [
        slack.say(place, person, "hello") for place, person in zip(places, people, strict=True)
    ]
    slack.wait_for_reply_count(threads, timeout=LONG)
    began, before = time.monotonic(), len(slack.deliveries)
    asked: dict[str, list[str]] = {place: [] for place in places}
    for n in range(each):
        for place, person, root in zip(places, people, roots, strict=True):
            words = f"{QUESTIONS[n % len(QUESTIONS)]}"
            asked[place].append(slack.say(place, person, words, thread_ts=root))
    total = threads * (each + 1)
    slack.wait_for_reply_count(total, timeout=LONG * 4)
    seconds = time.monotonic() - began
    office.wait_until_settled()
    for place, root in zip(places, roots, strict=True):
        assert len(office.replies(place, root)) == each + 1
    _assert_in_order(office, each)
    times = sorted(d.ack_ms for d in slack.deliveries[before:] if d.ack_ms is not None)
    sizes = tuple(psutil.Process(bot.process.pid).memory_info().rss / 2**20 for bot in office.bots)
    running = list(office.bots)
    office.stop()
    office.bots.clear()
    return Flood(
        seconds,
        threads * each / seconds,
        times[round((len(times) - 1) * 0.99)],
        times[-1],
        _told(running),
        sizes,
    )


def _assert_in_order(office: Office, each: int) -> None:
    """Replies stand in the order of their questions, and each thread remembers all of it."""
    with office.engine.connect() as connection:
        wrong = connection.execute(
            text(
                "SELECT count(*) FROM (SELECT p.ts, lag(p.ts) OVER (PARTITION BY"
                " e.conversation_id ORDER BY e.ts) AS before FROM events e JOIN posts p"
                " ON p.event_id = e.id) o WHERE before > ts"
            )
        ).scalar_one()
        turns = connection.execute(
            text("SELECT count(*) FROM turns GROUP BY conversation_id")
        ).scalars()
        assert wrong == 0
        assert set(turns) == {2 * (each + 1)}
        order = connection.execute(
            text(
                "SELECT count(*) FROM (SELECT t.id, lag(t.id) OVER (PARTITION BY"
                " t.conversation_id ORDER BY e.ts) AS before FROM turns t JOIN events e"
                " ON e.key = t.event_key) o WHERE before > id"
            )
        ).scalar_one()
        assert order == 0


def _told(bots: Sequence[Running]) -> dict[str, dict[str, float]]:
    """Return the times that bots logged when they stopped, those of the slowest."""
    found: dict[str, dict[str, float]] = {}
    for bot in bots:
        for line in bot.told.splitlines():
            if '"times"' in line or " times " in line:
                for name in ("acknowledged", "own"):
                    told = re.search(rf"{name}\W+(\{{[^}}]*\}})", line)
                    if told:
                        read = re.findall(r"(p50|p99|max)\W+([\d.]+)", told[1])
                        figures = {key: float(value) for key, value in read}
                        found[name] = {
                            key: max(value, found.get(name, {}).get(key, 0.0))
                            for key, value in figures.items()
                        }
    return found
