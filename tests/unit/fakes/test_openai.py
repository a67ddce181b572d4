"""The local model server, asked by OpenAI's own client and by LangChain."""

import base64
import json
import math
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.fakes.embedding import embed
from tests.fakes.openai import EMPTY_REPLY, REFUSAL, Answer, OpenAIServer, ToolCall

Messages = list[Any]

HELLO: Messages = [{"role": "user", "content": "hello"}]
IN_JSON: Messages = [{"role": "user", "content": "hello, in JSON"}]


class Verdict(BaseModel):
    """What a structured answer is read into."""

    supported: bool
    quote: str


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    """A client that tries once."""
    with openai.OpenAI(api_key=server.api_key, base_url=server.url, max_retries=0) as opened:
        yield opened


def chat_model(server: OpenAIServer) -> ChatOpenAI:
    key = SecretStr(server.api_key)
    return ChatOpenAI(model="m", api_key=key, base_url=server.url, max_retries=0, temperature=0)


def ask(client: openai.OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(model="m", messages=HELLO, **options)


def test_replies_come_in_the_order_they_were_scripted(
    server: OpenAIServer, client: openai.OpenAI
) -> None:
    """Words, answers and functions of the request take turns; the requests are kept."""
    server.reply("one", Answer("two"), lambda body: f"you said {body['messages'][0]['content']}")
    said = [ask(client, seed=i).choices[0].message.content for i in range(3)]
    assert said == ["one", "two", "you said hello"]
    assert [body["seed"] for body in server.chats()] == [0, 1, 2]
    assert [asked.status for asked in server.requests] == [200] * 3


def test_without_a_script_the_call_fails(client: openai.OpenAI) -> None:
    """A test that forgot its script is told; a fallback answers any number of calls."""
    with pytest.raises(openai.InternalServerError, match=EMPTY_REPLY):
        ask(client)
    with OpenAIServer(fallback="as always") as ready:
        other = openai.OpenAI(api_key=ready.api_key, base_url=ready.url)
        assert [ask(other).choices[0].message.content for _ in range(2)] == ["as always"] * 2
        other.close()


def test_a_stream_is_made_of_words(server: OpenAIServer, client: openai.OpenAI) -> None:
    """The pieces add up to the reply, the last ones say why it ended and what it cost."""
    text = "Sale items  can be\nreturned."
    server.reply(text)
    chunks = [*ask(client, stream=True, stream_options={"include_usage": True})]
    words = [c.choices[0].delta.content for c in chunks if c.choices]
    assert "".join(word or "" for word in words) == text
    assert len([word for word in words if word]) == 5
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 5


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called(server: OpenAIServer, streamed: bool) -> None:
    """LangChain reads the calls of tools, whole and from a stream."""
    calls = (ToolCall("search", '{"query": "leave"}'), ToolCall("stop", "{}"))
    server.reply(Answer(tool_calls=calls))
    tool = {"type": "function", "function": {"name": "search", "parameters": {}}}
    model = chat_model(server).bind_tools([tool])
    if streamed:
        message: Any = None
        for piece in model.stream("find leave"):
            message = piece if message is None else message + piece
    else:
        message = model.invoke("find leave")
    assert [(c["name"], c["args"]) for c in message.tool_calls] == [
        ("search", {"query": "leave"}),
        ("stop", {}),
    ]
    assert server.chats()[0]["tools"][0]["function"]["name"] == "search"


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_structured_answers_are_read(server: OpenAIServer, method: Any) -> None:
    """The wanted format reaches the server; LangChain reads the scripted JSON."""
    server.reply('{"supported": true, "quote": "14 days"}')
    model = chat_model(server).with_structured_output(Verdict, method=method)
    assert model.invoke("in JSON, please") == Verdict(supported=True, quote="14 days")
    wanted = server.chats()[0]["response_format"]["type"]
    assert wanted == {"json_schema": "json_schema", "json_mode": "json_object"}[method]


def test_a_graph_node_streams_from_it(server: OpenAIServer) -> None:
    """LangChain's stream yields the words one after the other."""
    server.reply("Within 14 days.")
    pieces = [str(piece.content) for piece in chat_model(server).stream("when?")]
    assert [piece for piece in pieces if piece] == ["Within ", "14 ", "days."]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("401", openai.AuthenticationError),
        ("drop", openai.APIConnectionError),
        ("cut", openai.APIConnectionError),
    ],
)
def test_a_call_goes_wrong_once(
    server: OpenAIServer, client: openai.OpenAI, kind: Any, error: type[Exception]
) -> None:
    """Each fault shows as the client's own error, and the call after it works."""
    server.reply("one", "two")
    server.fail("chat", kind)
    with pytest.raises(error):
        ask(client)
    assert ask(client).choices[0].message.content


def test_a_refusal_for_the_rate_uses_up_no_reply(server: OpenAIServer) -> None:
    """Refused for its rate, the client tries again and gets the reply that was scripted."""
    server.fail("chat", "429", seconds=0)
    server.reply("at last")
    with openai.OpenAI(api_key=server.api_key, base_url=server.url, max_retries=1) as client:
        assert ask(client).choices[0].message.content == "at last"
    assert [asked.status for asked in server.requests] == [429, 200]


def test_a_model_that_hangs_is_left(server: OpenAIServer) -> None:
    """The client's timeout ends the wait, and the server ends with its test."""
    server.fail("chat", "hang", seconds=30)
    server.reply("too late")
    impatient = openai.OpenAI(
        api_key=server.api_key, base_url=server.url, max_retries=0, timeout=0.2
    )
    with impatient, pytest.raises(openai.APITimeoutError):
        ask(impatient)


def test_a_cut_stream_breaks_off(server: OpenAIServer, client: openai.OpenAI) -> None:
    """Some words arrive, then the connection ends without a last event."""
    server.reply("Sale items can be returned within 14 days of delivery.")
    server.fail("chat", "cut")
    words: list[str] = []

    def read() -> None:
        for chunk in ask(client, stream=True):
            words.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIConnectionError):
        read()
    assert "".join(words).startswith("Sale items")
    assert "delivery." not in words


def test_a_refusal_and_broken_words_are_answers(
    server: OpenAIServer, client: openai.OpenAI
) -> None:
    """They come with status 200: only who reads the message notices."""
    server.reply("unused", '{"supported": true}', "page")
    for kind in ("refusal", "malformed", "html"):
        server.fail("chat", kind)
    declined = ask(client).choices[0].message
    assert (declined.content, declined.refusal) == (None, REFUSAL)
    with pytest.raises(json.JSONDecodeError):
        json.loads(ask(client).choices[0].message.content)
    assert "<!DOCTYPE html>" in str(ask(client))
    assert [asked.status for asked in server.requests] == [200] * 3


def test_requests_that_the_service_refuses_are_refused(server: OpenAIServer) -> None:
    """Wrong key, unknown model, a format without its conditions, an unknown address."""
    with OpenAIServer(models=["known"], fallback="hi") as strict:
        client = openai.OpenAI(api_key=strict.api_key, base_url=strict.url, max_retries=0)
        create = client.chat.completions.create
        assert [model.id for model in client.models.list()] == ["known"]
        with pytest.raises(openai.BadRequestError, match="does not exist"):
            create(model="other", messages=HELLO)
        with pytest.raises(openai.BadRequestError, match="the word 'json'"):
            create(model="known", messages=HELLO, response_format={"type": "json_object"})
        assert create(
            model="known", messages=IN_JSON, response_format={"type": "json_object"}
        ).choices
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("other")
        with pytest.raises(openai.NotFoundError):
            client.moderations.create(input="hi")
        client.close()
    with (
        openai.OpenAI(api_key="sk-wrong", base_url=server.url) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        ask(stranger)


def test_embeddings_are_the_same_in_both_encodings(
    server: OpenAIServer, client: openai.OpenAI
) -> None:
    """Numbers and packed numbers agree to the precision of 32 bits; vectors have length one."""
    texts = ["annual leave", "parental leave"]
    plain = client.embeddings.create(model="e", input=texts, encoding_format="float").data
    packed = client.embeddings.create(model="e", input=texts, encoding_format="base64").data
    for text, one, other in zip(texts, plain, packed, strict=True):
        assert one.embedding == embed(text)
        raw = base64.b64decode(str(other.embedding))
        assert struct.unpack(f"<{len(one.embedding)}f", raw) == pytest.approx(one.embedding)
        assert math.hypot(*one.embedding) == pytest.approx(1.0)
    assert server.embedded() == texts * 2


def test_langchain_embeds_with_it(server: OpenAIServer) -> None:
    """Texts that share words are nearer than texts that share none."""
    embeddings = OpenAIEmbeddings(
        model="e",
        openai_api_key=SecretStr(server.api_key),
        openai_api_base=server.url,
        dimensions=128,
        check_embedding_ctx_length=False,
    )
    question = embeddings.embed_query("how much annual leave")
    near, far = embeddings.embed_documents(["annual leave is 25 days", "fire drill on Mondays"])
    assert len(near) == 128
    assert dot(question, near) > dot(question, far)


def dot(one: list[float], other: list[float]) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def test_embeddings_go_wrong_too(server: OpenAIServer, client: openai.OpenAI) -> None:
    """Faults are ordered for each kind of call apart, and empty texts are refused."""
    server.fail("embeddings", "500")
    server.reply("hi")
    assert ask(client).choices[0].message.content == "hi"
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model="e", input="leave")
    with pytest.raises(openai.BadRequestError, match="none of them empty"):
        client.embeddings.create(model="e", input=["leave", ""])


def test_a_body_that_is_not_json_is_refused(server: OpenAIServer) -> None:
    """Broken requests get a plain refusal, not a broken server."""
    key = {"Authorization": f"Bearer {server.api_key}"}
    request = urllib.request.Request(f"{server.url}/chat/completions", b"{", key)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310
    refused.value.close()
