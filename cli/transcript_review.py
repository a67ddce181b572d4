"""Looking at transcripts one after the other, a key for each decision.

At a terminal a key does it at once. Where the input is a file or a pipe, each line begins with
the key, and what follows it is what would be typed: `l route=policy`, `e 2 Of course you can.`
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click
from sqlalchemy import Engine

from cli.show import counted
from cli.transcript_lines import detail_lines
from core.errors import FootnoteError
from finetune.labels import parse_labels
from finetune.review import EditError, approve, as_text, edit, from_text, label, reject, reopen
from store.reviews import ChangedMeanwhileError, DecidedError
from store.transcripts import (
    Said,
    Transcript,
    TranscriptState,
    count_by_state,
    find_transcript,
    list_transcripts,
)

try:
    import termios
    import tty
except ImportError:  # Windows, where click takes keys one by one
    termios = None  # type: ignore[assignment]

KEYS = "[a]pprove [e]dit [r]eject [l]abel [s]kip [u]ndo [o]riginal [q]uit [?]help"
HELP = """\
  a  approve: it becomes an example, and the words as they came are deleted
  e  edit: change the words, in $EDITOR or message by message
  r  reject: no model ever sees it, and the words as they came are deleted
  l  label: route, sentiment, urgency, intent, tone; such as route=policy tone=warm,short
  s  skip: it waits for another time
  u  undo: back to the one before, and what was decided about it is taken back
  o  original: the words as they came
  q  quit: what was decided stays"""
NOTE = "# Change the words behind asker: and team:. A message that you delete is left out.\n"
AHEAD = 20  # transcripts read at once
END_OF_INPUT = ("", "\x04")


class Input:
    """Keys and lines of whoever reviews.

    At a terminal keys come one by one for the whole sitting, so that those pressed ahead count.
    """

    def __init__(self) -> None:
        """Take keys one by one only where somebody presses them."""
        self.by_key = sys.stdin.isatty()
        self._behind = ""
        self._cooked: list[Any] | None = None

    @contextmanager
    def keys(self) -> Iterator[None]:
        """Take keys without a return key for this block."""
        self._keys_alone()
        try:
            yield
        finally:
            self._lines_again()

    def key(self) -> str:
        """Return the next key in small letters; "q" where the input ends."""
        if self.by_key:
            pressed = click.getchar() if termios is None else os.read(sys.stdin.fileno(), 1)
            typed = pressed if isinstance(pressed, str) else pressed.decode("ascii", "replace")
            return "q" if typed in END_OF_INPUT else typed[:1].lower()
        line = sys.stdin.readline()
        if not line:
            return "q"
        self._behind = line.strip()[1:].strip()
        return line.strip()[:1].lower() or "?"

    def line(self, ask: str) -> str:
        """Return what is typed, or what stands behind the key."""
        if not self.by_key:
            return self._behind
        with self.lines():
            return str(click.prompt(ask, default="", show_default=False))

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Let the terminal be as it was for this block: for a line, or for an editor."""
        self._lines_again()
        try:
            yield
        finally:
            self._keys_alone()

    def _keys_alone(self) -> None:
        if self.by_key and termios is not None:
            self._cooked = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSADRAIN)

    def _lines_again(self) -> None:
        if self._cooked is not None and termios is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._cooked)


class Review:
    """One sitting of a curator over candidates, or over what was quarantined."""

    def __init__(
        self, engine: Engine, workspace_id: int, actor: str, *, quarantined: bool = False
    ) -> None:
        """Begin with the oldest that waits."""
        self._engine, self._workspace_id, self._actor = engine, workspace_id, actor
        self._state: TranscriptState = "quarantined" if quarantined else "candidate"
        self._input = Input()
        self._waiting: list[Transcript] = []
        self._behind: list[Transcript] = []  # those that were looked at, for undoing
        self._last = 0
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Go on until nothing waits or somebody quits."""
        with self._input.keys():
            current = self._next()
            while current is not None:
                self._show(current)
                current = self._decide(current)

    def summary(self) -> str:
        """Return what was decided and what is left, in a line."""
        left = count_by_state(self._engine, self._workspace_id).get(self._state, 0)
        told = [f"{self.done[what]} {what}" for what in ("approved", "rejected", "skipped")]
        waits = "waits" if left == 1 else "wait"
        return f"{', '.join(told)}; {counted(left, self._state)} {waits}."

    def _next(self) -> Transcript | None:
        if not self._waiting:
            self._waiting = list_transcripts(
                self._engine, self._workspace_id, self._state, AHEAD, after=self._last
            )
        if not self._waiting:
            return None
        one = self._waiting.pop(0)
        self._last = max(self._last, one.id)
        return one

    def _show(self, one: Transcript, *, original: bool = False) -> None:
        click.echo("")
        for line in detail_lines(one, original=original):
            click.echo(line)

    def _decide(self, one: Transcript) -> Transcript | None:
        """Do what is pressed until this transcript is done with; return the next."""
        while True:
            click.echo(f"  {KEYS} ", nl=False)
            key = self._input.key()
            click.echo(key)
            if key == "q":
                return None
            try:
                if key in ("a", "r"):
                    return self._decided(one, key)
                if key == "s":
                    self.done["skipped"] += 1
                    self._behind.append(one)
                    return self._next()
                if key == "u":
                    return self._undone(one)
                one = self._changed(one, key)
            except (ChangedMeanwhileError, DecidedError) as error:
                click.echo(f"  {error}")
                one = find_transcript(self._engine, self._workspace_id, one.id)
                if one.state not in ("candidate", "quarantined"):
                    return self._next()
                self._show(one)
            except FootnoteError as error:
                click.echo(f"  {error}")

    def _decided(self, one: Transcript, key: str) -> Transcript | None:
        place = (self._engine, self._workspace_id, one.id, self._actor)
        if key == "a":
            now = approve(*place, revision=one.revision, anyway=self._state == "quarantined")
        else:
            now = reject(*place, revision=one.revision)
        self.done[now.state] += 1
        self._behind.append(now)
        return self._next()

    def _undone(self, one: Transcript) -> Transcript:
        """Return to the transcript before, waiting again; stay where there is none."""
        if not self._behind:
            click.echo("  Nothing to undo: this is the first.")
            return one
        before = self._behind[-1]
        if before.state in ("approved", "rejected"):
            again, withdrawn = reopen(
                self._engine, self._workspace_id, before.id, self._actor, revision=before.revision
            )
            self.done[before.state] -= 1
            if withdrawn:
                click.echo(f"  Withdrawn with it: {counted(len(withdrawn), 'dataset')}.")
        else:
            again = find_transcript(self._engine, self._workspace_id, before.id)
            self.done["skipped"] -= 1
        self._behind.pop()
        self._waiting.insert(0, one)
        return again

    def _changed(self, one: Transcript, key: str) -> Transcript:
        """Edit, label or explain; return the transcript as it is then."""
        place = (self._engine, self._workspace_id, one.id)
        if key == "e":
            one = edit(*place, self._edited(one), self._actor, revision=one.revision)
            self._show(one)
        elif key == "l":
            words = self._input.line("  labels, such as route=policy tone=warm")
            one = label(*place, parse_labels(words), self._actor, revision=one.revision)
            self._show(one)
        elif key == "o":
            self._show(one, original=True)
        else:
            click.echo(HELP)
        return one

    def _edited(self, one: Transcript) -> tuple[Said, ...]:
        """Return the messages as the curator wants them."""
        has_editor = bool(os.environ.get("VISUAL") or os.environ.get("EDITOR"))
        if self._input.by_key and has_editor:
            with self._input.lines():
                written = click.edit(NOTE + as_text(one.words))
            return one.words if written is None else from_text(written, one.words)
        for number, said in enumerate(one.words, 1):
            if self._input.by_key:
                click.echo(f"  {number} {said.role}: {said.text}")
        typed = self._input.line("  number and new words, such as 2 Of course you can.")
        number_typed, _, words = typed.partition(" ")
        if not number_typed.isdecimal() or not 1 <= int(number_typed) <= len(one.words):
            raise EditError(f"Begin with a message's number, 1 to {len(one.words)}.")
        place = int(number_typed) - 1
        changed = replace(one.words[place], text=words, canned=False)
        return (*one.words[:place], changed, *one.words[place + 1 :])
