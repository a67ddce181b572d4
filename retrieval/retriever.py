"""Retrieval as the graph sees it: a question in its conversation → ranked passages, sentences."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from core.errors import ConfigurationError
from retrieval.embeddings import Embedder, Vectors
from retrieval.lexical import question_terms
from retrieval.ranking import Passage, rank, with_sentences
from retrieval.sentences import split
from store.access import Access
from store.documents import BlockKind
from store.search import Candidate, search
from store.spaces import EmbeddingSpace, active_space

SENTENCE_PASSAGES = 12  # passages whose sentences are compared with the question
SENTENCE_CACHE = 20_000  # vectors kept in memory: 30 MB at 384 dimensions
HISTORY_TURNS = 8  # earlier turns that join the question's vector


@dataclass(frozen=True)
class Sentence:
    """A sentence of a ranked passage, with its offsets in the version's text.

    `similarity` is the cosine to the question alone, `in_conversation` to the question with the
    turns before it. `kind` is that of its block: a heading ranks its passage but says nothing
    by itself, and a table row or list item says less without what stands above it.
    """

    passage: Passage
    start: int
    end: int
    text: str
    similarity: float
    in_conversation: float
    kind: BlockKind = "paragraph"


@dataclass(frozen=True)
class Background:
    """How near the found passages are as a whole: what the best one must stand out from."""

    median_similarity: float = 0.0
    third_similarity: float = 0.0
    third_bm25: float = 0.0

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "Background":
        """Measure the candidates, before any is left out."""
        if not candidates:
            return cls()
        similarities = sorted((c.similarity for c in candidates), reverse=True)
        scores = sorted((c.bm25 for c in candidates), reverse=True)
        third = min(2, len(candidates) - 1)
        return cls(float(np.median(similarities)), similarities[third], scores[third])


@dataclass(frozen=True)
class Retrieval:
    """What was found for a question: passages best first, and the sentences of the best ones."""

    passages: tuple[Passage, ...]
    sentences: tuple[Sentence, ...]
    background: Background = Background()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is permitted, in force and near."""
        return not self.passages


class Retriever:
    """Searches one workspace with one embedder."""

    def __init__(self, engine: Engine, workspace_id: int, embedder: Embedder) -> None:
        self._engine = engine
        self._workspace_id = workspace_id
        self._embedder = embedder
        self._sentence_vectors: dict[str, NDArray[np.float32]] = {}  # oldest first
        self._lock = Lock()

    def retrieve(
        self,
        question: str,
        earlier: Sequence[str],
        access: Access,
        as_of: datetime,
        *,
        limit: int = 10,
    ) -> Retrieval:
        """Return the best `limit` passages for the question; `earlier` turns oldest first.

        Raises ConfigurationError if the workspace was embedded with another model.
        """
        space = active_space(self._engine, self._workspace_id)
        if space is None:
            return Retrieval((), ())
        self._check_model(space)
        spoken = [question, *reversed(earlier[-HISTORY_TURNS:])]
        asked, in_conversation = self._embedder.embed([question, "\n".join(spoken)])
        candidates = search(
            self._engine,
            self._workspace_id,
            space,
            access,
            as_of,
            in_conversation,
            question_terms(question, earlier),
        )
        passages = rank(candidates)
        sentences = self._sentences(passages[:SENTENCE_PASSAGES], asked, in_conversation)
        return replace(_ranked(passages, sentences, limit), background=Background.of(candidates))

    def _check_model(self, space: EmbeddingSpace) -> None:
        if (space.model, space.dimensions) != (self._embedder.model, self._embedder.dimensions):
            raise ConfigurationError(
                f"The documents were embedded with {space.model} ({space.dimensions} numbers), but"
                f" {self._embedder.model} ({self._embedder.dimensions}) is configured; set"
                " OPENAI_EMBEDDING_MODEL back, or ingest into a new FOOTNOTE_HOME."
            )

    def _sentences(
        self, passages: Sequence[Passage], asked: Vectors, in_conversation: Vectors
    ) -> list[Sentence]:
        places = [
            (passage, start, end)
            for passage in passages
            for start, end in split(passage.candidate.text)
        ]
        vectors = self._embed_sentences([p.candidate.text[s:e] for p, s, e in places])
        similarities = vectors @ np.stack([asked, in_conversation], axis=1)
        return [
            Sentence(
                passage=passage,
                start=passage.candidate.start + start,
                end=passage.candidate.start + end,
                text=passage.candidate.text[start:end],
                similarity=float(alone),
                in_conversation=float(joined),
                kind=_kind_at(passage.candidate, passage.candidate.start + start),
            )
            for (passage, start, end), (alone, joined) in zip(places, similarities, strict=True)
        ]

    def _embed_sentences(self, texts: Sequence[str]) -> Vectors:
        """Embed what is not in memory: the same passages come back for many questions."""
        with self._lock:
            known = {t: self._sentence_vectors[t] for t in texts if t in self._sentence_vectors}
        unknown = list(dict.fromkeys(text for text in texts if text not in known))
        if unknown:
            fresh = dict(zip(unknown, self._embedder.embed(unknown), strict=True))
            known |= fresh
            with self._lock:
                self._sentence_vectors |= fresh
                excess = max(0, len(self._sentence_vectors) - SENTENCE_CACHE)
                for text in list(self._sentence_vectors)[:excess]:
                    del self._sentence_vectors[text]
        rows = [known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._embedder.dimensions), np.float32)


def _ranked(passages: Sequence[Passage], sentences: Sequence[Sentence], limit: int) -> Retrieval:
    """Rank with the best sentences' similarities; keep the sentences of what is kept."""
    best: dict[int, float] = {}
    places = {id(passage): place for place, passage in enumerate(passages)}
    for sentence in sentences:
        place = places[id(sentence.passage)]
        best[place] = max(best.get(place, -1.0), sentence.similarity)
    ranked = tuple(with_sentences(passages, best)[:limit])
    by_chunk = {(p.candidate.version_id, p.candidate.ordinal): p for p in ranked}
    kept = []
    for sentence in sentences:
        candidate = sentence.passage.candidate
        passage = by_chunk.get((candidate.version_id, candidate.ordinal))
        if passage is not None:
            kept.append(replace(sentence, passage=passage))
    return Retrieval(ranked, tuple(kept))


def _kind_at(candidate: Candidate, offset: int) -> BlockKind:
    """Return the kind of the block that holds a code point of the version's text."""
    place = bisect_right(candidate.blocks, offset, key=lambda block: block[0])
    return candidate.blocks[place - 1][1] if place else "paragraph"
