"""What `up` notices of the servers and services under it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.services import MAX_RESTARTS, Service
from cli.watch import LostServerError, lost_server, watch
from core.errors import ServiceUnavailableError
from core.settings import Settings

AWAY = "redis://127.0.0.1:1/0"
DATABASE = "postgresql://footnote@127.0.0.1:1/footnote"


def given(settings: Settings, **urls: str) -> Settings:
    """Return settings that name these servers."""
    return settings.model_copy(update={name: SecretStr(url) for name, url in urls.items()})


def test_an_embedded_database_without_a_process_is_lost(plain_settings: Settings) -> None:
    """There is nothing in the home that could be running."""
    assert lost_server(plain_settings, DATABASE, None) == "database"


def test_given_servers_are_waited_for(plain_settings: Settings) -> None:
    """Who gives a server restarts it too; the services connect again by themselves."""
    settings = given(plain_settings, database_url=DATABASE, redis_url=AWAY)

    assert lost_server(settings, DATABASE, AWAY) is None


def test_an_embedded_broker_that_does_not_answer_is_lost(plain_settings: Settings) -> None:
    """One that refuses connections is gone; where Postgres carries messages there is none."""
    settings = given(plain_settings, database_url=DATABASE)

    assert lost_server(settings, DATABASE, AWAY) == "broker"
    assert lost_server(settings, DATABASE, None) is None


def test_a_loss_ends_the_watch_with_a_sentence() -> None:
    """The caller starts everything anew, or gives up with these words."""
    with pytest.raises(LostServerError, match="database keeps ending"):
        watch([], lambda: "database", lambda *_: None)


def test_a_service_that_dies_too_often_ends_the_watch(tmp_path: Path) -> None:
    """It is named with its last words and its log."""
    log = tmp_path / "worker.log"
    service = Service("nonsense", (), log, {"FOOTNOTE_HOME": str(tmp_path)})
    service.start()
    assert service.process is not None
    service.process.wait(30)
    service.restarts = MAX_RESTARTS
    told: list[tuple[str, str, str]] = []

    with pytest.raises(ServiceUnavailableError, match="nonsense keeps ending: No such command"):
        watch([service], lambda: None, lambda *line: told.append(line))
    assert told[0][:2] == ("✗", "nonsense ended")


def test_a_service_that_is_needed_later_is_started_and_watched(tmp_path: Path) -> None:
    """It is told of once, and stands among the others from then on."""
    services: list[Service] = []
    told: list[tuple[str, str, str]] = []
    waiting = [Service("serve", ("--help",), tmp_path / "serve.log", {}), None, None]
    lost = iter([None, None, "database"])

    with pytest.raises(LostServerError):
        watch(
            services,
            lambda: next(lost),
            lambda *line: told.append(line),
            lambda: waiting.pop(0) if waiting else None,
        )
    assert [service.name for service in services] == ["serve"]
    assert told[0][:2] == ("✓", "serve")
    assert services[0].process is not None
    services[0].process.wait(30)
