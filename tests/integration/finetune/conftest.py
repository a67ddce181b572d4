"""A workspace of a test's own with a tuning service."""

import itertools
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from core.settings import load_settings
from store.workspaces import ensure_workspace
from tests.fakes.openai import OpenAIServer
from tests.integration.finetune.tuning import Bench

_numbers = itertools.count()


@pytest.fixture
def bench(shared_engine: Engine, server: OpenAIServer, tmp_path: Path) -> Bench:
    """A workspace whose settings name the tuning service."""
    settings = load_settings().model_copy(
        update={
            "home": tmp_path,
            "openai_api_key": SecretStr(server.api_key),
            "openai_base_url": server.url,
        }
    )
    workspace_id = ensure_workspace(shared_engine, f"tuning {next(_numbers)}")
    return Bench(shared_engine, settings, workspace_id)
