"""Every command explains itself."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import COMMANDS, footnote

INNER = [
    "eval retrieval",
    "eval answers",
    "eval revisions",
    "eval corrections",
    "eval intents",
    "eval adapter",
    "eval redaction",
    "eval style",
    "eval compare",
    "members set",
    "members show",
]
PLACES = ("add", "list", "show", "sync", "pause", "resume", "set", "remove")
INNER += [f"sources {name}" for name in PLACES]
INNER += [f"embeddings {name}" for name in ("show", "refresh", "cancel")]
INNER += [f"benchmarks {name}" for name in ("ingest", "store", "embed", "change", "finetune")]
INNER += [f"documents {name}" for name in ("list", "show", "history", "diff", "restore", "delete")]
INNER += ["feedback list", "feedback export", "escalations list"]
INNER += ["tokens create", "tokens list", "tokens revoke", "people show", "people forget"]
ENTRIES = ("list", "add", "accept", "dismiss", "remove", "import", "export")
INNER += [f"glossary {name}" for name in ENTRIES]
INNER += ["slack list", "slack remove"]
STEPS = ("list", "show", "gate", "canary", "promote", "rollback", "retire", "export")
INNER += [f"models {name}" for name in STEPS]
RUNS = ("start", "status", "cancel", "list", "show", "logs", "dataset", "schedule")
INNER += [f"finetune {name}" for name in RUNS]
DATASETS = ("build", "list", "show", "export", "verify", "propose")
INNER += [f"finetune dataset {name}" for name in DATASETS]
INNER += [f"finetune schedule {name}" for name in ("show", "set", "off", "dry-run")]
CURATING = ("import", "curate", "list", "show", "review", "approve", "reject", "reopen", "edit")
INNER += [f"transcripts {name}" for name in (*CURATING, "label", "export", "stats", "names")]
INNER += ["transcripts delete"]
SERVICES = ["up", "web", "worker", "beat", "bot", "serve"]  # they print no result
CONTEXT = click.Context(footnote)


def command(words: str) -> click.Command:
    """Return a command or subcommand by its words."""
    found: click.Command | None = footnote
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.get_command(CONTEXT, word)
    assert found is not None
    return found


def inner_commands(words: str) -> Iterator[str]:
    """Give the commands in a group, and those in the groups in it."""
    group = command(words)
    for name in group.list_commands(CONTEXT) if isinstance(group, click.Group) else ():
        yield f"{words} {name}"
        yield from inner_commands(f"{words} {name}")


@pytest.mark.parametrize("words", [*COMMANDS, *INNER])
def test_each_command_has_help(words: str) -> None:
    """It says how it is used and what it does, in a sentence."""
    shown = CliRunner().invoke(footnote, [*words.split(), "--help"])

    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: footnote {words} ")
    summary = " ".join(shown.output.split("\n\n")[1].split())
    assert summary.endswith(".")


@pytest.mark.parametrize("words", [*COMMANDS, *INNER])
def test_each_command_that_prints_a_result_has_json(words: str) -> None:
    """All but services and groups take --json."""
    found = command(words)
    names = {name for parameter in found.params for name in parameter.opts}

    assert isinstance(found, click.Group) or words in SERVICES or "--json" in names


def test_no_subcommand_is_forgotten_here() -> None:
    """The list above is what the groups hold."""
    held = {inner for name in COMMANDS for inner in inner_commands(name)}

    assert held == set(INNER)


def test_only_listed_commands_are_imported() -> None:
    """No module is looked for by a name that somebody typed."""
    assert footnote.get_command(CONTEXT, "runtime") is None
