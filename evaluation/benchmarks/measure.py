"""What is measured, and how a figure and its rival become a line."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.errors import ServiceUnavailableError
from evaluation.benchmarks.seed import Material, documents, seeded_workspace
from ingestion.chunking import chunk
from ingestion.ingest import Ingester, media_type
from ingestion.jobs import run_file_job, submit_file
from ingestion.parse import parse
from retrieval.embeddings import Embedder, count_tokens
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.publish import File, publish
from store.spaces import EmbeddingSpace, ensure_space
from store.workspaces import delete_workspace, ensure_workspace

PEERS = Path(__file__).parent / "peers"
PEER_TIMEOUT = 900.0  # seconds
STORED_DOCUMENTS = 250  # of 20 chunks each
CHANGED = "a wombat may be brought to work on the second Thursday of a month"
QUESTION = "When may a wombat be brought to work?"


@dataclass(frozen=True)
class Figure:
    """One comparison: ours and the rival's, and what the ratio should reach."""

    name: str
    ours: float
    unit: str
    rival: float | None = None
    rival_name: str = ""
    aim: str = ""

    @property
    def ratio(self) -> float | None:
        """Return ours as a multiple of the rival's."""
        return self.ours / self.rival if self.rival else None

    def to_json(self) -> dict[str, Any]:
        """Return the figure as JSON types."""
        return {
            "name": self.name,
            "ours": self.ours,
            "unit": self.unit,
            "rival": self.rival,
            "rival_name": self.rival_name,
            "ratio": self.ratio,
            "aim": self.aim,
        }


Tell = Callable[[int, int], None]


def ingest_speed(engine: Engine, embedder: Embedder, files: Sequence[Path]) -> list[Figure]:
    """Compare ingestion from file to published version with the bare embedder, in tokens."""
    contents = [(path.name, path.read_bytes()) for path in files]
    parsed = [parse(name, data) for name, data in contents]
    pieces = [[c.content for c in chunk(document, count_tokens)] for document in parsed]
    tokens = sum(count_tokens(content) for document in pieces for content in document)
    began = time.perf_counter()
    for document in pieces:
        embedder.embed(document)
    bare = tokens / (time.perf_counter() - began)
    delete_workspace(engine, "benchmark:ingest")
    ingester = Ingester(engine, ensure_workspace(engine, "benchmark:ingest"), embedder)
    began = time.perf_counter()
    for number, (name, data) in enumerate(contents):
        ingester.ingest(File(f"{number}-{name}", media_type(name), data))
    whole = tokens / (time.perf_counter() - began)
    delete_workspace(engine, "benchmark:ingest")
    return [Figure("ingest end to end", whole, "tokens/s", bare, "bare embedder", "at least 0.9")]


def store_speed(
    engine: Engine, material: Material, dimensions: int, url: str, python: Path | None
) -> list[Figure]:
    """Compare storing chunks, vectors given and all indexes there, with langchain-postgres."""
    made = list(documents(material, STORED_DOCUMENTS))
    rows = sum(len(passages) for _, passages, _ in made)
    delete_workspace(engine, "benchmark:store")
    workspace_id = ensure_workspace(engine, "benchmark:store")
    space = ensure_space(engine, workspace_id, "benchmark", dimensions)
    began = time.perf_counter()
    for document, passages, vectors in made:
        file = File(document.document_key or "", "text/plain", document.text.encode())
        publish(engine, workspace_id, document, file, passages, space, vectors)
    ours = rows / (time.perf_counter() - began)
    delete_workspace(engine, "benchmark:store")
    rival = None
    if python is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as given:
            for _, passages, vectors in made:
                for passage in passages:
                    vector = vectors[passage.sha256].astype(float).round(6).tolist()
                    given.write(json.dumps([passage.chunk.content, vector]) + "\n")
            given.flush()
            rival = peer(python, "store", url, given.name)["rows_per_second"]
    return [Figure("storing", ours, "chunks/s", rival, "langchain-postgres hybrid", "at least 2")]


def embed_speed(
    embedders: Sequence[tuple[str, Embedder]], texts: Sequence[str], python: Path | None
) -> list[Figure]:
    """Compare embedders, one thread each, with sentence-transformers on torch."""
    tokens = sum(count_tokens(text) for text in texts)
    rival = None
    if python is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as given:
            json.dump(list(texts), given)
            given.flush()
            rival = tokens / peer(python, "embed", given.name)["seconds"]
    figures = []
    for name, embedder in embedders:
        embedder.embed(texts[:4])
        began = time.perf_counter()
        embedder.embed(texts)
        ours = tokens / (time.perf_counter() - began)
        aim = "at least 2" if "int8" in name else "at least 1.1"
        figures.append(
            Figure(name, ours, "tokens/s", rival, "sentence-transformers/torch, same threads", aim)
        )
    return figures


def change_cost(
    engine: Engine,
    material: Material,
    embedder: Embedder,
    sizes: Sequence[int],
    tell: Tell,
) -> list[Figure]:
    """Change one paragraph of one document in corpora of several sizes.

    Gives the chunks embedded for it, and the seconds from handing over the file to the first
    question that is answered from the new words.
    """

    def space_of(workspace_id: int) -> EmbeddingSpace:
        return ensure_space(engine, workspace_id, embedder.model, embedder.dimensions)

    figures = []
    smallest: float | None = None
    for size in sizes:
        workspace_id = seeded_workspace(engine, material, space_of, size, tell)
        seconds, embedded = _change_once(engine, workspace_id, material, embedder)
        figures += [
            Figure(f"one paragraph changed among {size:,}", embedded, "chunks embedded",
                   aim="at most 3"),
            Figure(f"until it is answered from, among {size:,}", seconds, "s", smallest,
                   f"among {sizes[0]:,}", "at most 2 s, not growing"),
        ]  # fmt: skip
        smallest = smallest or seconds
    return figures


def _change_once(
    engine: Engine, workspace_id: int, material: Material, embedder: Embedder
) -> tuple[float, int]:
    ingester = Ingester(engine, workspace_id, embedder)
    retriever = Retriever(engine, workspace_id, embedder)
    stamp = datetime.now(UTC).isoformat()
    before = _handbook(material, "Nothing may be brought.", stamp)
    submitted = submit_file(engine, workspace_id, File("handbook.md", "text/markdown", before))
    run_file_job(ingester, submitted)
    retriever.retrieve(QUESTION, [], OPERATOR_ACCESS, datetime.now(UTC))  # warm
    after = _handbook(material, f"By our rules {CHANGED}, at {stamp}.", stamp)
    began = time.perf_counter()
    job = submit_file(engine, workspace_id, File("handbook.md", "text/markdown", after))
    report = run_file_job(ingester, job)
    while True:
        found = retriever.retrieve(QUESTION, [], OPERATOR_ACCESS, datetime.now(UTC))
        if any(stamp in passage.candidate.text for passage in found.passages[:3]):
            break
        if time.perf_counter() - began > PEER_TIMEOUT:
            raise ServiceUnavailableError("The changed words were not found; the index is wrong.")
    return time.perf_counter() - began, report.embedded if report is not None else 0


def _handbook(material: Material, rule: str, stamp: str) -> bytes:
    """Return a document of 30 sections, one of which holds `rule`."""
    parts = [f"# Handbook of {stamp}"]
    for number in range(30):
        picked = material.sentences[number * 9 : number * 9 + 9]
        parts.append(f"## Part {number}\n\n" + " ".join(picked))
        if number == 15:
            parts.append(rule)
    return "\n\n".join(parts).encode()


def peer(python: Path, name: str, *arguments: str) -> Any:
    """Run one of the peers' scripts with the Python that has them; return what it printed."""
    try:
        done = subprocess.run(
            [python, PEERS / f"{name}.py", *arguments],
            capture_output=True,
            encoding="utf-8",
            timeout=PEER_TIMEOUT,
            check=True,
        )
    except FileNotFoundError as error:
        raise ServiceUnavailableError(f"{python} is not there; name the peers' Python.") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = (str(error.stderr or "").strip().splitlines() or ["it said nothing"])[-1]
        raise ServiceUnavailableError(f"The peer {name} failed: {told}.") from error
    return json.loads(done.stdout.splitlines()[-1])
