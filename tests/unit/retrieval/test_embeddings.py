"""An embeddings endpoint: batches in order, length one, every failure in a sentence."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from pytest_httpserver import HTTPServer

from core.errors import ServiceUnavailableError
from core.settings import Settings
from retrieval import minilm
from retrieval.embeddings import ENDPOINT_BATCH, EndpointEmbedder, open_embedder
from tests.fakes.embedding import DIMENSIONS, embed
from tests.fakes.openai import OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def endpoint(url: str, key: str = "none") -> EndpointEmbedder:
    client = openai.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=5)
    return EndpointEmbedder(client, "m")


@pytest.fixture
def embedder(server: OpenAIServer) -> EndpointEmbedder:
    return endpoint(server.url, server.api_key)


def test_the_endpoint_is_asked_for_its_dimensions(embedder: EndpointEmbedder) -> None:
    """Once, at the start, so that a space of the right size can be made."""
    assert (embedder.model, embedder.dimensions) == ("m", DIMENSIONS)


def test_texts_keep_their_order_over_batches(
    server: OpenAIServer, embedder: EndpointEmbedder
) -> None:
    """More texts than a request takes come back row by row, each request within the limit."""
    texts = [f"rule number {n}" for n in range(ENDPOINT_BATCH * 2 + 3)]
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), DIMENSIONS)
    assert vectors.dtype == np.float32
    expected = np.array([embed(text, DIMENSIONS) for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(vectors - expected).max() < 1e-6
    assert [len(asked.body["input"]) for asked in server.requests] == [
        1, ENDPOINT_BATCH, ENDPOINT_BATCH, 3
    ]  # fmt: skip


def test_no_texts_ask_nothing(server: OpenAIServer, embedder: EndpointEmbedder) -> None:
    """An unchanged document embeds nothing: no request, an empty array of the right width."""
    assert embedder.embed([]).shape == (0, DIMENSIONS)
    assert len(server.requests) == 1


def test_an_empty_text_has_a_vector(embedder: EndpointEmbedder) -> None:
    """The service refuses empty texts, so they are not sent to it as such."""
    vectors = embedder.embed(["", " \n", "leave"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["429", "500", "401", "drop", "cut", "html"])
def test_a_failing_endpoint_is_told(
    kind: Any, server: OpenAIServer, embedder: EndpointEmbedder
) -> None:
    """Whatever goes wrong becomes one sentence that says what to check, without the key."""
    server.fail("embeddings", kind)
    with pytest.raises(
        ServiceUnavailableError, match=r"^The embedding endpoint failed \(.+\); ch"
    ):
        embedder.embed(["leave"])
    assert embedder.embed(["leave"]).shape == (1, DIMENSIONS)


def test_an_endpoint_that_is_not_there_is_told() -> None:
    """Where nobody listens the start fails with the same sentence."""
    with pytest.raises(ServiceUnavailableError, match="check OPENAI_BASE_URL"):
        endpoint("http://127.0.0.1:1/v1")


def _rows(*rows: tuple[int, list[float]]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in rows]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "model": "m", "data": data, "usage": usage}


def test_rows_are_put_in_the_order_of_their_texts(httpserver: HTTPServer) -> None:
    """A server may answer in any order: each row says which text it belongs to."""
    path = "/v1/embeddings"
    httpserver.expect_ordered_request(path).respond_with_json(_rows((0, [1, 0])))
    httpserver.expect_ordered_request(path).respond_with_json(_rows((1, [0, 2]), (0, [3, 0])))
    embedder = endpoint(httpserver.url_for("/v1"))
    assert embedder.embed(["a", "b"]).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_rows((0, [1, 0])), id="a row too few"),
        pytest.param(_rows(*((n, [1.0, 0.0]) for n in range(4))), id="rows too many"),
        pytest.param(_rows((0, [1, 0]), (1, [1, 0, 0]), (2, [1])), id="rows of several sizes"),
        pytest.param(
            _rows(*((n, [1.0, 0.0, 0.0]) for n in range(3))), id="another size than before"
        ),
        pytest.param({"object": "list", "model": "m"}, id="no rows"),
        pytest.param({"error": "later"}, id="another API"),
    ],
)
def test_rows_that_do_not_fit_are_told(answer: dict[str, Any], httpserver: HTTPServer) -> None:
    """A number or a size of rows that was not asked for is refused, never reshaped."""
    httpserver.expect_ordered_request("/v1/embeddings").respond_with_json(_rows((0, [1, 0])))
    httpserver.expect_ordered_request("/v1/embeddings").respond_with_json(answer)
    embedder = endpoint(httpserver.url_for("/v1"))
    with pytest.raises(ServiceUnavailableError, match="The embedding endpoint failed"):
        embedder.embed(["a", "b", "c"])


def test_a_named_model_is_asked_at_its_address(
    server: OpenAIServer, plain_settings: Settings
) -> None:
    """With a model's name the endpoint embeds; without, MiniLM does, here."""
    named = {"openai_embedding_model": "m", "openai_base_url": server.url}
    settings = plain_settings.model_copy(update=named)
    with pytest.raises(ServiceUnavailableError, match="AuthenticationError"):
        open_embedder(settings)


def test_without_a_name_minilm_embeds(plain_settings: Settings, embedder_cache: Path) -> None:
    """The default needs no server and keeps its graph under FOOTNOTE_HOME."""
    built = minilm.build(embedder_cache)
    kept = plain_settings.home / "cache" / built.name
    kept.parent.mkdir(parents=True)
    shutil.copy(built, kept)
    embedder = open_embedder(plain_settings)
    assert (embedder.model, embedder.dimensions) == ("all-MiniLM-L6-v2", 384)
    assert list(kept.parent.iterdir()) == [kept]
