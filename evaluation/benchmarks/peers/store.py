"""Stores given vectors with langchain-postgres' hybrid table and the same index."""

import json
import sys
import time
from pathlib import Path

from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig
from langchain_postgres.v2.indexes import HNSWIndex

TABLE = "langchain_benchmark"
BATCH = 20  # rows a call, as many as our publications have


class Given(Embeddings):
    """Never asked: the vectors are given."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


def main(url: str, given: str) -> None:
    """Print rows a second, with the text and vector indexes there from the start."""
    rows = [json.loads(line) for line in Path(given).read_text(encoding="utf-8").splitlines()]
    engine = PGEngine.from_connection_string(url)
    hybrid = HybridSearchConfig(tsv_column="content_tsv", tsv_lang="pg_catalog.english")
    engine.init_vectorstore_table(
        TABLE,
        len(rows[0][1]),
        overwrite_existing=True,
        metadata_columns=[Column("source", "TEXT")],
        hybrid_search_config=hybrid,
    )
    store = PGVectorStore.create_sync(
        engine,
        Given(),
        TABLE,
        metadata_columns=["source"],
        hybrid_search_config=hybrid,
    )
    store.apply_vector_index(HNSWIndex(m=16, ef_construction=64))
    store.apply_hybrid_search_index()
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        store.add_embeddings(
            [row[0] for row in batch],
            [row[1] for row in batch],
            metadatas=[{"source": "benchmark"}] * len(batch),
        )
    seconds = time.perf_counter() - began
    engine.drop_table(TABLE)
    print(json.dumps({"rows_per_second": len(rows) / seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
