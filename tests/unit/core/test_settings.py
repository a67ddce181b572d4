"""Settings from the environment and `.env`: what wins, what is unset, what is told of mistakes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import DEFAULT_PORT, ENV_FILE_VARIABLE, load_settings, settings


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.fixture
def _forgotten() -> Iterator[None]:
    """Let `settings()` read again, here and in whatever test comes next."""
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_environment_wins_over_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in both is taken from the environment, the rest from the file."""
    env_file.write_text("FOOTNOTE_PORT=9001\nOPENAI_MODEL=from-file\n")
    monkeypatch.setenv("FOOTNOTE_PORT", "9002")
    read = load_settings(env_file)
    assert (read.port, read.openai_model) == (9002, "from-file")


@pytest.mark.parametrize("blank", ["", "  "], ids=["nothing", "spaces"])
def test_blank_is_unset(blank: str, env_file: Path) -> None:
    """`NAME=` counts as not set, for numbers, texts and secrets alike."""
    names = ("FOOTNOTE_PORT", "OPENAI_MODEL", "OPENAI_API_KEY", "DATABASE_URL", "FOOTNOTE_HOME")
    env_file.write_text("".join(f"{name}={blank}\n" for name in names))
    assert load_settings(env_file) == load_settings()
    assert load_settings(env_file).openai_api_key is None


def test_a_blank_variable_leaves_the_file_s_value(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that passes `NAME=` on for a variable nobody set does not undo the file."""
    env_file.write_text("FOOTNOTE_PORT=9001\n")
    monkeypatch.setenv("FOOTNOTE_PORT", "")
    assert load_settings(env_file).port == 9001


def test_the_user_s_home_is_not_footnote_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME and PORT, which every machine has, are not FOOTNOTE_HOME and FOOTNOTE_PORT."""
    before = load_settings()
    monkeypatch.setenv("PORT", "3000")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(before.home.parent))
    read = load_settings()
    assert read.port == DEFAULT_PORT
    assert read.home != tmp_path
    assert read.home.name == "footnote"


def test_home_may_be_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's folder, and the path is absolute whatever the working folder."""
    monkeypatch.setenv("FOOTNOTE_HOME", "~/notes")
    assert load_settings().home == Path.home() / "notes"
    monkeypatch.setenv("FOOTNOTE_HOME", "notes")
    assert load_settings().home == Path.cwd() / "notes"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        pytest.param("what is this\n", 1, id="the first line"),
        pytest.param("FOOTNOTE_PORT=9001\n\n\nFOOTNOTE_PORT: 9001\n", 4, id="after blank lines"),
        pytest.param("# a comment\nFOOTNOTE_PORT\n", 2, id="a name without a value"),
        pytest.param("FOOTNOTE_PORT=9001\r\nOPENAI_MODEL='x\r\n", 2, id="an open quote"),
        pytest.param("OPENAI_MODEL='a\nb'\n= x\n", 3, id="after a value of two lines"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(written: str, line: int, env_file: Path) -> None:
    """A line that cannot be read is named as an editor counts it."""
    env_file.write_text(written, newline="")
    with pytest.raises(ConfigurationError, match=rf"^Line {line} of .*write .* NAME=value\.$"):
        load_settings(env_file)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("export FOOTNOTE_PORT=9001\n", id="export"),
        pytest.param("FOOTNOTE_PORT = '9001'  # the page\n", id="quotes and a comment"),
        pytest.param("\ufeffFOOTNOTE_PORT=9001\r\n", id="as Windows' editor saves it"),
        pytest.param("footnote_port=9001", id="lower case, no line end"),
        pytest.param("UNKNOWN=1\nFOOTNOTE_PORT=9001\n", id="beside others' settings"),
    ],
)
def test_the_file_may_be_written_as_people_write_it(written: str, env_file: Path) -> None:
    """The forms that shells and editors produce are read alike."""
    env_file.write_text(written, encoding="utf-8", newline="")
    assert load_settings(env_file).port == 9001


def test_a_file_in_another_encoding_is_refused(env_file: Path) -> None:
    """A file that is not UTF-8 is refused whole, with what to do."""
    env_file.write_text("FOOTNOTE_PORT=9001", encoding="utf-16")
    with pytest.raises(ConfigurationError, match=r"\.env is not UTF-8 text; save it as UTF-8\.$"):
        load_settings(env_file)


def test_a_folder_in_the_file_s_place_is_refused(env_file: Path) -> None:
    """What cannot be opened is named with the system's reason."""
    env_file.mkdir()
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: "):
        load_settings(env_file)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("FOOTNOTE_PORT", "abc", "FOOTNOTE_PORT: .*valid integer", id="a word"),
        pytest.param("FOOTNOTE_PORT", "70000", "FOOTNOTE_PORT: .*65535", id="too high"),
        pytest.param("FOOTNOTE_PORT", "0", "FOOTNOTE_PORT: .*1", id="zero"),
        pytest.param("FOOTNOTE_MODEL_TIMEOUT", "600", "MODEL_TIMEOUT: .*55", id="too long"),
        pytest.param("FOOTNOTE_LOG_LEVEL", "LOUD", "LOG_LEVEL: .*'DEBUG'", id="no level"),
        pytest.param("FOOTNOTE_HOME", "~nobody-here/x", "FOOTNOTE_HOME: .*user", id="no user"),
    ],
)
def test_a_bad_value_is_told_by_its_name(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence names the variable and what is wrong with it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"^A setting cannot be used: .*{told}.*\.$"):
        load_settings()


@pytest.mark.parametrize(
    ("written", "level"), [("debug", "DEBUG"), (" Warning ", "WARNING"), (" ", "INFO")]
)
def test_a_level_may_be_written_in_any_case(
    written: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The level of the log is read without regard to case, and blank is the default."""
    monkeypatch.setenv("FOOTNOTE_LOG_LEVEL", written)
    assert load_settings().log_level == level


def test_every_bad_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mistakes are one sentence, so that nobody starts twice to learn of both."""
    monkeypatch.setenv("FOOTNOTE_PORT", "x")
    monkeypatch.setenv("FOOTNOTE_MODEL_TIMEOUT", "x")
    with pytest.raises(ConfigurationError, match=r"PORT: .*; FOOTNOTE_MODEL_TIMEOUT: "):
        load_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor an error about another setting shows a token or an address's password."""
    names = (
        "DATABASE_URL", "REDIS_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY",
        "SLACK_SIGNING_SECRET", "SLACK_CLIENT_SECRET", "FOOTNOTE_SECRET_KEY",
    )  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, f"hush-{name}")
    read = load_settings()
    assert "hush" not in f"{read!r}{read}{read.model_dump()}{read.model_dump_json()}"
    assert read.slack_bot_token is not None
    assert read.slack_bot_token.get_secret_value() == "hush-SLACK_BOT_TOKEN"
    monkeypatch.setenv("FOOTNOTE_PORT", "hush")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_settings_are_frozen() -> None:
    """Nothing changes a setting after the start."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        pytest.param({}, None, id="none"),
        pytest.param(
            {"FOOTNOTE_PUBLIC_URL": "https://a.example/"}, "https://a.example", id="page"
        ),
        pytest.param(
            {
                "FOOTNOTE_PUBLIC_URL": "https://a.example",
                "FOOTNOTE_SLACK_URL": "https://slack.a.example/",
            },
            "https://slack.a.example",
            id="of its own",
        ),
    ],
)
def test_slack_reaches_the_bot_at_the_pages_address_or_its_own(
    given: dict[str, str], address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's address counts where the bot has none, and neither is known where none is set."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().slack_address == address


def test_several_secret_keys_are_given_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys keep their order, and spaces and empty places between commas are no keys."""
    assert load_settings().secret_keys == ()
    monkeypatch.setenv("FOOTNOTE_SECRET_KEY", "new, old,,")
    assert load_settings().secret_keys == ("new", "old")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_a_key_or_an_address_is_a_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key alone means OpenAI, an address alone a server that wants no key."""
    assert not load_settings().has_model
    monkeypatch.setenv(name, "http://localhost:1/v1")
    assert load_settings().has_model


def test_addresses_are_joined_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's address ends with a slash and the page's without, however they are written."""
    assert load_settings().page_url == f"http://127.0.0.1:{DEFAULT_PORT}"
    monkeypatch.setenv("SLACK_API_URL", "http://localhost:1/api")
    monkeypatch.setenv("FOOTNOTE_PUBLIC_URL", "https://notes.example/")
    read = load_settings()
    assert read.slack_api_url == "http://localhost:1/api/"
    assert read.page_url == "https://notes.example"


@pytest.mark.usefixtures("_forgotten")
def test_another_file_can_be_named(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FOOTNOTE_ENV_FILE names the file to read, and a process reads it once."""
    env_file.write_text("FOOTNOTE_PORT=9001\n")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(env_file))
    assert settings().port == 9001
    env_file.write_text("FOOTNOTE_PORT=9002\n")
    assert settings().port == 9001


@pytest.mark.usefixtures("_forgotten")
def test_a_named_file_must_be_there(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads nowhere is told, not passed over."""
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(env_file))
    with pytest.raises(ConfigurationError, match="which does not exist; correct it or unset it"):
        settings()
