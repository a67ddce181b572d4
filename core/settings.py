"""Every setting, read once at a process's start from the environment and `.env`."""

from collections.abc import Iterator
from functools import cache
from os import pathsep
from pathlib import Path
from typing import Literal

import platformdirs
from dotenv.parser import parse_stream
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 8400
ENV_FILE_VARIABLE = "FOOTNOTE_ENV_FILE"


class Settings(BaseSettings):
    """All settings; frozen. Names in the environment are the aliases, in any case.

    A blank one (`NAME=`, as in a commented sample) counts as not set wherever it stands.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("footnote", appauthor=False)),
        validation_alias=AliasChoices("FOOTNOTE_HOME"),
    )
    port: int = Field(DEFAULT_PORT, ge=1, le=65535, validation_alias=AliasChoices("FOOTNOTE_PORT"))
    public_url: str | None = Field(None, validation_alias=AliasChoices("FOOTNOTE_PUBLIC_URL"))
    database_url: SecretStr | None = Field(None, validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: SecretStr | None = Field(None, validation_alias=AliasChoices("REDIS_URL"))
    broker: Literal["redis", "postgres"] | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_BROKER")
    )  # what wakes the worker; None takes REDIS_URL, else a redis-server found here, else Postgres
    slack_bot_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_BOT_TOKEN")
    )
    slack_app_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_APP_TOKEN")
    )
    slack_signing_secret: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_SIGNING_SECRET")
    )
    slack_client_id: str | None = Field(None, validation_alias=AliasChoices("SLACK_CLIENT_ID"))
    slack_client_secret: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_CLIENT_SECRET")
    )
    slack_port: int = Field(
        8401, ge=1, le=65535, validation_alias=AliasChoices("FOOTNOTE_SLACK_PORT")
    )  # where the bot takes Slack's requests, without an app token
    slack_url: str | None = Field(None, validation_alias=AliasChoices("FOOTNOTE_SLACK_URL"))
    secret_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_SECRET_KEY")
    )  # keys separated by commas: the first seals tokens of workspaces, each opens them
    workspace: str = Field("local", validation_alias=AliasChoices("FOOTNOTE_WORKSPACE"))
    slack_api_url: str = Field(
        "https://slack.com/api/", validation_alias=AliasChoices("SLACK_API_URL")
    )
    openai_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str | None = Field(None, validation_alias=AliasChoices("OPENAI_BASE_URL"))
    openai_model: str = Field("gpt-5-mini", validation_alias=AliasChoices("OPENAI_MODEL"))
    openai_embedding_model: str | None = Field(
        None, validation_alias=AliasChoices("OPENAI_EMBEDDING_MODEL")
    )
    serve_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_SERVE_KEY")
    )  # what `footnote serve` asks of who wants an answer of a local model, and the bot shows
    model_timeout: float = Field(
        20.0, gt=0, le=55, validation_alias=AliasChoices("FOOTNOTE_MODEL_TIMEOUT")
    )  # seconds for one model call; every Slack message must end within 60
    escalation_contact: str | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_ESCALATION_CONTACT")
    )  # words shown to who asks for a person, e.g. "#support-leads"
    escalation_channel: str | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_ESCALATION_CHANNEL")
    )  # the id of the Slack channel where people take questions over, unless a channel has its own
    stream_after: float = Field(
        0.7, ge=0, le=30, validation_alias=AliasChoices("FOOTNOTE_STREAM_AFTER")
    )  # seconds after which an answer in Slack that is not there yet is shown as it comes
    job_lease: float = Field(
        30.0, ge=1, le=600, validation_alias=AliasChoices("FOOTNOTE_JOB_LEASE")
    )  # seconds after which the job of a worker that was killed is taken up by another
    source_hosts: str | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_SOURCE_HOSTS")
    )  # hosts in private networks that sources may be read from, e.g. "wiki.corp,10.0.0.7:8080"
    source_folders: str | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_SOURCE_FOLDERS")
    )  # folders here of which programs may have parts watched, separated as in PATH
    limit_person_minute: int = Field(
        20, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_PERSON_MINUTE")
    )  # questions of one person in Slack; 0 is no limit, as for all of these
    limit_person_day: int = Field(
        500, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_PERSON_DAY")
    )
    limit_workspace_minute: int = Field(
        600, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_WORKSPACE_MINUTE")
    )
    limit_workspace_day: int = Field(
        20_000, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_WORKSPACE_DAY")
    )
    limit_tokens_person_day: int = Field(
        0, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_TOKENS_PERSON_DAY")
    )  # of the language model, in and out
    limit_tokens_workspace_day: int = Field(
        0, ge=0, validation_alias=AliasChoices("FOOTNOTE_LIMIT_TOKENS_WORKSPACE_DAY")
    )
    keep_messages_days: int = Field(
        90, ge=0, le=36_500, validation_alias=AliasChoices("FOOTNOTE_KEEP_MESSAGES_DAYS")
    )  # how long questions, answers and what was said about them are kept; 0 is for ever
    link_hosts: str | None = Field(
        None, validation_alias=AliasChoices("FOOTNOTE_LINK_HOSTS")
    )  # hosts whose addresses in an answer's words are links in Slack, beside its sources' own
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias=AliasChoices("FOOTNOTE_LOG_LEVEL")
    )  # in any case

    @field_validator("*", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object, info: object) -> object:
        """Treat a name with only spaces behind it like one with nothing: as not set."""
        if isinstance(value, str):
            value = value.strip()
            if not value:
                name = getattr(info, "field_name", "")
                return cls.model_fields[name].get_default(call_default_factory=True)
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError as error:
            raise PydanticCustomError("home", "there is no such user's folder") from error

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("slack_api_url")
    @classmethod
    def _ends_with_slash(cls, value: str) -> str:
        return value if value.endswith("/") else value + "/"

    @property
    def page_url(self) -> str:
        """Where people reach the pages: `FOOTNOTE_PUBLIC_URL` or the local address."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def private_hosts(self) -> frozenset[str]:
        """The hosts in private networks that sources may be read from, in lower case."""
        written = (self.source_hosts or "").lower().split(",")
        return frozenset(host.strip() for host in written if host.strip())

    @property
    def shown_hosts(self) -> frozenset[str]:
        """The hosts whose addresses may be links beside the sources' own, in lower case."""
        written = (self.link_hosts or "").lower().split(",")
        return frozenset(host.strip() for host in written if host.strip())

    @property
    def open_folders(self) -> tuple[Path, ...]:
        """The folders of which programs may have parts watched over HTTP; none unless named."""
        named = (self.source_folders or "").split(pathsep)
        return tuple(Path(folder.strip()) for folder in named if folder.strip())

    @property
    def has_model(self) -> bool:
        """Whether a language model is configured (a key, or a keyless local server)."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def slack_address(self) -> str | None:
        """Where Slack and browsers reach the bot: `FOOTNOTE_SLACK_URL`, else the page's."""
        address = self.slack_url or self.public_url
        return None if address is None else address.rstrip("/")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys that open what is sealed; the first seals. None are given by default."""
        written = self.secret_key.get_secret_value() if self.secret_key else ""
        return tuple(key.strip() for key in written.split(",") if key.strip())


def _check_env_file(path: Path) -> None:
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error or (binding.key is not None and binding.value is None):
                    written = binding.original.string
                    blank = written[: len(written) - len(written.lstrip())].count("\n")
                    raise ConfigurationError(
                        f"Line {binding.original.line + blank} of {path} cannot be read; "
                        "write every setting as NAME=value."
                    )
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        yield f"{problem['loc'][0]}: {problem['msg']}"


def load_settings(env_file: Path | None = None) -> Settings:
    """Read the settings from the environment and from `env_file` (if it exists).

    Raises ConfigurationError with the line or the variable that is wrong.
    """
    if env_file is not None and env_file.exists():
        _check_env_file(env_file)
    else:
        env_file = None
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise ConfigurationError(
            "A setting cannot be used: " + "; ".join(_problems(error)) + "."
        ) from error


@cache
def settings() -> Settings:
    """Return this process's settings: the environment over `.env` beside pyproject.toml.

    `FOOTNOTE_ENV_FILE` names another file, which must exist; empty means none. Raises
    ConfigurationError.
    """
    import os  # noqa: PLC0415 - the only place that asks the environment for a name

    named = os.environ.get(ENV_FILE_VARIABLE)
    if named is None:
        return load_settings(ROOT / ".env")
    if named and not Path(named).exists():
        raise ConfigurationError(
            f"{ENV_FILE_VARIABLE} names {named}, which does not exist; correct it or unset it."
        )
    return load_settings(Path(named) if named else None)
