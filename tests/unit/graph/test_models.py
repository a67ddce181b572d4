"""Talking to a model: how it is asked, and that every failure becomes one plain cause."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from core.settings import Settings, load_settings
from graph.models import GeneratedAnswer, ModelError, ask_model, open_model
from tests.fakes.local_http import LocalServer, Reply
from tests.fakes.openai import OpenAIServer

CLAIM = {"text": "Lamps go back.", "passage": 1, "quote": "lamps go back"}
GOOD = json.dumps({"claims": [CLAIM]})
HURRY = 0.4  # seconds for one call


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A model that answers well."""
    with OpenAIServer(fallback=GOOD) as made:
        yield made


def settings_for(url: str, key: str = "sk-any", **changes: object) -> Settings:
    """Settings that ask the model at `url`."""
    values = {"openai_base_url": url, "openai_api_key": SecretStr(key), "model_timeout": HURRY}
    return load_settings().model_copy(update=values | changes)


def asked(settings: Settings) -> Any:
    """Ask the configured model for claims."""
    model = open_model(settings)
    assert model is not None
    return ask_model(model, [("system", "Rules."), ("user", "Why?")], GeneratedAnswer)


def test_without_key_and_address_there_is_no_model() -> None:
    """Nothing is asked where nothing is configured."""
    assert open_model(load_settings()) is None


def test_an_address_alone_is_enough() -> None:
    """A local server without a key is a model; another name may be asked for."""
    settings = load_settings().model_copy(update={"openai_base_url": "http://127.0.0.1:1/v1"})
    model = open_model(settings, "styler")

    assert model is not None
    assert model.model_name == "styler"


def test_a_reply_comes_in_its_form_with_its_tokens(server: OpenAIServer) -> None:
    """The form is sent as a strict schema; the tokens used come back."""
    generated, tokens = asked(settings_for(server.url, server.api_key))

    assert [claim.model_dump() for claim in generated.claims] == [CLAIM]
    assert tokens["input"] > 0
    assert tokens["output"] > 0
    (request,) = server.chats()
    assert request["response_format"]["json_schema"]["strict"] is True
    assert "tools" not in request


@pytest.mark.parametrize(
    ("fault", "cause", "requests"),
    [
        ("500", "trouble of its own", 2),
        ("429", "limit is reached", 1),
        ("401", "key was refused", 1),
        ("hang", "in time", 2),
        ("refusal", "refused", 1),
        ("malformed", "could not be used", 1),
        ("html", "could not be used", 1),
    ],
)
def test_a_failure_has_one_plain_cause(
    server: OpenAIServer, fault: Any, cause: str, requests: int
) -> None:
    """What may pass is tried twice; a rate limit is not waited for with somebody waiting."""
    server.fail("chat", fault, times=5, seconds=3 * HURRY)
    with pytest.raises(ModelError, match=cause) as failed:
        asked(settings_for(server.url, server.api_key))

    assert len(server.requests) <= requests
    assert "sk-" not in str(failed.value)


def test_a_server_that_is_away_is_told(server: OpenAIServer) -> None:
    """Nothing listens: the cause is the connection."""
    with pytest.raises(ModelError, match="cannot be reached"):
        asked(settings_for("http://127.0.0.1:1/v1"))
    assert server.requests == []


@pytest.mark.parametrize(
    "body",
    ["<html>", "[]", "{}", "null", "3", '{"choices": []}', '{"choices": [{"message": null}]}',
     '{"error": {"message": "x"}}'],
)  # fmt: skip
def test_a_reply_of_any_other_shape_is_no_crash(body: str) -> None:
    """A gateway may answer 200 with anything at all."""
    with (
        LocalServer(lambda _: Reply(200, body.encode())) as server,
        pytest.raises(ModelError, match="could not be"),
    ):
        asked(settings_for(f"{server.origin}/v1"))


@pytest.mark.parametrize(
    "claims", ['{"claims": 3}', '{"claims": [{"text": 1}]}', '{"answer": "x"}', '"claims"']
)
def test_json_of_another_form_is_no_answer(server: OpenAIServer, claims: str) -> None:
    """The reply must be claims with text, passage and quote."""
    server.reply(claims)
    with pytest.raises(ModelError):
        asked(settings_for(server.url, server.api_key))
