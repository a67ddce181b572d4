"""Dates on the command line, and the life of services under `up`."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import click
import psutil
import pytest

from cli.runtime import PARENT_VARIABLE, Moment, parent_value
from core.settings import ROOT

CHILD = """
import sys
from cli.runtime import end_with_parent
end_with_parent()
print("started", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-06-01", datetime(2025, 6, 1, 23, 59, 59, tzinfo=UTC)),
        ("2025-06-01T08:00", datetime(2025, 6, 1, 8, tzinfo=UTC)),
        (
            "2025-06-01T08:00+02:00",
            datetime(2025, 6, 1, 8, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("2025-06-01T08:00Z", datetime(2025, 6, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_day_counts_to_its_end(written: str, moment: datetime) -> None:
    """A time may be given too; without a zone it is UTC."""
    assert Moment().convert(written, None, None) == moment


def test_a_day_can_be_meant_from_its_start() -> None:
    """As a file's front matter has it: what begins on a day begins with it."""
    begin = Moment(day_ends=False).convert("2025-06-01", None, None)
    assert begin == datetime(2025, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "soon", "2025-13-01", "01.06.2025", "2025-02-30"])
def test_what_is_no_date_is_refused(written: str) -> None:
    """The sentence shows how a date is written."""
    with pytest.raises(click.BadParameter, match="2025-06-01"):
        Moment().convert(written, None, None)


def child(parent: str | None) -> "subprocess.Popen[str]":
    """Start a process that ends with its parent."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    if parent is not None:
        variables[PARENT_VARIABLE] = parent
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )


def test_a_service_ends_when_its_parent_is_gone() -> None:
    """Also where another process has got the parent's number meanwhile."""
    stranger = f"{os.getpid()}:{psutil.Process().create_time() - 1000}"
    with child(stranger) as orphan, child(parent_value()) as kept, child(None) as alone:
        assert orphan.wait(10) == 1
        assert kept.poll() is None
        assert alone.poll() is None
        for process in (kept, alone):
            process.communicate("\n", timeout=10)
            assert process.returncode == 0
