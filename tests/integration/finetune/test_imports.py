"""Files of transcripts in the database: all of a file or nothing, and never twice."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from finetune.import_rows import TranscriptFileError
from finetune.imports import import_file
from store import tables
from store.audit import read_audit
from store.transcripts import CURATE_TRANSCRIPTS, list_transcripts


def written(path: Path, count: int, *, bad: int = 0) -> Path:
    """Write a file of so many exchanges, and then bad rows."""
    rows = [
        json.dumps(
            {
                "id": f"r{number}",
                "messages": [
                    {"role": "customer", "text": f"Question {number}?"},
                    {"role": "agent", "text": "Of course."},
                ],
            }
        )
        for number in range(count)
    ]
    path.write_text("\n".join([*rows, *["{"] * bad]), encoding="utf-8")
    return path


def test_a_file_is_kept_once(engine: Engine, workspace_id: int, tmp_path: Path) -> None:
    """With its name, who may see it and a first pass; the same again adds nothing."""
    path = written(tmp_path / "star chat.jsonl", 450)
    first = import_file(engine, workspace_id, path, actor="U9", audience=["everyone"])
    assert (first.read, first.added, first.bad) == (450, 450, 0)
    again = import_file(engine, workspace_id, path, actor="U9")
    assert again.to_json()["known"] == 450
    kept = list_transcripts(engine, workspace_id, limit=None)
    assert len(kept) == 450
    assert (kept[0].origin_key, kept[0].audience) == ("star-chat.jsonl:r0", ("everyone",))
    with engine.connect() as connection:
        kinds = connection.execute(select(tables.jobs.c.kind)).scalars().all()
    assert kinds == [CURATE_TRANSCRIPTS]
    entry = read_audit(engine, workspace_id)[-1]
    assert (entry.actor, entry.action, entry.detail["added"]) == (
        "U9",
        "transcripts imported",
        450,
    )


def test_a_bad_row_keeps_all_others_out(engine: Engine, workspace_id: int, tmp_path: Path) -> None:
    """Also those that were written before it was met; unless they are to be skipped."""
    path = written(tmp_path / "f.jsonl", 450, bad=30)
    with pytest.raises(
        TranscriptFileError, match=r"30 rows cannot be read.*Row 451: It is no JSON"
    ):
        import_file(engine, workspace_id, path, actor="U9")
    assert list_transcripts(engine, workspace_id) == []
    with engine.connect() as connection:
        assert connection.execute(select(tables.jobs.c.id)).all() == []
    done = import_file(engine, workspace_id, path, actor="U9", skip_bad=True)
    assert (done.added, done.bad, len(done.problems)) == (450, 30, 20)


def test_a_file_without_exchanges_is_refused(
    engine: Engine, workspace_id: int, tmp_path: Path
) -> None:
    """An empty one, and one in which every row is bad."""
    for name, bad in (("empty", 0), ("bad", 2)):
        with pytest.raises(TranscriptFileError, match=r"nothing was imported|neither JSON"):
            import_file(
                engine,
                workspace_id,
                written(tmp_path / name, 0, bad=bad),
                actor="U9",
                skip_bad=True,
            )
