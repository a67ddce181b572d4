"""What the embedded Postgres' cluster makes of Postgres' own words."""

from pathlib import Path

import pytest

from store.cluster import Cluster, failure, last_complaint
from store.postgres_host import EmbeddedPostgresError


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        pytest.param(
            "2026-11-20 11:02:30.221 UTC [7] LOG:  starting\n"
            '2026-11-20 11:02:30.221 UTC [7] FATAL:  lock file "postmaster.pid" already exists\n'
            "2026-11-20 11:02:30.221 UTC [7] HINT:  Is another postmaster running?\n"
            "pg_ctl: could not start server\nExamine the log output.\n",
            'lock file "postmaster.pid" already exists',
            id="the fatal line, not the hint or pg_ctl's",
        ),
        pytest.param(
            'initdb: error: directory "/x" exists but is not empty\n',
            'directory "/x" exists but is not empty',
            id="a tool's error",
        ),
        pytest.param("ready\nKilled.\n\n", "Killed", id="the last line where none is marked"),
        pytest.param("", "it left no word", id="nothing at all"),
    ],
)
def test_the_last_complaint_is_found(told: str, complaint: str) -> None:
    """Of a log's tail the line that says what went wrong is quoted, without time and process."""
    assert last_complaint(told) == complaint


def test_a_full_disk_is_called_so() -> None:
    """A full disk gets a sentence of its own, whatever Postgres was doing."""
    error = failure(
        "Postgres did not start", "could not write: No space left on device", Path("p")
    )
    assert str(error) == "The disk of p is full; free some space and try again."


def test_data_that_lay_elsewhere_and_is_gone_is_not_replaced_in_silence(tmp_path: Path) -> None:
    """Where the home points to a data folder that is gone, an empty one is not made unasked."""
    (tmp_path / "postgres.location").write_text("/nowhere/postgres\n")
    cluster = Cluster(tmp_path)
    assert cluster.data == Path("/nowhere/postgres")
    assert not cluster.exists
    with pytest.raises(EmbeddedPostgresError, match="which is gone; put it back"):
        cluster.refuse_to_replace()
