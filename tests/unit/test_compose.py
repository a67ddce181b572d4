"""docker-compose.yml, the Dockerfile and .env.sample, held against the code they start.

There is no container engine where these tests run: they hold names, commands and options, not
that an image builds.
"""

import re
import tomllib
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]  # typed stubs would be one more package
from pydantic import AliasChoices

import run
from admin.app import create_app
from cli.__main__ import Commands, footnote
from cli.worker import worker
from core.settings import DEFAULT_PORT, ENV_FILE_VARIABLE, ROOT, Settings
from core.tasks import QUEUE_NAMES
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = {
    stage.partition("\n")[0].rpartition(" AS ")[2] if " AS " in stage.partition("\n")[0] else "":
    stage for stage in re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
}  # fmt: skip
COMPOSE_ONLY = "POSTGRES_PASSWORD"
INTERPOLATED = re.compile(r"\$\{(\w+)")
ENTRY = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def setting_names() -> set[str]:
    """The names of all settings in the environment."""
    aliases = [field.validation_alias for field in Settings.model_fields.values()]
    return {str(a.choices[0]) for a in aliases if isinstance(a, AliasChoices)}


def sampled() -> dict[str, str]:
    """The names in `.env.sample` with their values, commented out or not."""
    return dict(ENTRY.findall((ROOT / ".env.sample").read_text("utf-8")))


def worker_options(command: list[str]) -> dict[str, Any]:
    """Return the options that a service gives `worker`, with the defaults of the others."""
    return worker.make_context("worker", command[1:]).params


@pytest.mark.parametrize("name", OURS)
def test_each_service_runs_a_command_with_options_it_has(name: str) -> None:
    """Every service of our image runs a command of Footnote with arguments that it takes."""
    command, *arguments = OURS[name]["command"]
    group = click.Context(footnote)
    assert isinstance(footnote, Commands)
    found = footnote.get_command(group, command)
    assert found is not None
    found.make_context(command, arguments, parent=group)


@pytest.mark.parametrize("name", OURS)
def test_services_are_given_settings_that_exist(name: str) -> None:
    """A name that a service is given is one that the settings read."""
    assert set(OURS[name]["environment"]) <= setting_names()
    assert OURS[name]["env_file"] == ".env"


def test_only_known_names_are_filled_in() -> None:
    """What the file takes from `.env` is a setting or the database's password."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert set(INTERPOLATED.findall(text)) <= {*setting_names(), COMPOSE_ONLY}


def test_services_wait_for_servers_and_tables() -> None:
    """Web, worker and bot start once the servers are healthy and the tables are there."""
    servers = {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    migrated = {"migrate": {"condition": "service_completed_successfully"}}
    assert OURS["migrate"]["depends_on"] == servers
    assert {name for name, service in OURS.items() if name != "migrate"} == {
        name for name, service in OURS.items() if service["depends_on"] == servers | migrated
    }


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_what_keeps_running_is_watched(name: str) -> None:
    """Every service that stays up has a health check and is started again when it ends."""
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["worker", "trainer", "worker-gpu", "beat", "bot"])
def test_ready_files_are_looked_for_where_they_are_written(name: str) -> None:
    """The health check looks for the file that the command is told to write, in a fresh /tmp."""
    service = OURS[name]
    written = service["command"][service["command"].index("--ready-file") + 1]
    assert service["healthcheck"]["test"] == ["CMD", "test", "-e", written]
    assert written.startswith(service["tmpfs"] + "/")


def test_the_pages_port_is_one_port() -> None:
    """The page listens where it is published, on this machine only, at the usual port."""
    port = f"${{FOOTNOTE_PORT:-{DEFAULT_PORT}}}"
    assert OURS["web"]["environment"]["FOOTNOTE_PORT"] == port
    assert OURS["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_slacks_port_is_one_port() -> None:
    """The bot listens where it is published, to this machine only, at the usual port."""
    default = Settings.model_validate({}).slack_port
    port = f"${{FOOTNOTE_SLACK_PORT:-{default}}}"
    assert OURS["bot"]["environment"]["FOOTNOTE_SLACK_PORT"] == port
    assert OURS["bot"]["environment"].items() >= OURS["web"]["environment"].items()
    assert OURS["bot"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {DEFAULT_PORT} {default}\n" in DOCKERFILE


def test_the_pages_health_is_asked_at_its_address() -> None:
    """The health check of the page asks for an address that the page serves."""
    app = create_app(ScriptedAnswerer(), InMemoryDocuments())
    script = OURS["web"]["healthcheck"]["test"][-1]
    asked = re.search(r"http://127\.0\.0\.1:\{port\}(/\w+)", script)
    assert asked is not None
    assert asked[1] in {getattr(route, "path", None) for route in app.routes}
    compile(script, "healthcheck", "exec")


def test_the_databases_files_are_kept() -> None:
    """The volume lies where the image of Postgres 18 keeps its data."""
    assert SERVICES["postgres"]["image"] == "pgvector/pgvector:pg18"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert "postgres" in COMPOSE["volumes"]


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    """The image is made from the locked packages by the options that run.py gives pip."""
    options = [part for part in run.LOCKED if part.startswith("--")]
    install = DOCKERFILE.partition("RUN pip install")[2].partition("\n\n")[0]
    assert all(option in install for option in options)
    assert install.split()[-1] == run.BASE.source
    assert len(re.findall(r"\bpip install\b", STAGES["plain"])) == 1
    assert STAGES[""].split() == ["plain"]  # what is built unless another stage is named


def test_the_image_that_trains_adds_its_lock_and_torch() -> None:
    """Only the service with a graphics card gets what trains language models."""
    assert re.findall(r"-r (\S+)|install .* (torch==\S+)$", STAGES["train"], re.MULTILINE) == [
        (run.TRAIN.source, ""),
        ("", "torch==2.13.0"),
    ]
    built = {name: service["build"] for name, service in OURS.items()}
    assert built.pop("worker-gpu") == {"context": ".", "target": "train"}
    assert set(built.values()) == {"."}
    images = {service["image"] for name, service in OURS.items() if name != "worker-gpu"}
    assert images == {"footnote"}


def test_models_are_where_every_service_finds_them() -> None:
    """What one service trains another reads, in a folder that the image's account may write."""
    folder = f"{OURS['web']['environment']['FOOTNOTE_HOME']}/models"
    assert {name for name, one in OURS.items() if one["volumes"] == [f"models:{folder}"]} == {
        *OURS
    }
    assert "models" in COMPOSE["volumes"]
    assert '"$FOOTNOTE_HOME/models"' in STAGES["plain"].partition("--group=footnote")[2]


def test_every_queue_has_a_service() -> None:
    """No task waits for ever, with or without a graphics card."""
    served = {
        queue
        for name in ("worker", "trainer")
        for queue in worker_options(OURS[name]["command"])["queues"].split(",")
    }
    assert served == set(QUEUE_NAMES)


def test_the_image_runs_as_nobody_special() -> None:
    """The last account that the image switches to is not root, and a plain number is not used."""
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["footnote", "root", "footnote"]
    last = {name: re.findall(r"^USER (\S+)$", stage, re.M) for name, stage in STAGES.items()}
    assert {name: found[-1:] for name, found in last.items()} == {
        "plain": ["footnote"], "train": ["footnote"], "": []
    }  # fmt: skip
    assert DOCKERFILE.index("USER footnote") < DOCKERFILE.index("ENTRYPOINT")


def test_the_image_holds_every_package() -> None:
    """All of our packages get into the image, and so does what migrations need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    packages = project["tool"]["importlinter"]["root_packages"]
    assert let_in >= {*packages, "migrations", "alembic.ini", run.BASE.source, run.TRAIN.source}
    assert all((ROOT / path).exists() for path in let_in)


def test_the_sample_names_every_setting() -> None:
    """`.env.sample` names every setting, the database's password, and nothing unknown."""
    assert set(sampled()) == {*setting_names(), COMPOSE_ONLY}
    assert ENV_FILE_VARIABLE not in sampled()


def test_the_sample_shows_the_defaults() -> None:
    """A value that the sample shows is the setting's default, in the form one would write."""
    defaults = Settings.model_validate({}).model_dump()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        assert isinstance(alias, AliasChoices)
        shown = sampled()[str(alias.choices[0])]
        if shown:
            kind = type(defaults[name])
            assert kind(shown) == defaults[name]
