"""Names that look like settings and are none."""

import pytest

from cli.names import given_names, setting_names, unknown_names
from core.settings import ENV_FILE_VARIABLE


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FOOTNOTE_PRT", "FOOTNOTE_PRT is not a setting; did you mean FOOTNOTE_PORT?"),
        ("footnote_broke", "footnote_broke is not a setting; did you mean FOOTNOTE_BROKER?"),
        ("FOOTNOTE_XYZZY_QUUX", "FOOTNOTE_XYZZY_QUUX is not a setting"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(name: str, told: str) -> None:
    """The nearest setting is named where one is near."""
    assert unknown_names([name, "PATH"]) == [told]


def test_settings_and_others_names_are_not_told() -> None:
    """Neither our settings in any case, nor the file's name, nor what is not ours."""
    names = [*setting_names(), "footnote_port", ENV_FILE_VARIABLE, "FOOTNOTE_PARENT", "HOME"]
    assert "FOOTNOTE_PORT" in names
    assert unknown_names(names) == []


def test_both_places_are_looked_at(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name counts wherever it stands: in the environment or in the file that is named."""
    file = tmp_path_factory.mktemp("env") / "other.env"
    file.write_text("FOOTNOTE_PRT=9000\n", "utf-8")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(file))
    monkeypatch.setenv("FOOTNOTE_BROKR", "redis")
    assert {"FOOTNOTE_PRT", "FOOTNOTE_BROKR"} <= given_names()
    monkeypatch.setenv(ENV_FILE_VARIABLE, "")
    assert "FOOTNOTE_PRT" not in given_names()
