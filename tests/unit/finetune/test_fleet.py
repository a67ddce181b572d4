"""Several models behind one address, each in a process of its own; a stand-in plays vLLM."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from core.listening import listen, quiet_server
from finetune.serve.fleet import Fleet, FleetError, create_front, vllm_command

KEY = "a key"
ASKED: Any = [{"role": "user", "content": "Hello"}]


def stand_in(folder: Path, port: int) -> list[str]:
    """Return how the stand-in is started."""
    return [sys.executable, "-m", "tests.fakes.vllm", str(folder), str(port)]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Two loaded models."""
    made = Fleet(stand_in)
    made.load(Path("/models/one"), ("voice-1", "/models/one"))
    made.load(Path("/models/two"), ("voice-2",))
    yield made
    processes = [made.find(name) for name in ("voice-1", "voice-2")]
    made.close()
    assert made.folders == set()
    assert all(ship is not None and ship.process.poll() is not None for ship in processes)


@pytest.fixture(scope="module")
def client(fleet: Fleet) -> Iterator[openai.OpenAI]:
    """A client of the one address."""
    listener = listen("127.0.0.1", 0)
    server = quiet_server(create_front(fleet, KEY))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=10) as made:
        yield made
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("name", "folder"), [("voice-1", "one"), ("/models/one", "one"), ("voice-2", "two")]
)
def test_each_name_leads_to_its_model(client: openai.OpenAI, name: str, folder: str) -> None:
    """The model behind a name answers, greedily, and the answer names it as it was asked."""
    whole = client.chat.completions.create(model=name, messages=ASKED)
    assert whole.choices[0].message.content == f"{folder} model 0"
    assert whole.model == name
    drawn = client.chat.completions.create(model=name, messages=ASKED, temperature=0.5)
    assert drawn.choices[0].message.content == f"{folder} model 0.5"


def test_a_stream_is_passed_on(client: openai.OpenAI) -> None:
    """Its events arrive as they were sent."""
    pieces = client.chat.completions.create(model="voice-2", messages=ASKED, stream=True)
    assert [one.choices[0].delta.content for one in pieces] == ["two model 0"]


def test_errors_are_told_in_openai_s_form(client: openai.OpenAI) -> None:
    """Another key, an unknown name, and what vLLM itself refuses."""
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="another").models.list()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="voice-3", messages=ASKED)
    refused: Any = [{"role": "user", "content": "fail"}]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="voice-1", messages=refused)


def test_models_are_listed_by_their_names(client: openai.OpenAI, fleet: Fleet) -> None:
    """Another name is known at once."""
    fleet.rename(Path("/models/two"), ("voice-b",))
    listed = {one.id: one.created for one in client.models.list().data}
    fleet.rename(Path("/models/two"), ("voice-2",))
    assert set(listed) == {"voice-1", "voice-b"}
    assert all(abs(created - time.time()) < 120 for created in listed.values())


def test_a_model_that_cannot_be_loaded_leaves_nothing() -> None:
    """Its process ended, and the sentence says so."""
    fleet = Fleet(stand_in)
    with pytest.raises(FleetError, match="ended with status 3"):
        fleet.load(Path("/models/broken"), ("voice",))
    assert fleet.folders == set()


def test_vllm_listens_on_this_machine_alone() -> None:
    """Nobody reaches a process around the key."""
    command = vllm_command(Path("/models/one"), 4000)
    assert command[command.index("serve") + 1] == "/models/one"
    assert command[command.index("--host") + 1] == "127.0.0.1"
