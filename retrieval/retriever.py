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
from retrieval.embeddings import Embedder, Named, Vectors
from retrieval.glossary import Added, CurrentGlossary
from retrieval.lexical import question_terms
from retrieval.query_adapter import Adapted, Adapters
from retrieval.ranking import Passage, rank, with_sentences
from retrieval.sentences import split
from store.access import Access
from store.documents import BlockKind
from store.search import Candidate, search
from store.spaces import EmbeddingSpace, SpaceGoneError, active_space

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
    """How near the found passages are as a whole: what the best one must stand out from.

    Similarities are those to the question as it was embedded, whatever turned it for the search.
    """

    median_similarity: float = 0.0
    third_similarity: float = 0.0
    third_bm25: float = 0.0

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "Background":
        """Measure the candidates, before any is left out."""
        if not candidates:
            return cls()
        similarities = sorted((c.cosine for c in candidates), reverse=True)
        scores = sorted((c.bm25 for c in candidates), reverse=True)
        third = min(2, len(candidates) - 1)
        return cls(float(np.median(similarities)), similarities[third], scores[third])


@dataclass(frozen=True)
class Retrieval:
    """What was found for a question: passages best first, and the sentences of the best ones.

    `expanded` is what the glossary added to the question; it changes the search alone.
    `adapted` names the query adapter that is in use, None for none.
    """

    passages: tuple[Passage, ...]
    sentences: tuple[Sentence, ...]
    background: Background = Background()
    expanded: tuple[Added, ...] = ()
    adapted: Adapted | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is permitted, in force and near."""
        return not self.passages


class Retriever:
    """Searches one workspace, whose embedding model may change while it is asked."""

    def __init__(
        self,
        engine: Engine,
        workspace_id: int,
        embedder: Embedder,
        named: Named | None = None,
        adapters: Adapters | None = None,
    ) -> None:
        """Search with `embedder`, or with what `named` opens for the workspace's own model.

        `adapters` knows the trained adapter that turns questions, if any.
        """
        self._engine = engine
        self._workspace_id = workspace_id
        self._embedder = embedder
        self._named = named
        self._adapters = adapters
        self._glossary = CurrentGlossary(engine, workspace_id)
        self._sentence_vectors: dict[tuple[str, str], NDArray[np.float32]] = {}  # oldest first
        self._lock = Lock()

    def retrieve(
        self,
        question: str,
        earlier: Sequence[str],
        access: Access,
        as_of: datetime,
        *,
        limit: int = 10,
        conversation: str | None = None,
    ) -> Retrieval:
        """Return the best `limit` passages for the question; `earlier` turns oldest first.

        `conversation` is the key by which a trained adapter on trial is chosen. Raises
        ConfigurationError if the workspace is embedded with a model that is not had here.
        """
        space = active_space(self._engine, self._workspace_id)
        if space is None:
            return Retrieval((), ())
        try:
            return self._search(space, question, earlier, access, as_of, limit, conversation)
        except SpaceGoneError:  # another took its place between the two statements
            now_active = active_space(self._engine, self._workspace_id) or space
            return self._search(now_active, question, earlier, access, as_of, limit, conversation)

    def _search(
        self,
        space: EmbeddingSpace,
        question: str,
        earlier: Sequence[str],
        access: Access,
        as_of: datetime,
        limit: int,
        conversation: str | None,
    ) -> Retrieval:
        embedder = self._embedder_of(space)
        wanted = self._glossary.now().expand(question, earlier)
        spoken = [wanted.question, *reversed(wanted.earlier[-HISTORY_TURNS:])]
        asked, in_conversation = embedder.embed([wanted.question, "\n".join(spoken)])
        sought, adapted = in_conversation, None
        if self._adapters is not None:
            sought, adapted = self._adapters.turn(in_conversation, embedder, conversation)
        candidates = search(
            self._engine,
            self._workspace_id,
            space,
            access,
            as_of,
            sought,
            wanted.joined(question_terms(question, earlier)),
            plain=in_conversation,
        )
        passages = rank(candidates)
        sentences = self._sentences(embedder, passages[:SENTENCE_PASSAGES], asked, in_conversation)
        return replace(
            _ranked(passages, sentences, limit),
            background=Background.of(candidates),
            expanded=wanted.added,
            adapted=adapted,
        )

    def _embedder_of(self, space: EmbeddingSpace) -> Embedder:
        """Return what embeds questions for a space."""
        if space.model == self._embedder.model:
            return self._embedder
        if self._named is None:
            raise ConfigurationError(
                f"The documents were embedded with {space.model} ({space.dimensions} numbers), but"
                f" {self._embedder.model} ({self._embedder.dimensions}) is configured; set"
                " OPENAI_EMBEDDING_MODEL back, or ingest into a new FOOTNOTE_HOME."
            )
        return self._named(space.model)

    def _sentences(
        self,
        embedder: Embedder,
        passages: Sequence[Passage],
        asked: Vectors,
        in_conversation: Vectors,
    ) -> list[Sentence]:
        places = [
            (passage, start, end)
            for passage in passages
            for start, end in split(passage.candidate.text)
        ]
        vectors = self._embed_sentences(embedder, [p.candidate.text[s:e] for p, s, e in places])
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

    def _embed_sentences(self, embedder: Embedder, texts: Sequence[str]) -> Vectors:
        """Embed what is not in memory: the same passages come back for many questions."""
        keys = [(embedder.model, text) for text in texts]
        with self._lock:
            known = {k: self._sentence_vectors[k] for k in keys if k in self._sentence_vectors}
        unknown = list(dict.fromkeys(key for key in keys if key not in known))
        if unknown:
            rows = embedder.embed([text for _, text in unknown])
            fresh = dict(zip(unknown, rows, strict=True))
            known |= fresh
            with self._lock:
                self._sentence_vectors |= fresh
                excess = max(0, len(self._sentence_vectors) - SENTENCE_CACHE)
                for key in list(self._sentence_vectors)[:excess]:
                    del self._sentence_vectors[key]
        vectors = [known[key] for key in keys]
        return np.stack(vectors) if vectors else np.zeros((0, embedder.dimensions), np.float32)


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
