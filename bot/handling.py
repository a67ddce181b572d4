"""What is done about one accepted event: a question, an edit of one, or its deletion.

Whatever the end is, it is one transaction: the event ends and its posts are written. Whoever
comes second, after an apology or in another process, writes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bot.blocks import Block
from bot.escalations import (
    HandOver,
    hand_over,
    is_elsewhere,
    link_to,
    reason_of,
    takers,
)
from bot.failures import note_failure
from bot.incoming import Incoming, incoming_of
from bot.limits import count_tokens, over_limit
from bot.living import LEASE as STREAM_LEASE
from bot.living import Living, Streams, pieces_of, reply_key
from bot.outgoing import as_json, write_posts
from bot.recent import Recent
from bot.render import (
    HELP,
    Message,
    fits_stream,
    plain,
    render,
    render_below,
    render_failure,
    render_markdown_stream,
)
from bot.replies import forget_with_answers, where_of, write_more, write_reply
from bot.timing import elsewhere
from bot.workspaces import Workspace
from core.errors import reference_id
from core.logs import logger
from graph.state import Question, storable
from store.access import EVERYONE, Access
from store.answers import Answer
from store.channels import ChannelSettings, channel_settings
from store.cited import checked_at
from store.conversations import add_exchange
from store.events import (
    Event,
    end_event,
    forget_message,
    has_addressed,
    leave_conversation,
)
from store.posts import (
    NewPost,
    leave_to_poster,
    mark_posted,
    posts_of_message,
    say_in_stream,
    take_back_posts,
)
from store.search import count_in_force

SETTINGS_FRESH = 2.0  # seconds until a channel's settings are read again
COUNT_FRESH = 60.0  # seconds until policies are counted again
REMEMBERED = 10_000  # channels
LEFT = "I'll stay out of this thread. Mention me and I'm back."
STAYING = "In a direct message I answer whatever you write; just don't write, and I'm quiet."
OFF = "I'm switched off in this channel. Ask me in a direct message."
OUTSIDERS = (
    "People from outside see this channel, so I answer here only from what they may read. Ask me"
    " in a direct message for more."
)
LEAVE = re.compile(
    r"(?:please )?(?:stop|leave|go away|be quiet|shut up|leave (?:us|this thread)|stop answering)"
    r"(?: please)?[.!]*",
    re.IGNORECASE,
)
ASKING = re.compile(
    r"\?|^(?:and |but |so |ok(?:ay)?,? )?(?:who|what|when|where|why|how|which|can|could|may|do"
    r"|does|did|is|are|was|were|will|would|should|shall|has|have|must|am)\b",
    re.IGNORECASE,
)

log = logger(__name__)


@dataclass(frozen=True)
class Handler:
    """Handles events for one process; `owner` is the name that its leases carry."""

    owner: str
    streams: Streams
    _channels: Recent[tuple[int, str], ChannelSettings] = field(
        default_factory=lambda: Recent(SETTINGS_FRESH, REMEMBERED)
    )
    _counts: Recent[tuple[int, Access], int] = field(
        default_factory=lambda: Recent(COUNT_FRESH, REMEMBERED)
    )

    def handle(self, workspace: Workspace, event: Event) -> None:
        """Do what an event asks for, and end it."""
        if event.kind == "deletion":
            self._withdraw(workspace, event, self.owner)
            return
        incoming = incoming_of(event)
        if event.changed:  # what waits behind it counts instead
            self._end(workspace, event, "changed")
            return
        settings = self._settings(workspace, event.channel)
        said = self._said_at_once(workspace, event, incoming, settings)
        if said is not None:
            outcome, messages = said
            self._reply(workspace, event, incoming, settings, outcome, messages)
        elif not self._taken_with_files(workspace, event, incoming, settings):
            self._answer(workspace, event, incoming, settings)

    def _settings(self, workspace: Workspace, channel: str) -> ChannelSettings:
        """Return a channel's settings as they were a moment ago."""
        known = self._channels.get((workspace.id, channel))
        if known is None:
            known = channel_settings(workspace.engine, workspace.id, channel)
            self._channels.put((workspace.id, channel), known)
        return known

    def _policies(self, workspace: Workspace, access: Access) -> int:
        """Return how many policies may be searched, as it was a minute ago."""
        known = self._counts.get((workspace.id, access))
        if known is None:
            known = count_in_force(workspace.engine, workspace.id, access)
            self._counts.put((workspace.id, access), known)
        return known

    def apologise(self, workspace: Workspace, event: Event, reference: str) -> None:
        """Reply with a reference, whoever works on the event, unless it ended meanwhile."""
        if event.kind == "deletion":  # what waited too long is done all the same
            self._withdraw(workspace, event, None)
            return
        incoming = incoming_of(event)
        if not incoming.addressed and not self._is_for_us(workspace, event, incoming):
            self._end(workspace, event, "not_for_us", anybody=True)
            return
        private = private_of(incoming, self._settings(workspace, event.channel))
        with workspace.engine.begin() as connection:
            if not end_event(connection, event.id, "error"):
                return
            messages = render_failure(reference)
            write_reply(connection, workspace, event, incoming, private, messages, late=True)
            if event.kind == "question" and event.conversation_id is not None:
                # What follows in the thread may speak of it all the same.
                add_exchange(
                    connection,
                    event.conversation_id,
                    storable(incoming.text),
                    messages[0].text,
                    user_id=incoming.user,
                    event_key=event.key,
                    message_key=event.message_key,
                )
        workspace.wake()

    # --- what needs no answer ---------------------------------------------------------------

    def _said_at_once(
        self,
        workspace: Workspace,
        event: Event,
        incoming: Incoming,
        settings: ChannelSettings,
    ) -> tuple[str, tuple[Message, ...]] | None:
        """Return outcome and reply of what needs no answer; None where it needs one."""
        if not incoming.addressed and not self._is_for_us(workspace, event, incoming):
            return "not_for_us", ()
        if settings.mode == "off" and not incoming.private:
            return "off", plain(OFF) if incoming.addressed else ()
        if incoming.problem is not None:
            return "problem", plain(incoming.problem)
        if LEAVE.fullmatch(incoming.text) and not incoming.command:
            return self._left(workspace, event, incoming)
        if not incoming.text and (event.kind == "edit" or not incoming.files):
            return "help", plain(HELP)
        again = event.attempts > 1  # it was counted by whoever took it up before
        limit = None if again else over_limit(workspace, incoming.user)
        return None if limit is None else ("limited", plain(limit))

    def _is_for_us(self, workspace: Workspace, event: Event, incoming: Incoming) -> bool:
        """Whether a message that names nobody is a follow-up and not talk between people.

        Who has spoken to the bot in this thread goes on doing so; others have to ask something,
        and so has everybody outside threads where the bot answers all messages.
        """
        if ASKING.search(incoming.text):
            return True
        if event.thread_ts is None or event.conversation_id is None:
            return False
        return has_addressed(workspace.engine, event.conversation_id, event.user_id)

    def _left(
        self, workspace: Workspace, event: Event, incoming: Incoming
    ) -> tuple[str, tuple[Message, ...]]:
        if incoming.private or event.conversation_id is None:
            return "help", plain(STAYING)
        with workspace.engine.begin() as connection:
            leave_conversation(connection, event.conversation_id)
        return "left", plain(LEFT)

    def _taken_with_files(
        self,
        workspace: Workspace,
        event: Event,
        incoming: Incoming,
        settings: ChannelSettings,
    ) -> bool:
        """Hand over the files of a message; False where its words are still to be answered.

        Whoever may not add documents is told so, and what they ask is answered all the same.
        """
        if workspace.receiver is None or not incoming.files or event.kind == "edit":
            return False
        refusal = workspace.receiver.receive(workspace.client, incoming)
        if refusal is None:
            self._end(workspace, event, "files")
            return True
        if not incoming.text:
            self._reply(workspace, event, incoming, settings, "files refused", plain(refusal))
            return True
        with workspace.engine.begin() as connection:
            where = where_of(event, incoming, private_of(incoming, settings))
            note = NewPost(f"files:{event.id}", "notice", *where[:1], {}, *where[1:])
            write_posts(connection, workspace.id, plain(refusal), note)
        workspace.wake()
        return False

    # --- answering --------------------------------------------------------------------------

    def _answer(
        self,
        workspace: Workspace,
        event: Event,
        incoming: Incoming,
        settings: ChannelSettings,
    ) -> None:
        private = private_of(incoming, settings)
        access = self._access(workspace, incoming, settings)
        people = takers(workspace, settings)
        elsewhere_told = is_elsewhere(event.channel, private=private)
        living = self._living(workspace, event, incoming, access, private=private)
        try:
            if event.kind == "edit":
                with workspace.engine.begin() as connection:
                    forget_with_answers(connection, workspace, event, ("correction",))
            question = Question(
                text=incoming.text,
                conversation=incoming.conversation,
                user_id=incoming.user,
                access=access,
                event_key=event.key,
                message_key=event.message_key,
                as_of=incoming.as_of,
                language=settings.language,
                tone=settings.tone,
                takes_over=people.told(elsewhere=elsewhere_told) if people else None,
                progress=living.step if living else None,
            )
            with elsewhere():
                answer = workspace.answerer.answer(question)
        finally:
            with elsewhere():  # waits for Slack
                stream = living.end() if living else None
        count_tokens(workspace, incoming.user, answer)
        log.info("question answered", event_id=event.id, outcome=answer.outcome, id=answer.id)
        answer = with_reason(answer, access)
        shown = shown_as(workspace, incoming, settings, answer)
        messages = render(answer, hosts=workspace.settings.shown_hosts, **shown)
        handed = self._handed(workspace, event, incoming, answer, private=private)
        with workspace.engine.begin() as connection:
            if not end_event(
                connection, event.id, answer.outcome, owner=self.owner, answer_id=answer.id
            ):
                return
            if handed is not None and people is not None:
                hand_over(connection, workspace, people, handed)
            if stream is None:
                write_reply(connection, workspace, event, incoming, private, messages, answer.id)
            else:
                first, *rest = messages
                say_in_stream(
                    connection, stream.post_id, as_json(first), answer.id, self.owner, STREAM_LEASE
                )
                write_more(connection, workspace, event, rest, answer.id)
        if stream is None or living is None:
            workspace.wake()
        else:
            below = render_below(answer, **shown) if len(messages) == 1 else None
            self._finish_stream(
                workspace, event, living, stream.post_id, answer, below, as_json(messages[0])
            )

    @staticmethod
    def _handed(
        workspace: Workspace, event: Event, incoming: Incoming, answer: Answer, *, private: bool
    ) -> HandOver | None:
        """Return what is handed over to people, where the answer says that it is."""
        if answer.outcome != "escalated":
            return None
        ts = event.message_key.rpartition(":")[2]
        return HandOver(
            event.message_key,
            answer,
            event.user_id,
            event.channel,
            None if incoming.command else incoming.thread,
            private,
            reason_of(answer),
            link_to(workspace, event.channel, ts, private=private),
            event.conversation_id,
        )

    def _access(
        self, workspace: Workspace, incoming: Incoming, settings: ChannelSettings
    ) -> Access:
        """Return what may be read: a private answer in a channel is seen by its asker alone."""
        seen_alone = private_of(incoming, settings)
        asked = Incoming(
            incoming.team,
            incoming.channel,
            incoming.ts,
            incoming.user,
            "",
            "",
            private=seen_alone,
            shared=incoming.shared,
        )
        access = workspace.people.access(workspace.client, asked)
        return Access(access.asker, access.place, settings.scope)

    def _living(
        self,
        workspace: Workspace,
        event: Event,
        incoming: Incoming,
        access: Access,
        *,
        private: bool,
    ) -> Living | None:
        """Begin to show what goes on, where all who see the thread may know."""
        if incoming.command or event.kind == "edit" or event.attempts > 1:
            return None
        if private and not incoming.private:
            return None
        with elsewhere():  # a search, as far as its time goes
            policies = self._policies(workspace, access)
        return Living(workspace, event, self.streams, self.owner, policies)

    def _finish_stream(
        self,
        workspace: Workspace,
        event: Event,
        living: Living,
        post_id: int,
        answer: Answer,
        below: Sequence[Block] | None,
        said: dict[str, Any],
    ) -> None:
        """End the stream with the answer; where that fails the poster shows it whole.

        `below` stands under its words; None where the answer is more than one message. `said` is
        what its post says: if that is something else by the end, the poster changes it.
        """
        words = render_markdown_stream(answer)
        fits = below is not None and fits_stream(words, below)
        written = fits and living.write(pieces_of(words), below or (), reply_key(event))
        with workspace.engine.begin() as connection:
            if written:
                mark_posted(connection, post_id, None, said)
            else:
                leave_to_poster(connection, post_id, self.owner)
        workspace.wake()

    # --- writing ----------------------------------------------------------------------------

    def _reply(
        self,
        workspace: Workspace,
        event: Event,
        incoming: Incoming,
        settings: ChannelSettings,
        outcome: str,
        messages: Sequence[Message],
    ) -> None:
        """End an event with messages that are no answer; without any, it is forgotten."""
        private = private_of(incoming, settings) or outcome == "off"
        with workspace.engine.begin() as connection:
            if not end_event(connection, event.id, outcome, owner=self.owner):
                return
            if event.kind == "edit":  # what it said before is not asked any more
                forget_with_answers(connection, workspace, event, ("correction",))
            if messages:
                write_reply(connection, workspace, event, incoming, private, messages)
            else:
                posts = posts_of_message(connection, workspace.id, event.message_key)
                take_back_posts(connection, [post.id for post in posts])
                forget_message(connection, workspace.id, event.message_key)
        workspace.wake()

    def _end(
        self, workspace: Workspace, event: Event, outcome: str, *, anybody: bool = False
    ) -> None:
        """End an event without a reply; `anybody` says that another may be working on it."""
        with workspace.engine.begin() as connection:
            end_event(connection, event.id, outcome, owner=None if anybody else self.owner)

    def _withdraw(self, workspace: Workspace, event: Event, owner: str | None) -> None:
        """Take back what was said to a message that is gone, and forget it."""
        with workspace.engine.begin() as connection:
            if not end_event(connection, event.id, "withdrawn", owner=owner):
                return
            posts = posts_of_message(connection, workspace.id, event.message_key)
            forget_with_answers(connection, workspace, event, ("correction", "shared"))
            take_back_posts(connection, [post.id for post in posts])
        workspace.wake()


def private_of(incoming: Incoming, settings: ChannelSettings | None = None) -> bool:
    """Whether only the asker sees the answer: in a direct message, to a command, or by setting."""
    return incoming.private or (settings is not None and settings.answers == "private")


def shown_as(
    workspace: Workspace, incoming: Incoming, settings: ChannelSettings, answer: Answer
) -> dict[str, Any]:
    """Return how an answer is rendered where it was asked for."""
    versions = [citation.version_id for citation in answer.citations]
    with workspace.engine.connect() as connection:
        checked = checked_at(connection, workspace.id, versions) if versions else None
    return {
        "as_of": incoming.as_of,
        "private": shareable(incoming, settings),
        "checked_at": checked,
        "now": datetime.now(UTC),
    }


def with_reason(answer: Answer, access: Access) -> Answer:
    """Return a refusal with why more may be found elsewhere, where outsiders look on.

    A question whose policies may not be read here looks like one that no policy is about.
    """
    withheld = EVERYONE in access.asker and EVERYONE not in access.place
    asked = answer.route in ("policy", "out_of_scope")
    refused = answer.outcome in ("refused", "escalated") and not answer.claims
    if not (withheld and asked and refused):
        return answer
    return replace(answer, note=f"{answer.note}\n{OUTSIDERS}" if answer.note else OUTSIDERS)


def shareable(incoming: Incoming, settings: ChannelSettings) -> bool:
    """Whether an answer that only its asker sees could be shared with the channel."""
    in_channel = not incoming.channel.startswith("D")
    return in_channel and (incoming.command or settings.answers == "private")


def too_late(workspace: Workspace, event: Event, handler: Handler) -> None:
    """Apologise for an event that was not answered in time."""
    reference = reference_id()
    log.error("question too late", reference=reference, event_id=event.id)
    handler.apologise(workspace, event, reference)


def went_wrong(workspace: Workspace, event: Event, handler: Handler, error: Exception) -> None:
    """Apologise for what nobody expected."""
    reference = note_failure("question failed", error, event_id=event.id)
    handler.apologise(workspace, event, reference)
