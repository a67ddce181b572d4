"""The glossary as an operator keeps it."""

import json
from pathlib import Path

from tests.acceptance.processes import Finished, Footnote


def test_a_glossary_is_kept_at_the_terminal(installed: Footnote, tmp_path: Path) -> None:
    """Entries are imported, added, listed, dismissed, taken back, exported and removed."""

    def glossary(*arguments: str | Path) -> Finished:
        return installed.run("glossary", *arguments)

    file = tmp_path / "ours.csv"
    file.write_text("term,expansion\nXQA,extra quiet area\nXQB,extra quiet barn\n", "utf-8")
    assert glossary("import", file, "--json").json() == {"read": 2, "added": 2}
    assert glossary("import", file).out == "Read 2 entries; 0 new or written otherwise.\n"
    assert glossary("add", "XQC", "extra quiet court").out == "Added: XQC – extra quiet court\n"
    dismissed = glossary("dismiss", "xqb", "--json").json()
    assert dismissed == {"dismissed": [{"term": "XQB", "expansion": "extra quiet barn"}]}
    listed = glossary("list", "--state", "dismissed", "--json").json()["entries"]
    assert [(entry["term"], entry["state"]) for entry in listed] == [("XQB", "dismissed")]
    assert "XQA           extra quiet area  (active)" in glossary("list").out
    exported = glossary("export").out
    assert exported == "term,expansion\nXQA,extra quiet area\nXQC,extra quiet court\n"
    assert glossary("accept", "XQB", "extra quiet barn").code == 0
    assert glossary("export", "--json").json()["XQB"] == ["extra quiet barn"]
    for term in ("XQA", "XQB", "XQC"):
        assert glossary("remove", term).code == 0
    assert "XQ" not in glossary("list").out  # what other documents suggest may be there


def test_what_cannot_be_an_entry_is_refused_in_a_sentence(
    installed: Footnote, tmp_path: Path
) -> None:
    """The exit status is 1, nothing is printed to standard output, nothing is kept."""
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"XQD": "extra quiet dome", "XQE": ""}), "utf-8")
    for arguments in (
        ("add", "XQD", "xqd"),
        ("add", "", "extra"),
        ("add", "it", "information technology"),
        ("import", bad),
        ("accept", "XQD"),
        ("dismiss", "XQD"),
        ("remove", "XQD"),
    ):
        done = installed.run("glossary", *arguments)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("Error: ")
        assert done.err.count("\n") == 1
    assert installed.run("glossary", "export").out == "term,expansion\n"
