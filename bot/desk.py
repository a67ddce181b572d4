"""Every accepted question ends here in one reply: an answer, or an apology with a reference.

A question is accepted before it is acknowledged (duplicates are dropped there), answered in
Bolt's pool, and apologised for by the watch when no answer came in time.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from slack_bolt import BoltContext, BoltResponse
from slack_sdk import WebClient

from bot.client import SLACK_FAILURES
from bot.deadlines import Deadlines, Ticket
from bot.incoming import Body, Incoming
from bot.people import People
from bot.recent import Recent
from bot.render import HELP, Message, plain, render, render_failure
from bot.replies import Reply, ThreadReply
from core.errors import reference_id
from core.logs import logger
from graph.state import Question
from store.answers import Answer

ANSWER_DEADLINE = 45.0  # seconds from acceptance; leaves 15 to post within a minute
CLOSING_GRACE = 5.0  # seconds that questions get when the bot stops
DUPLICATES_FOR = 3_600.0  # seconds; Slack's last retry comes after some six minutes
DUPLICATES_KEPT = 50_000  # keys, two a question
TICKET = "footnote_ticket"  # key in Bolt's context

log = logger(__name__)


class Answerer(Protocol):
    """What answers questions: the agent, or a scripted one in tests."""

    def answer(self, question: Question) -> Answer:
        """Return the answer; a repeated `event_key` gets the first answer again."""


class Receiver(Protocol):
    """What takes the files that come along with a message."""

    def receive(self, client: WebClient, incoming: Incoming) -> str | None:
        """Take them, to be answered for in time; or return the sentence why they are not taken."""


@dataclass(frozen=True)
class Asked:
    """A question, who can be asked about its asker, and where its reply goes."""

    incoming: Incoming
    client: WebClient
    reply: Reply


Reader = Callable[[Body, BoltContext], Asked | None]
"""Makes a question of what Slack sent, or None where it is not for the bot to answer."""


class Desk:
    """Accepts, answers and, where that fails, apologises."""

    def __init__(
        self,
        answerer: Answerer,
        people: People,
        deadline: float = ANSWER_DEADLINE,
        receiver: Receiver | None = None,
    ) -> None:
        self._answerer = answerer
        self._people = people
        self._receiver = receiver
        self._seen: Recent[str, bool] = Recent(DUPLICATES_FOR, DUPLICATES_KEPT)
        self._deadlines: Deadlines[Asked] = Deadlines(deadline, self._too_late)

    def accepting(self, read: Reader) -> Callable[..., BoltResponse]:
        """Return a listener's middleware: acknowledge, and pass on what is new and for us.

        Middleware runs before Bolt's pool, so an acknowledgement never waits for a free worker.
        """

        def accept(
            body: Body, context: BoltContext, next_: Callable[[], BoltResponse]
        ) -> BoltResponse:
            asked = read(body, context)
            acknowledged = context.ack()
            if asked is None or not self._is_new(asked.incoming):
                return acknowledged
            context[TICKET] = self._deadlines.open(asked)
            return next_()

        return accept

    def answer(self, context: BoltContext) -> None:
        """Answer the accepted question: the listener, run in Bolt's pool."""
        ticket: Ticket[Asked] = context[TICKET]
        if ticket.settled:  # it waited too long for its turn
            return
        refusal = self._hand_over(ticket.subject)
        messages = refusal if refusal is not None else self._messages(ticket.subject)
        with self._deadlines.replying(ticket) as first:
            if first and messages:
                ticket.subject.reply.post(messages)

    def _hand_over(self, asked: Asked) -> tuple[Message, ...] | None:
        """Hand the files of a message over; return what is left to reply, None to answer it.

        Whoever may not add documents is told so, and what they ask is answered all the same.
        """
        incoming = asked.incoming
        if self._receiver is None or not incoming.files:
            return None
        refusal = self._receiver.receive(asked.client, incoming)
        if refusal is None:
            return ()
        if not incoming.text:
            return plain(refusal)
        asked.reply.post(plain(refusal))
        return None

    def failed(self, error: Exception, context: BoltContext) -> None:
        """Log what nobody caught and apologise for it: the one boundary of this process."""
        reference = reference_id()
        log.error(
            "question failed",
            reference=reference,
            error=type(error).__name__,
            frames=traceback.format_tb(error.__traceback__),  # places without values
        )
        ticket: Ticket[Asked] | None = context.get(TICKET)
        if ticket is None:
            return
        with self._deadlines.replying(ticket) as first:
            if first or not ticket.late:
                self._apologise(ticket.subject, reference)

    def close(self, grace: float = CLOSING_GRACE) -> None:
        """Let open questions end, or apologise for them, and stop the watch."""
        self._deadlines.close(grace)

    def _is_new(self, incoming: Incoming) -> bool:
        keys = [f"message {incoming.event_key}"]
        if incoming.event_id:
            keys.append(f"event {incoming.event_id}")
        return self._seen.claim(tuple(keys), value=True)

    def _messages(self, asked: Asked) -> tuple[Message, ...]:
        incoming = asked.incoming
        if incoming.problem is not None:
            return plain(incoming.problem)
        if not incoming.text:
            return plain(HELP)
        answer = self._answerer.answer(
            Question(
                text=incoming.text,
                conversation=incoming.conversation,
                user_id=incoming.user,
                access=self._people.access(asked.client, incoming),
                event_key=incoming.event_key,
                as_of=incoming.as_of,
            )
        )
        log.info("question answered", key=incoming.event_key, outcome=answer.outcome, id=answer.id)
        return render(answer, incoming.as_of)

    def _too_late(self, asked: Asked) -> None:
        reference = reference_id()
        log.error("question too late", reference=reference, key=asked.incoming.event_key)
        self._apologise(asked, reference)

    def _apologise(self, asked: Asked, reference: str) -> None:
        try:
            asked.reply.post(render_failure(reference))
        except SLACK_FAILURES as error:
            log.error("apology failed", reference=reference, error=type(error).__name__)  # noqa: TRY400


def asked_in_thread(incoming: Incoming | None, context: BoltContext) -> Asked | None:
    """Return a question whose reply goes to its thread; None for None."""
    if incoming is None:
        return None
    reply = ThreadReply(context.client, incoming.channel, incoming.thread)
    return Asked(incoming, context.client, reply)
