"""What `ask` makes of its options."""

import json
from pathlib import Path

import pytest

from cli.ask import asking, read_history
from core.errors import ConfigurationError
from store.access import EVERYONE, EXTERNAL, OPERATOR_ACCESS, Member
from store.conversations import Turn

ROWS = [
    {"role": "customer", "text": "See https://a.example//b/./c"},
    {"role": "agent", "text": "Yes “it” is."},
    {"role": "user", "text": "And?"},
    {"role": "assistant", "text": "No."},
]
TURNS = (
    Turn("asker", "See https://a.example//b/./c"),
    Turn("footnote", "Yes “it” is."),
    Turn("asker", "And?"),
    Turn("footnote", "No."),
)


def test_a_history_is_json_itself_or_a_file_of_it(tmp_path: Path) -> None:
    """Both give the same turns, whoever the roles are called."""
    path = tmp_path / "history.json"
    path.write_text(json.dumps(ROWS, ensure_ascii=False), "utf-8")

    assert read_history(json.dumps(ROWS)) == TURNS
    assert read_history(f"  {json.dumps(ROWS)}") == TURNS
    assert read_history(str(path)) == TURNS


@pytest.mark.parametrize(
    "given", ["[", "[1]", '[{"role": "user"}]', '[{"text": "x"}]', '[{"role": [], "text": "x"}]']
)
def test_what_is_no_list_of_turns_is_told(given: str) -> None:
    """The sentence shows the form that is wanted."""
    with pytest.raises(ConfigurationError, match="JSON list"):
        read_history(given)


@pytest.mark.parametrize("name", ["nowhere.json", ".", "latin.json"])
def test_a_file_that_cannot_be_read_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, a folder, or not UTF-8."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'[{"role": "user", "text": "\xe9"}]')
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_history(name)


def test_without_a_user_an_operator_asks() -> None:
    """In private with all that members may read; in a channel with the channel's documents too."""
    assert asking(None, None, None) == OPERATOR_ACCESS
    here = asking(None, None, "C1")
    assert "channel:C1" in here.asker
    assert "channel:C1" in here.place


def test_a_user_asks_with_their_own_standing() -> None:
    """Unknown people and guests see what is external, members their groups' documents too."""
    guest = Member("U1", "guest", frozenset({"group:S1"}))
    member = Member("U2", "member", frozenset({"group:S1"}))

    assert asking("U0", None, None).asker == {EXTERNAL}
    assert asking("U1", guest, "C1").asker == {EXTERNAL}
    assert asking("U2", member, None).asker == {EVERYONE, EXTERNAL, "group:S1"}
