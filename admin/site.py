"""What the pages are given: who answers, where documents are read, how templates are filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from admin.conversations import Conversations
from admin.pictures import Pictures
from admin.problems import Problems
from admin.templating import Templates
from graph.state import Question
from store.answers import Answer
from store.documents import Block, Version


class Answerer(Protocol):
    """Whatever answers a question: the agent, or a scripted one in tests."""

    def answer(self, question: Question) -> Answer:
        """Return the answer; may raise FootnoteError when a service it needs is down."""
        ...


class Documents(Protocol):
    """The versions an operator may read."""

    def version(self, version_id: int) -> Version | None:
        """Return a version by its id, or None if there is none."""
        ...

    def in_force(self) -> Sequence[Version]:
        """Return the versions in force now, in the order they are listed."""
        ...


@runtime_checkable
class LaidOut(Protocol):
    """Documents that know a version's blocks; other texts are cut at blank lines."""

    def blocks(self, version_id: int) -> Sequence[Block]:
        """Return the blocks of a version in the order of its text."""
        ...


class SlackFace(Protocol):
    """How an answer would be posted to Slack: the bot's rendering, which pages do not know."""

    def __call__(self, answer: Answer, as_of: datetime | None) -> Sequence[Mapping[str, Any]]:
        """Return the messages, as JSON with `text` and `blocks`, in their order."""
        ...


@dataclass(frozen=True)
class Site:
    """Everything a page's handlers use; built once by `admin.app.create_app`."""

    answerer: Answerer
    documents: Documents
    conversations: Conversations
    templates: Templates
    problems: Problems
    pictures: Pictures | None = None
    slack: SlackFace | None = None
