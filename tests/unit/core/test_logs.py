"""Logs: one JSON object a line, without secrets and without anybody's words."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from core.logs import configure_logs, logger

SECRETS = [
    pytest.param("xoxb-12-34-abCD", id="a bot token"),
    pytest.param("xoxe.xoxp-1-Mi0yLTEx", id="a rotated token"),
    pytest.param("xapp-1-A02-5-f00", id="an app token"),
    pytest.param("sk-proj-abcdefgh12345678", id="a model's key"),
    pytest.param("fn_a-bcdefgh_abcdefghijklmnopqrs_12345678", id="a token of ours"),
    pytest.param("postgresql://footnote:hush@db:5432/x", id="an address with a password"),
    pytest.param("redis://:hush@localhost:6379/0", id="a password without a name"),
    pytest.param("host=db password=hush dbname=x", id="a connection string"),
    pytest.param("Authorization: bearer abc.def", id="a bearer"),
    pytest.param("https://hooks.slack.com/commands/T1/2/x9", id="a response address"),
]
HUSH = ("hush", "abCD", "Mi0yLTEx", "f00", "12345678", "abc.def", "x9")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Logs at INFO go here; afterwards logging is as it was."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("INFO", stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


def written(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_blanked_wherever_they_stand(secret: str, lines: io.StringIO) -> None:
    """In a value, a list, a mapping, an error or the event itself: no secret is written."""
    error = ValueError(secret)
    logger("m").info(f"event {secret}", plain=secret, many=[{"deep": (secret,)}], error=error)
    logging.getLogger("library").warning("told %s", secret)
    try:
        raise error
    except ValueError:
        logger("m").exception("failed")
        logging.getLogger("library").exception("failed")
    assert len(written(lines)) == 4
    assert not [part for part in HUSH if part in lines.getvalue()]
    assert lines.getvalue().count("[secret]") >= 5


def test_what_only_looks_like_a_secret_stays(lines: io.StringIO) -> None:
    """Addresses without a password and ordinary words are left alone."""
    logger("m").info("e", link="http://127.0.0.1:8400/documents/1", file="risk-assessment.md")
    (line,) = written(lines)
    assert line["link"] == "http://127.0.0.1:8400/documents/1"
    assert line["file"] == "risk-assessment.md"


@pytest.mark.parametrize(
    "field", ["text", "question", "answer", "quote", "body", "content", "message"]
)
def test_bodies_are_told_by_their_length(field: str, lines: io.StringIO) -> None:
    """What somebody wrote is not logged, on the surface or inside a mapping."""
    logger("m").info("e", **{field: "my salary", "event_data": {field: ["my salary"]}})
    (line,) = written(lines)
    assert "salary" not in lines.getvalue()
    assert line[field] == "[9 characters]"


def test_of_an_error_the_kind_and_the_places_are_told(lines: io.StringIO) -> None:
    """Its message is somebody's words perhaps, and so is that of what caused it."""

    def fail(words: str) -> None:
        try:
            int(words)
        except ValueError as error:
            raise RuntimeError(words) from error

    try:
        fail("my " + "salary")
    except RuntimeError as error:
        logger("m").exception("failed")
        logger("m").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
    told = [line["exception"] for line in written(lines)]
    assert "my salary" not in lines.getvalue()
    assert len(told) == 3
    for exception in told:
        assert exception.index("ValueError\n") < exception.index("RuntimeError")
        assert exception.endswith("RuntimeError")
        assert "in fail" in exception


def test_ids_and_numbers_stay_as_they_are(lines: io.StringIO) -> None:
    """Ids, counts, truths and absent values keep their JSON types."""
    logger("m").info("e", job_id=7, seconds=0.5, done=True, reference=None, parts=[1, "a"])
    (line,) = written(lines)
    assert {name: line[name] for name in ("job_id", "seconds", "done", "reference", "parts")} == {
        "job_id": 7, "seconds": 0.5, "done": True, "reference": None, "parts": [1, "a"]
    }  # fmt: skip
    assert (line["module"], line["event"], line["level"]) == ("m", "e", "info")


def test_libraries_speak_from_warning_on(lines: io.StringIO) -> None:
    """Their INFO lines may hold message bodies and are not written."""
    logging.getLogger("library").info("received my salary")
    logging.getLogger("library").warning("retrying")
    assert [line["event"] for line in written(lines)] == ["retrying"]


def test_the_level_is_honoured(lines: io.StringIO) -> None:
    """Below the level nothing is written; an unknown level means INFO."""
    logger("m").debug("quiet")
    configure_logs("error", lines)
    logger("m").warning("quiet")
    configure_logs("nonsense", lines)
    logger("m").info("heard")
    assert [line["event"] for line in written(lines)] == ["heard"]
