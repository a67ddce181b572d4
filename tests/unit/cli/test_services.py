"""The processes that `up` runs, one by one."""

import time
from pathlib import Path

import pytest

from cli.services import MAX_LOG, MAX_RESTARTS, STEADY_AFTER, Service, stop_all


def service(folder: Path, name: str = "worker") -> Service:
    """A service that logs into a folder."""
    return Service(name, (), folder / "logs" / f"{name}.log", {"FOOTNOTE_HOME": str(folder)})


def logged(made: Service, text: str) -> Service:
    """Return the service with this log."""
    made.log.parent.mkdir(parents=True, exist_ok=True)
    made.log.write_text(text, "utf-8")
    return made


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param("", "it left no word", id="nothing"),
        pytest.param("Error: The port is taken.\n", "The port is taken", id="a sentence"),
        pytest.param(
            '{"event": "no broker", "exception": "Traceback (most recent call last)"}\n',
            "no broker",
            id="an event",
        ),
        pytest.param("first\nlast\n\n", "last", id="several lines"),
        pytest.param("[1, 2]\n", "[1, 2]", id="other JSON"),
    ],
)
def test_last_words_are_a_sentence_and_no_traceback(tmp_path: Path, log: str, words: str) -> None:
    """What `up` repeats of a service's log is for people."""
    assert logged(service(tmp_path), log).last_words() == words


def test_a_service_without_a_log_left_no_word(tmp_path: Path) -> None:
    """It may have ended before it could write."""
    assert service(tmp_path).last_words() == "it left no word"


def test_a_service_that_ended_has_its_status_and_words(tmp_path: Path) -> None:
    """A wrong command ends with its own sentence; stopping it again is harmless."""
    wrong = service(tmp_path, "nonsense")
    wrong.start()
    assert wrong.process is not None
    assert wrong.process.wait(30) == 2
    stop_all([wrong])

    assert wrong.exit_code == 2
    assert wrong.last_words().startswith("No such command 'nonsense'")


def test_a_large_log_is_put_aside_once(tmp_path: Path) -> None:
    """What was written before is kept beside it, and the new log begins anew."""
    wrong = logged(service(tmp_path, "nonsense"), "x" * (MAX_LOG + 1))
    wrong.start()
    assert wrong.process is not None
    wrong.process.wait(30)

    assert wrong.log.stat().st_size < 1000
    assert wrong.log.with_suffix(".old.log").stat().st_size == MAX_LOG + 1


def test_what_dies_too_often_is_given_up(tmp_path: Path) -> None:
    """After as many restarts without a steady minute there is no further one."""
    wrong = service(tmp_path, "nonsense")
    wrong.restarts, wrong.started = MAX_RESTARTS, time.monotonic()
    assert not wrong.restart()

    wrong.started -= 2 * STEADY_AFTER
    assert wrong.restart()
    assert wrong.restarts == 1
    stop_all([wrong])


def test_services_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    """An `up` that is interrupted early stops what there is."""
    stop_all([service(tmp_path)])
