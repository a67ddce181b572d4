"""Large corpora made of real sentences and real vectors: recombined and perturbed, never random.

Vectors drawn at random lie evenly around the sphere and would flatter or punish an index in ways
that no collection of texts does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from retrieval.embeddings import Embedder, count_tokens
from retrieval.lexical import passage_weights
from retrieval.sentences import split
from store.chunks import PassageTerms, chunk_hash
from store.documents import Block, Chunk, ParsedDocument, count_documents
from store.publish import File, publish
from store.spaces import EmbeddingSpace
from store.workspaces import ensure_workspace

CHUNKS_A_DOCUMENT = 20
SENTENCES_A_CHUNK = 7
NOISE = 0.35  # length of what is added to a real vector of length 1: cosine 0.94 to it
SEED = 20_261_121


@dataclass(frozen=True)
class Material:
    """Real sentences, and real passages with their vectors [n, dimensions]."""

    sentences: tuple[str, ...]
    vectors: NDArray[np.float32]


def gather(texts: Sequence[str], embedder: Embedder, passages: int = 400) -> Material:
    """Take sentences out of real texts, and embed some of their passages."""
    sentences = tuple(
        dict.fromkeys(text[a:b] for text in texts for a, b in split(text) if b - a > 20)
    )
    rng = np.random.default_rng(SEED)
    chosen = [
        " ".join(sentences[i] for i in rng.integers(0, len(sentences), SENTENCES_A_CHUNK))
        for _ in range(passages)
    ]
    return Material(sentences, embedder.embed(chosen))


def documents(
    material: Material, count: int, *, first: int = 0
) -> Iterator[tuple[ParsedDocument, list[PassageTerms], dict[str, NDArray[np.float32]]]]:
    """Yield `count` documents of 20 chunks, ready to publish, the same for the same numbers."""
    for number in range(first, first + count):
        rng = np.random.default_rng((SEED, number))
        yield _document(material, number, rng)


def _document(
    material: Material, number: int, rng: np.random.Generator
) -> tuple[ParsedDocument, list[PassageTerms], dict[str, NDArray[np.float32]]]:
    title = f"Seeded document {number}"
    words, blocks, passages, vectors = "", [], [], {}
    for ordinal in range(CHUNKS_A_DOCUMENT):
        picked = rng.integers(0, len(material.sentences), SENTENCES_A_CHUNK)
        passage = " ".join(material.sentences[i] for i in picked)
        start = len(words) + 2 if words else 0
        words = f"{words}\n\n{passage}" if words else passage
        blocks.append(Block("paragraph", start, start + len(passage)))
        content = f"{title}\n{passage}"
        chunk = Chunk(ordinal, start, start + len(passage), content, count_tokens(passage))
        sha256 = chunk_hash(content)
        passages.append(PassageTerms(chunk, sha256, passage_weights(content)))
        vectors[sha256] = _perturbed(material, rng)
    document = ParsedDocument(title, words, tuple(blocks), (), document_key=f"seeded-{number}")
    return document, passages, vectors


def _perturbed(material: Material, rng: np.random.Generator) -> NDArray[np.float32]:
    base = material.vectors[rng.integers(0, len(material.vectors))]
    noise = rng.standard_normal(len(base)).astype(np.float32)
    moved = base + NOISE * noise / np.linalg.norm(noise)
    return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)


def seeded_workspace(
    engine: Engine,
    material: Material,
    space_of: Callable[[int], EmbeddingSpace],
    chunks: int,
    tell: Callable[[int, int], None],
) -> int:
    """Return a workspace with at least `chunks` chunks, made once and kept for the next run."""
    workspace_id = ensure_workspace(engine, f"benchmark:{chunks}", f"benchmark of {chunks} chunks")
    # The document that a benchmark changes comes on top of the seeded ones, once.
    there = max(0, count_documents(engine, workspace_id) - 1)
    wanted = -(-chunks // CHUNKS_A_DOCUMENT)
    space = space_of(workspace_id)
    for number, (document, passages, vectors) in enumerate(
        documents(material, wanted - there, first=there), there + 1
    ):
        file = File(document.document_key or "", "text/plain", document.text.encode())
        publish(engine, workspace_id, document, file, passages, space, vectors)
        tell(number, wanted)
    return workspace_id
