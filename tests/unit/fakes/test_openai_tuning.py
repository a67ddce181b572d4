"""The tuning service's forms, held against the types of OpenAI's own client."""

import json
from collections.abc import Iterator

import pytest
from openai import BadRequestError, NotFoundError, OpenAI, PermissionDeniedError

from tests.fakes.openai import OpenAIServer

ROW = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hey"}]}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A tuning service."""
    with OpenAIServer() as made:
        yield made


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[OpenAI]:
    """A client that refuses every answer which is not of its documented form."""
    with OpenAI(
        api_key=server.api_key,
        base_url=server.url,
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


def uploaded(client: OpenAI, rows: int = 10) -> str:
    """Upload rows and return the file's id."""
    lines = "".join(json.dumps(ROW) + "\n" for _ in range(rows)).encode()
    return client.files.create(file=("rows.jsonl", lines), purpose="fine-tune").id


def created(client: OpenAI, file: str) -> str:
    """Create a job and return its id."""
    return client.fine_tuning.jobs.create(
        model="base", training_file=file, method={"type": "supervised", "supervised": {}}
    ).id


def test_a_file_is_kept_listed_and_deleted(client: OpenAI) -> None:
    """Its name, size and purpose are as they were sent."""
    file = client.files.retrieve(uploaded(client))
    assert (file.filename, file.purpose, file.status) == ("rows.jsonl", "fine-tune", "processed")
    assert [one.id for one in client.files.list(purpose="fine-tune")] == [file.id]
    assert client.files.delete(file.id).deleted
    with pytest.raises(NotFoundError):
        client.files.retrieve(file.id)


def test_a_job_goes_through_its_states(client: OpenAI) -> None:
    """Each look takes it further; at the end there are a model, checkpoints and events."""
    job_id = created(client, uploaded(client))
    states: list[str] = []
    while not states or states[-1] not in ("succeeded", "failed"):
        states.append(client.fine_tuning.jobs.retrieve(job_id).status)
    assert states == ["queued", "running", "running", "running", "succeeded"]

    job = client.fine_tuning.jobs.retrieve(job_id)
    assert job.fine_tuned_model is not None
    assert job.trained_tokens == 500
    assert client.models.retrieve(job.fine_tuned_model).id == job.fine_tuned_model
    assert [one.step_number for one in client.fine_tuning.jobs.checkpoints.list(job_id)] == [3, 6]
    events = list(client.fine_tuning.jobs.list_events(job_id, limit=2))
    assert [event.id for event in events] == sorted((e.id for e in events), reverse=True)
    assert sum(event.type == "metrics" for event in events) == 6
    assert [one.id for one in client.fine_tuning.jobs.list()] == [job_id]


def test_a_job_is_cancelled_once(client: OpenAI) -> None:
    """What has ended cannot be cancelled."""
    job_id = created(client, uploaded(client))
    assert client.fine_tuning.jobs.cancel(job_id).status == "cancelled"
    with pytest.raises(BadRequestError):
        client.fine_tuning.jobs.cancel(job_id)


def test_too_few_rows_fail_validation(client: OpenAI) -> None:
    """The job fails, with the parameter and the reason."""
    job_id = created(client, uploaded(client, rows=9))
    job = client.fine_tuning.jobs.retrieve(job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")


def test_what_the_service_refuses_is_refused(client: OpenAI, server: OpenAIServer) -> None:
    """A file that is not there, a deprecated form, an organisation for which it is closed."""
    with pytest.raises(BadRequestError):
        created(client, "file-none")
    file = uploaded(client)
    with pytest.raises(BadRequestError):
        client.fine_tuning.jobs.create(
            model="base", training_file=file, hyperparameters={"n_epochs": 1}
        )
    server.tuning.closed = True
    with pytest.raises(PermissionDeniedError):
        created(client, file)
