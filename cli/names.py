"""Names in the environment and in `.env` that look like settings and are none."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from pydantic import AliasChoices

from cli.runtime import PARENT_VARIABLE
from core.settings import ENV_FILE_VARIABLE, ROOT, Settings

PREFIX = "FOOTNOTE_"
OF_TESTS = ("FOOTNOTE_TEST_DATABASE_URL", "FOOTNOTE_SCREENSHOTS")


def setting_names() -> list[str]:
    """Return the name of every setting in the environment, in the order they are declared."""
    aliases = (field.validation_alias for field in Settings.model_fields.values())
    return [str(alias.choices[0]) for alias in aliases if isinstance(alias, AliasChoices)]


def given_names() -> set[str]:
    """Return every name in this process's environment and in the file that settings read."""
    named = os.environ.get(ENV_FILE_VARIABLE)
    file = ROOT / ".env" if named is None else Path(named)
    kept = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {*os.environ, *kept}


def unknown_names(given: Iterable[str]) -> list[str]:
    """Return a clause for each name that begins like a setting of ours and is none, by name."""
    known = [name for name in setting_names() if name.startswith(PREFIX)]
    other = {ENV_FILE_VARIABLE, PARENT_VARIABLE, *OF_TESTS}
    told = []
    for name in sorted(given):
        written = name.upper()  # case does not matter in settings
        if written.startswith(PREFIX) and written not in other and written not in known:
            near = get_close_matches(written, known, n=1, cutoff=0.75)
            told.append(
                f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")
            )
    return told
