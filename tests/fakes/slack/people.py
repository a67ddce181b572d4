"""What people do in Slack: they speak, edit, press, fill in, share."""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import envelopes
from .api_chat import changed_event, deleted_event
from .api_surfaces import respond_view
from .delivery import CarryOut, Courier, Delivery, Kind
from .records import (
    Channel,
    ChannelKind,
    Json,
    Message,
    NotSeenError,
    ResponsePost,
    ResponseUrl,
    SharedFile,
    View,
)
from .workspace import Workspace

WAIT = 10.0  # seconds a test waits for the app, unless it says otherwise


@dataclass
class Interaction:
    """A command, press, shortcut or submission under way: its acknowledgement and its answers."""

    workspace: Workspace
    delivery: Delivery
    answers: ResponseUrl

    @property
    def ack_ms(self) -> float | None:
        """Milliseconds to the acknowledgement, None as long as there is none."""
        return self.delivery.ack_ms

    @property
    def response(self) -> Json | None:
        """What the app sent along with its acknowledgement."""
        return self.delivery.response

    @property
    def posts(self) -> list[ResponsePost]:
        """What was posted to the response_url so far."""
        return [*self.answers.posts]

    @property
    def problems(self) -> list[str]:
        """What Slack would find wrong with the response; people would see that it failed."""
        return [*self.delivery.problems]

    def wait_for_ack(self, timeout: float = 5.0) -> float:
        """Wait for the acknowledgement and return its milliseconds; raises `NotSeenError`."""
        return self.delivery.wait_for_ack(timeout)

    def wait_for_posts(self, count: int = 1, timeout: float = WAIT) -> list[ResponsePost]:
        """Wait for posts to the response_url; raises `NotSeenError`."""
        with self.workspace.changed:
            if self.workspace.changed.wait_for(lambda: len(self.posts) >= count, timeout):
                return self.posts
        raise NotSeenError(f"{len(self.posts)} of {count} posts in {timeout} s: {self.posts}")


class People:
    """The half of `SlackServer` that acts for people; they must be known to the workspace."""

    workspace: Workspace
    courier: Courier

    # -- messages ------------------------------------------------------------------------

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        thread_ts: str | None = None,
        channel_type: ChannelKind | None = None,
        files: tuple[SharedFile, ...] = (),
        **extra: Any,
    ) -> str:
        """Write a message as a person and return its ts; the app gets what it would of Slack.

        A mention of the bot outside direct messages comes as `app_mention` and as `message`.
        `channel_type` opens the place if it is not known. `extra` sets fields of the record.
        """
        w = self.workspace
        if channel_type is not None and channel not in w.channels:
            members = frozenset([user, w.bot_user])
            w.add_channel(Channel(channel, channel.lower(), channel_type, members))
        place = w.channels[channel]
        subtype = "file_share" if files else None
        message = Message(channel, w.next_ts(), w.user(user).id, text, thread_ts, files=files)
        message = w.change(message, **({"subtype": subtype} | extra))
        app = w.hearing(channel, text)
        if f"<@{app.bot_user}>" in text and place.kind != "im":
            app.emit(envelopes.mention_event(app, message), place)
        app.emit(envelopes.message_event(app, message), place)
        return message.ts

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Change the words of a person's message."""
        before = self.workspace.message(channel, ts)
        edited = self.workspace.next_ts()
        after = self.workspace.change(before, text=text, edited_ts=edited)
        self._tell(channel, changed_event(self.workspace.hearing(channel), before, after))

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message."""
        before = self.workspace.message(channel, ts)
        self.workspace.change(before, deleted=True)
        self._tell(channel, deleted_event(self.workspace.hearing(channel), before))

    def react(self, channel: str, ts: str, user: str, name: str) -> None:
        """Add a reaction as a person."""
        message = self.workspace.message(channel, ts)
        self.workspace.change(message, reactions=(*message.reactions, (name, user)))
        item = {"type": "message", "channel": channel, "ts": ts}
        added = {"type": "reaction_added", "user": user, "reaction": name, "item": item}
        self._tell(channel, added | {"item_user": message.user})

    def share_file(
        self,
        channel: str,
        user: str,
        name: str,
        content: bytes,
        *,
        text: str = "",
        thread_ts: str | None = None,
        mimetype: str = "application/octet-stream",
    ) -> SharedFile:
        """Upload a file into a place: a message with subtype `file_share`, and `file_shared`."""
        file = self.keep_file(channel, user, name, content, mimetype=mimetype)
        self.share(channel, user, file, text=text, thread_ts=thread_ts)
        return file

    def keep_file(
        self,
        channel: str,
        user: str,
        name: str,
        content: bytes,
        *,
        mimetype: str = "application/octet-stream",
        told_whole: bool = True,
        **details: Any,
    ) -> SharedFile:
        """Let a file be in a place without a message; `details` are said of it, such as `mode`."""
        w = self.workspace
        file = SharedFile(
            w.new_id("F"),
            name,
            user,
            content,
            mimetype,
            int(time.time()),
            channel,
            details,
            told_whole,
        )
        for workspace in w.world.sharing(channel):
            workspace.files[file.id] = file
        return file

    def share(
        self,
        channel: str,
        user: str,
        *files: SharedFile,
        text: str = "",
        thread_ts: str | None = None,
    ) -> str:
        """Write a message that files come along with and return its ts."""
        ts = self.say(channel, user, text, thread_ts, files=files)
        for file in files:
            shared = {"type": "file_shared", "file_id": file.id, "user_id": user}
            self._tell(channel, shared | {"file": {"id": file.id}, "channel_id": channel})
        return ts

    def delete_file(self, file: SharedFile) -> None:
        """Delete a file; its messages stay without it."""
        gone = replace(self.workspace.files[file.id], deleted=True)
        for workspace in self.workspace.world.workspaces.values():
            if file.id in workspace.files:
                workspace.files[file.id] = gone

    def pin(self, channel: str, ts: str) -> None:
        """Pin a message to its channel."""
        self.workspace.pins[channel][ts] = None

    def unpin(self, channel: str, ts: str) -> None:
        """Take a pin away."""
        self.workspace.pins[channel].pop(ts, None)

    def stop_stream(self, channel: str, ts: str, user: str) -> None:
        """Press Stop on an answer that is being written."""
        message = self.workspace.message(channel, ts)
        self.workspace.change(message, stream=None, stopped_by_user=True)
        stopped = {"type": "agent_session_stopped", "channel": channel, "user": user}
        self._tell(channel, stopped | {"thread_ts": message.root_ts, "streaming_message_ts": [ts]})

    def open_home(self, user: str, tab: str = "home") -> None:
        """Open the app's home or messages tab."""
        place = self.workspace.direct_channel([user])
        opened = {"type": "app_home_opened", "user": user, "channel": place.id, "tab": tab}
        self._tell(place.id, opened)

    def _tell(self, channel: str, event: Json) -> None:
        w = self.workspace.hearing(channel)
        w.emit({"event_ts": w.next_ts(), **event}, w.channels[channel])

    # -- interactions ----------------------------------------------------------------------

    def slash(self, command: str, text: str, channel: str, user: str) -> Interaction:
        """Use a slash command."""
        w = self.workspace
        answers = w.new_response_url(channel, user, None)
        place, person = w.channels[channel], w.user(user)
        payload = envelopes.slash_command(w, command, text, place, person, answers)
        return self._interact("slash_commands", payload, answers)

    def action(
        self, channel: str, message_ts: str, user: str, action_id: str, value: str | None = None
    ) -> Interaction:
        """Press what is shown in a message under this action id, or choose `value` there.

        Raises `NotSeenError` where the message shows no such thing.
        """
        w = self.workspace
        message = w.message(channel, message_ts)
        answers = w.new_response_url(channel, user, message_ts)
        pressed = envelopes.action(w, message.blocks, action_id, value)
        payload = envelopes.message_actions(w, pressed, message, w.user(user), answers)
        return self._interact("interactive", payload, answers)

    def view_action(
        self, view: View, action_id: str, value: str | None = None, user: str | None = None
    ) -> Interaction:
        """Press something in a modal or on the home tab."""
        w = self.workspace
        pressed = envelopes.action(w, view.body["blocks"], action_id, value)
        payload = envelopes.view_actions(w, pressed, view, w.user(user or view.user))
        return self._interact("interactive", payload, w.new_response_url("", view.user, None))

    def shortcut(
        self,
        callback_id: str,
        user: str,
        channel: str | None = None,
        message_ts: str | None = None,
    ) -> Interaction:
        """Use a shortcut: a message's own where a message is named, else a global one."""
        w = self.workspace
        answers = w.new_response_url(channel or "", user, None)
        if channel is None or message_ts is None:
            payload = envelopes.global_shortcut(w, callback_id, w.user(user))
        else:
            message = w.message(channel, message_ts)
            payload = envelopes.message_shortcut(w, callback_id, message, w.user(user), answers)
        return self._interact("interactive", payload, answers)

    def submit(self, view: View, values: Json) -> Interaction:
        """Submit a modal with what was filled in, by action id.

        What the app wants done with the modal is in the interaction's `response`: "update" and
        "push" show in `views`, and what is wrong with them is in its `problems`.
        """
        w = self.workspace
        payload = envelopes.view_submission(w, view, w.user(view.user), values)
        answers = w.new_response_url("", view.user, None)
        return self._interact("interactive", payload, answers, partial(respond_view, w, view))

    def _interact(
        self,
        kind: Kind,
        payload: Json,
        answers: ResponseUrl,
        carry_out: CarryOut | None = None,
    ) -> Interaction:
        delivery = self.courier.deliver(kind, payload, carry_out=carry_out)
        return Interaction(self.workspace, delivery, answers)
