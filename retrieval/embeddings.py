"""Turns texts into vectors: MiniLM on this machine's CPU, or an OpenAI-compatible endpoint."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from openai import OpenAI, OpenAIError
from tokenizers import Tokenizer

from core.errors import ConfigurationError, ServiceUnavailableError
from core.settings import Settings
from retrieval import minilm

MAX_TOKENS = 256  # MiniLM's own limit; what follows is not seen by the model
ENDPOINT_BATCH = 128  # texts a request
ENDPOINT_RETRIES = 2
ENDPOINT_TIMEOUT = 20.0  # seconds
MINILM = "all-MiniLM-L6-v2"  # with int8 matrices
MINILM_FLOAT = "all-MiniLM-L6-v2-fp32"

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Texts to float32 vectors of length 1, one row a text."""

    model: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return an array [len(texts), dimensions]."""


@cache
def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(minilm.package_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def count_tokens(text: str) -> int:
    """Return MiniLM's number of word pieces in `text`, without the two special tokens.

    Chunks are measured in these whatever model embeds them, so that a change of the embedding
    model leaves the chunks as they are.
    """
    return len(_tokenizer().encode(text, add_special_tokens=False).ids)


class MiniLMEmbedder:
    """all-MiniLM-L6-v2 (English) on ONNX Runtime."""

    dimensions = minilm.HIDDEN

    def __init__(self, cache_folder: Path, *, threads: int = 1, quantised: bool = True) -> None:
        """Load the model, building its graph into `cache_folder` at first use."""
        self.model = MINILM if quantised else MINILM_FLOAT
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning pool starves other processes on a small machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = minilm.build(cache_folder, quantised=quantised)
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors [len(texts), 384]; texts over 256 tokens are cut there.

        Each text runs alone: rounding goes by the range of all that runs together, so that in a
        batch a vector would depend on its company (cosine down to 0.98). On one thread it is
        faster besides: 41 passages of 190 tokens a second against 31.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, encoding in enumerate(_tokenizer().encode_batch(list(texts))):
            vectors[row] = self._run(encoding.ids)
        return vectors

    def _run(self, tokens: list[int]) -> Vectors:
        if len(tokens) > MAX_TOKENS:
            tokens = tokens[: MAX_TOKENS - 1] + tokens[-1:]
        ids = np.array([tokens], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return np.asarray(self._session.run(["vectors"], fed)[0][0], dtype=np.float32)


class EndpointEmbedder:
    """Any endpoint that speaks OpenAI's embeddings API."""

    def __init__(self, client: OpenAI, model: str) -> None:
        """Ask the endpoint once for its dimensions; raises ServiceUnavailableError."""
        self._client = client
        self.model = model
        self.dimensions = 0
        self.dimensions = self.embed(["dimensions"]).shape[1]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors [len(texts), dimensions], scaled to length 1."""
        rows: list[list[float]] = []
        for start in range(0, len(texts), ENDPOINT_BATCH):
            rows += self._request(list(texts[start : start + ENDPOINT_BATCH]))
        vectors = np.asarray(rows, dtype=np.float32).reshape(len(texts), self.dimensions or -1)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)

    def _request(self, texts: list[str]) -> list[list[float]]:
        asked = [text if text.strip() else "." for text in texts]  # an empty one is refused
        try:
            response = self._client.embeddings.create(model=self.model, input=asked)
            rows = [item.embedding for item in sorted(response.data, key=lambda i: i.index)]
        except OpenAIError as error:
            raise self._failed(type(error).__name__) from error
        except (AttributeError, TypeError, ValueError) as error:  # it has another shape
            raise self._failed("its answer is not an embeddings API's") from error
        expected = self.dimensions or (len(rows[0]) if rows else 0)
        if len(rows) != len(texts) or any(len(row) != expected for row in rows):
            raise self._failed(
                f"it sent {len(rows)} vectors for {len(texts)} texts, or of a size"
                f" that is not {expected}"
            )
        return rows

    def _failed(self, reason: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"The embedding endpoint failed ({reason}); check OPENAI_BASE_URL,"
            " OPENAI_API_KEY and OPENAI_EMBEDDING_MODEL."
        )


Named = Callable[[str], Embedder]
"""Opens the embedder of a model by the name that an embedding space has it under."""


def configured_model(settings: Settings) -> str:
    """Return the model that a new workspace is embedded with."""
    return settings.openai_embedding_model or MINILM


def open_embedder(settings: Settings, model: str | None = None, *, threads: int = 1) -> Embedder:
    """Return the embedder of a model: MiniLM in one of its two forms, else the endpoint's.

    Without a name it is the configured one. Raises ServiceUnavailableError where the endpoint
    does not serve it, ConfigurationError where there is none and the model is not ours.
    """
    model = model or configured_model(settings)
    if model in (MINILM, MINILM_FLOAT):
        return MiniLMEmbedder(settings.home / "cache", threads=threads, quantised=model == MINILM)
    if not settings.has_model:
        raise ConfigurationError(
            f"There is no model {model} on this machine: {MINILM} and {MINILM_FLOAT} are; for"
            " others set OPENAI_BASE_URL or OPENAI_API_KEY."
        )
    key = settings.openai_api_key
    client = OpenAI(
        api_key=key.get_secret_value() if key else "none",
        base_url=settings.openai_base_url,
        timeout=ENDPOINT_TIMEOUT,
        max_retries=ENDPOINT_RETRIES,
    )
    return EndpointEmbedder(client, model)


class Embedders:
    """Opens each model once: the documents' own may be another than the configured one."""

    def __init__(self, settings: Settings, *opened: Embedder, threads: int = 1) -> None:
        """Know those that are `opened` already."""
        self._settings = settings
        self._threads = threads
        self._opened = {embedder.model: embedder for embedder in opened}
        self._lock = Lock()

    def named(self, model: str) -> Embedder:
        """Return the embedder of a model. Raises ServiceUnavailableError."""
        with self._lock:
            if model not in self._opened:
                self._opened[model] = open_embedder(self._settings, model, threads=self._threads)
            return self._opened[model]
