"""README and docs, held against the code they speak of."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import AliasChoices

from cli.__main__ import COMMANDS
from core.settings import ROOT, Settings

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
SECTION = re.compile(r"^### (\w+)\n((?:(?!^#).*\n)*)", re.MULTILINE)
MODULE = re.compile(r"`((?:\w+/)*\w+\.py)`")
COMMAND = re.compile(r"run\.py (\w+)")
OF_THE_LAUNCHER = {"test", "check", "soak", "install", "help"}


def text(page: str) -> str:
    """The words of a page, by its path from the root."""
    return (ROOT / page).read_text("utf-8")


def aliases() -> dict[str, object]:
    """The settings' names in the environment with their defaults, None where none is fixed."""
    fields = Settings.model_fields.values()
    return {
        str(field.validation_alias.choices[0]): None if field.default_factory else field.default
        for field in fields
        if isinstance(field.validation_alias, AliasChoices)
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Whatever a page links to inside the repository is there."""
    targets = [unquote(target) for target in LINK.findall(text(page)) if "://" not in target]
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_named_exist(page: str) -> None:
    """A command that a page tells people to run is one that there is."""
    assert set(COMMAND.findall(text(page))) <= {*COMMANDS, *OF_THE_LAUNCHER}


def test_readme_begins_with_the_two_commands() -> None:
    """The first commands a reader meets start the product and test it."""
    assert COMMAND.findall(text("README.md"))[:2] == ["up", "test"]


def test_readme_lists_every_setting() -> None:
    """The table of settings has a row for each, with its default where that is a plain value."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", text("README.md"), re.MULTILINE)
    assert {name for name, _ in rows} == set(aliases())
    shown = dict(rows)
    for name, default in aliases().items():
        if default is not None:
            plain = (
                int(default) if isinstance(default, float) and default.is_integer() else default
            )
            assert shown[name] == f"`{plain}`"


@pytest.mark.parametrize(
    "package",
    tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["root_packages"],
)
def test_architecture_has_a_line_for_each_module(package: str) -> None:
    """docs/architecture.md names every module of a package, and none that is not there."""
    sections = dict(SECTION.findall(text("docs/architecture.md")))
    named = set(MODULE.findall(sections.get(package, "")))
    folder = ROOT / package
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if path.name != "__init__.py" or _holds_code(path)
    }
    assert named == there


def _holds_code(path: Path) -> bool:
    """Whether a module is more than its docstring."""
    return len(path.read_text("utf-8").strip().splitlines()) > 1


def test_decisions_are_numbered_and_listed() -> None:
    """Every record has the number of its file, and docs/architecture.md lists it."""
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        number = int(path.name[:4])
        assert path.read_text("utf-8").startswith(f"# {number}. ")
        assert f"(decisions/{path.name})" in text("docs/architecture.md")
