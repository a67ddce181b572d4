"""One `up` for one home."""

import json
import os
from pathlib import Path

import pytest

from cli.up import AlreadyRunningError, only_one
from core.errors import ServiceUnavailableError

PAGE = "http://127.0.0.1:8400"


def test_a_second_up_is_told_about_the_first(tmp_path: Path) -> None:
    """Address and process are named."""
    with (
        only_one(tmp_path, PAGE),
        pytest.raises(AlreadyRunningError, match=f"at {PAGE} .*{os.getpid()}"),
        only_one(tmp_path, "http://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '"x"'])
def test_a_first_up_that_has_not_said_where_is_still_the_first(
    tmp_path: Path, record: str
) -> None:
    """A record that is missing or half-written changes nothing."""
    with only_one(tmp_path, PAGE):
        (tmp_path / "run" / "up.json").write_text(record, "utf-8")
        with (
            pytest.raises(AlreadyRunningError, match="already running"),
            only_one(tmp_path, PAGE),
        ):
            pass


def test_the_home_is_free_again_after_it(tmp_path: Path) -> None:
    """Also where the first failed; nothing tells of it any more."""

    def fail() -> None:
        with only_one(tmp_path, PAGE):
            known = json.loads((tmp_path / "run" / "up.json").read_text("utf-8"))
            assert known == {"pid": os.getpid(), "page": PAGE}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "run" / "up.json").exists()
    with only_one(tmp_path, PAGE):
        pass


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The sentence says which setting to change."""
    (tmp_path / "file").write_text("x", "utf-8")
    with (
        pytest.raises(ServiceUnavailableError, match="FOOTNOTE_HOME"),
        only_one(tmp_path / "file" / "home", PAGE),
    ):
        pass
