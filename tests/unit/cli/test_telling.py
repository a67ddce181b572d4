"""Lines that commands print about people, the model server and the next steps."""

import pytest

from cli.doctor import check_model
from cli.members import told
from cli.up import next_steps
from core.settings import Settings
from store.access import Member
from tests.fakes.local_http import LocalServer, json_reply


@pytest.mark.parametrize(
    ("member", "line"),
    [
        (Member("U1", "member"), "U1 is a full member"),
        (Member("U2", "guest"), "U2 is a guest"),
        (
            Member("U4", "foreign", frozenset({"group:B", "channel:A"})),
            "U4 belongs to another organisation, channel:A, group:B",
        ),
    ],
)
def test_a_person_is_told_in_words(member: Member, line: str) -> None:
    """Each standing reads as English, groups and channels behind it."""
    assert told(member) == line


@pytest.mark.parametrize("samples", [True, False])
def test_only_samples_have_a_question_to_try(
    samples: bool, plain_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the sample policies nothing is said about their sale items."""
    next_steps(plain_settings, samples=samples)
    assert ("sale item" in capsys.readouterr().out) is samples


@pytest.mark.parametrize(
    ("names", "state", "words"),
    [
        ([], "limited", "lists no models"),
        (["mine"], "ok", "mine at"),
        (["other"], "error", "has no model mine"),
    ],
)
def test_a_model_server_s_list_is_told(
    names: list[str], state: str, words: str, plain_settings: Settings
) -> None:
    """A server that lists nothing may be right or wrong; one that lists others is wrong."""
    models = [{"id": n, "object": "model", "created": 0, "owned_by": "us"} for n in names]
    with LocalServer(lambda _request: json_reply({"object": "list", "data": models})) as server:
        given = {"openai_base_url": f"{server.origin}/v1", "openai_model": "mine"}
        found, detail = check_model(plain_settings.model_copy(update=given))
    assert (found, words in detail) == (state, True)
