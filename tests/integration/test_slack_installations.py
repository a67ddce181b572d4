"""Installations in Postgres: sealed, opened as workspaces, and let go."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.fernet import Fernet
from slack_sdk import WebClient
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Engine, Row, text

from bot.client import Identity
from bot.installations import NO_ORGANISATIONS, Installations, States
from bot.installed import InstalledWorkspaces
from bot.people import People, StoredMembers
from bot.seal import Seal, SealBrokenError
from bot.workspaces import Answerer, Workspace
from core.errors import FootnoteError
from core.settings import Settings
from graph.state import Question
from store.access import OPERATOR_ACCESS
from store.answers import Answer
from store.installations import find_installation, save_installation
from store.workspaces import ensure_workspace
from tests.fakes.slack import SlackServer, Team

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
_numbers = itertools.count(1)


@pytest.fixture
def installations(shared_engine: Engine) -> Installations:
    """The store with one key."""
    return Installations(shared_engine, Seal([OLD]))


FIRST = "xoxb-first"


def installation(team: str, token: str = FIRST, **changes: Any) -> Installation:
    """What Slack's code makes of an answer to OAuth."""
    given: dict[str, Any] = {
        "app_id": "A1",
        "enterprise_id": f"E{team}",
        "team_id": team,
        "team_name": "Globex",
        "bot_token": token,
        "bot_id": "B1",
        "bot_user_id": "UBOT",
        "bot_scopes": ["chat:write", "commands"],
        "user_id": "U1",
        "token_type": "bot",
    }
    return Installation(**given | changes)


def new_team() -> str:
    """An id that no other test uses."""
    return f"TSLACK{next(_numbers)}"


def test_what_is_kept_comes_back(installations: Installations, shared_engine: Engine) -> None:
    """The whole installation is found again, by team or enterprise, and as a bot."""
    team = new_team()
    made = installation(team)
    installations.save(made)
    found = installations.find_installation(enterprise_id=None, team_id=team, user_id="U2")
    assert found is not None
    assert found.to_dict() == made.to_dict()
    by_enterprise = installations.find_bot(enterprise_id=f"E{team}", team_id=None)
    assert by_enterprise is not None
    assert by_enterprise.bot_token == "xoxb-first"
    kept = find_installation(shared_engine, team)
    assert kept is not None
    assert (kept.workspace_id, kept.name) == (ensure_workspace(shared_engine, team), "Globex")
    assert installations.find_bot(enterprise_id=None, team_id=None) is None


def shown(row: Row[Any]) -> bytes:
    """Everything that a row holds, as bytes."""
    return b" ".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for value in row
    )


def test_no_column_holds_a_token(installations: Installations, shared_engine: Engine) -> None:
    """Neither the row nor any other in the database shows the token or a part of it."""
    secret = "xoxb-1234567890-verysecrettoken"
    installations.save(installation(new_team(), secret, user_token="xoxp-hushedwords"))
    with shared_engine.connect() as connection:
        names = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalars()
        tables = [name for name in names if not name.startswith("vectors_")]
        rows = [
            shown(row)
            for name in tables
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))
        ]
    assert any(b"TSLACK" in row for row in rows)
    for part in (b"xoxb-123", b"xoxp-hush", b"verysecret", b"hushedwords", b"4567890-very"):
        assert not any(part in row for row in rows)


def test_an_organisation_is_refused(installations: Installations) -> None:
    """An installation for all of an organisation is told as what is not possible."""
    with pytest.raises(FootnoteError, match=NO_ORGANISATIONS):
        installations.save(installation("", is_enterprise_install=True))


def test_a_new_key_takes_over(shared_engine: Engine, installations: Installations) -> None:
    """With the new key before the old one all are sealed anew; then the old one may go."""
    team = new_team()
    installations.save(installation(team))
    Installations(shared_engine, Seal([NEW, OLD])).seal_anew()
    assert Installations(shared_engine, Seal([NEW, OLD])).seal_anew() == 0
    only_new = Installations(shared_engine, Seal([NEW]))
    found = only_new.find_bot(enterprise_id=None, team_id=team)
    assert found is not None
    assert found.bot_token == "xoxb-first"
    with pytest.raises(SealBrokenError):
        installations.find_bot(enterprise_id=None, team_id=team)


def test_a_row_opens_for_its_own_team_only(
    installations: Installations, shared_engine: Engine
) -> None:
    """Sealed bytes that are moved to another team's row are not taken."""
    mine, other = new_team(), new_team()
    installations.save(installation(mine))
    kept = find_installation(shared_engine, mine)
    assert kept is not None
    save_installation(shared_engine, other, ensure_workspace(shared_engine, other), kept.sealed)
    with pytest.raises(SealBrokenError, match="belongs to another team"):
        installations.find_bot(enterprise_id=None, team_id=other)


def test_deleting_forgets_the_token(installations: Installations) -> None:
    """Slack's own way of deleting ends in the same."""
    team = new_team()
    installations.save(installation(team))
    installations.delete_installation(enterprise_id=None, team_id=team, user_id="U1")
    assert installations.find_bot(enterprise_id=None, team_id=team) is not None
    installations.delete_all(enterprise_id=None, team_id=team)
    assert installations.find_bot(enterprise_id=None, team_id=team) is None


def test_states_are_good_once(shared_engine: Engine) -> None:
    """Each is new, taken once, and none is taken that was made up."""
    states = States(shared_engine)
    first, second = states.issue(), states.issue()
    assert first != second
    assert len(first) >= 32
    assert states.consume(first)
    assert not states.consume(first)
    assert not states.consume("made-up")
    assert states.consume(second)


@dataclass
class Process:
    """One bot process's view: what it opened, ended, and which answerers it made."""

    engine: Engine
    settings: Settings
    keys: list[str] = field(default_factory=lambda: [OLD])
    opened: list[tuple[int, str]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    answerers: list[int] = field(default_factory=list)

    def workspaces(self, fresh: float = 0.0) -> InstalledWorkspaces:
        """The workspaces as this process sees them."""
        store = Installations(self.engine, Seal(self.keys))
        return InstalledWorkspaces(
            self.settings, self.engine, store, self._open, self._answering, fresh=fresh
        )

    def _open(
        self, workspace_id: int, client: WebClient, identity: Identity, answerer: Answerer
    ) -> tuple[Workspace, Callable[[], None]]:
        self.opened.append((workspace_id, str(client.token)))
        made = Workspace(
            id=workspace_id,
            team=identity.team_id,
            bot_user_id=identity.user_id,
            bot_id=identity.bot_id,
            client=client,
            engine=self.engine,
            people=People(StoredMembers(self.engine, workspace_id)),
            answerer=answerer,
            settings=self.settings,
            wake=lambda: None,
        )
        return made, lambda: self.ended.append(workspace_id)

    def _answering(self, workspace_id: int) -> Answerer:
        self.answerers.append(workspace_id)
        return Echo()


class Echo:
    """An answerer that says the question."""

    def answer(self, question: Question) -> Answer:
        """Return it."""
        return Answer("a", question.text, "policy", "answered", question.text)


@pytest.fixture
def process(shared_engine: Engine) -> Process:
    """A process that can ask nobody at Slack."""
    return Process(
        shared_engine, Settings.model_validate({"SLACK_API_URL": "http://127.0.0.1:9/"})
    )


def test_a_team_is_opened_once(process: Process, installations: Installations) -> None:
    """By team or by row it is the same workspace, with the team's token; nobody else's."""
    team = new_team()
    workspaces = process.workspaces(fresh=60)
    assert workspaces.of_team(team) is None
    installations.save(installation(team, "xoxb-theirs"))
    found = workspaces.of_team(team)
    assert found is not None
    assert (found.team, found.client.token) == (team, "xoxb-theirs")
    assert (found.bot_user_id, found.bot_id) == ("UBOT", "B1")
    assert workspaces.of_id(found.id) is workspaces.of_team(team) is found
    assert found in workspaces.all()
    assert [opened for opened in process.opened if opened[0] == found.id] == [
        (found.id, "xoxb-theirs")
    ]
    assert workspaces.of_id(-1) is None
    assert workspaces.only is None


def test_an_answerer_is_opened_with_the_first_question(
    process: Process, installations: Installations
) -> None:
    """A team that asks nothing costs nothing, and a new token makes no other answerer."""
    team = new_team()
    installations.save(installation(team))
    workspaces = process.workspaces()
    workspace = workspaces.of_team(team)
    assert workspace is not None
    assert process.answerers == []
    question = Question(text="hello", conversation=None, user_id="U1", access=OPERATOR_ACCESS)
    assert workspace.answerer.answer(question).text == "hello"
    installations.save(installation(team, "xoxb-second"))
    again = workspaces.of_team(team)
    assert again is not None
    again.answerer.answer(question)
    assert process.answerers == [workspace.id]


def test_other_processes_notice(process: Process, installations: Installations) -> None:
    """What one process installs anew or removes, another one sees at its next look."""
    team = new_team()
    installations.save(installation(team))
    workspaces = process.workspaces()
    before = workspaces.of_team(team)
    installations.save(installation(team, "xoxb-second"))
    after = workspaces.of_team(team)
    assert before is not None
    assert after is not None
    assert after.client.token == "xoxb-second"
    installations.delete_bot(enterprise_id=None, team_id=team)
    assert workspaces.of_team(team) is None
    assert workspaces.of_id(after.id) is None
    assert team not in [workspace.team for workspace in workspaces.all()]


def test_between_looks_nothing_is_asked(process: Process, installations: Installations) -> None:
    """For a while the answer comes from memory: that is what acknowledgements are made of."""
    team = new_team()
    installations.save(installation(team))
    workspaces = process.workspaces(fresh=60)
    found = workspaces.of_team(team)
    installations.delete_bot(enterprise_id=None, team_id=team)
    assert workspaces.of_team(team) is found
    workspaces.forget(team)
    assert workspaces.of_team(team) is None


def test_a_row_that_cannot_be_opened_is_no_workspace(
    process: Process, installations: Installations
) -> None:
    """A team whose key is lost is not served; the others are."""
    lost, good = new_team(), new_team()
    installations.save(installation(lost))
    process.keys = [NEW]
    Installations(process.engine, Seal([NEW])).save(installation(good))
    workspaces = process.workspaces()
    assert workspaces.of_team(lost) is None
    served = [workspace.team for workspace in workspaces.all()]
    assert good in served
    assert lost not in served


def test_closing_ends_every_workspace(process: Process, installations: Installations) -> None:
    """What runs for each is ended, once."""
    team = new_team()
    installations.save(installation(team))
    workspaces = process.workspaces()
    workspace = workspaces.of_team(team)
    assert workspace is not None
    workspaces.close()
    workspaces.close()
    assert process.ended.count(workspace.id) == 1


def keep(team: Team, installations: Installations) -> None:
    """Keep the installation of a team that the local Slack has."""
    installations.save(
        installation(team.team_id, team.bot_token, bot_user_id=team.bot_user, team_name="Globex")
    )


def test_leaving_is_believed_once_the_token_is_dead(
    shared_engine: Engine, installations: Installations
) -> None:
    """An event that comes late, when the app is there again, removes nothing."""
    with SlackServer() as slack:
        team = slack.add_workspace("globex")
        settings = Settings.model_validate({"SLACK_API_URL": slack.url})
        workspaces = Process(shared_engine, settings).workspaces(fresh=60)
        keep(team, installations)
        workspaces.left(team.team_id)
        assert workspaces.of_team(team.team_id) is not None
        team.uninstall()
        workspaces.left(team.team_id)
        assert workspaces.of_team(team.team_id) is None
        assert find_installation(shared_engine, team.team_id) is None
        workspaces.left(team.team_id)
        workspaces.left("TNEVERSEEN")
