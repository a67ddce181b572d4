"""Tuning at a service with OpenAI's API: upload, create once, follow, cancel, tidy up.

A job there costs money, so it must never be made twice. Its id is kept before anything else
happens, it carries the run's key in its metadata, and whoever finds a run without an id looks
for such a job before creating one; the call that creates is not repeated by itself.
"""

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from openai import OpenAIError
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob
from sqlalchemy import Engine

from core.settings import Settings, settings
from finetune.backends import Made, Report, RunCancelledError, TrainingError, need_rows
from finetune.following import ENDED, AstrayError, Followed, Pauses, follow
from finetune.hosted_recipe import options
from finetune.provider import (
    UPLOAD_TIMEOUT,
    Provider,
    UnreachableError,
    expect,
    explained,
    open_provider,
    probe,
    short,
)
from finetune.upload import check_rows, jsonl, method_of
from store.datasets import Dataset, DatasetRow, Split
from store.runs import Run

RUN_KEY, WORKSPACE_KEY = "footnote_run", "footnote_workspace"  # of a job's metadata
LOOKED_THROUGH = 500  # of the latest jobs, for one that was made before a crash
FILES_LOOKED_THROUGH = 1_000
ATTEMPTS = 3  # to create a job, each after looking for what the one before may have made
PREPARING = frozenset({"pending", "running", "notRunning"})  # a file at Azure, for a while
PREPARED_WITHIN = 300.0  # seconds
CANCELLED_WITHIN = 60.0  # seconds
QUOTA_CODES = ("quota", "billing")
PAUSES = Pauses()


@dataclass(frozen=True)
class Files:
    """The ids of the uploaded files; no validation file for a dataset without such rows."""

    training: str
    validation: str | None


def check(
    config: Settings,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    base: str | None,
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the whole recipe once rows, options and the service's door were looked at."""
    method = method_of(dataset.format)
    whole = options(recipe) | {"method": method}
    if recipe.get("method", method) != method:
        raise TrainingError(
            f"Dataset {dataset.id} is of the format {dataset.format}, which is learned from by the"
            f" method {method}; leave method out, or build a dataset of another format."
        )
    if method == "dpo":
        whole.setdefault("beta", "auto")
    elif "beta" in recipe:
        raise TrainingError("beta is for datasets of the format dpo; leave it out.")
    need_rows(rows)
    check_rows(rows, method, whole["context"])
    if base is None:
        raise TrainingError(
            "Name the model to tune with --base, e.g. --base gpt-4.1-mini-2025-04-14."
        )
    with open_provider(config) as provider:
        probe(provider)
    return whole


def train(
    engine: Engine,  # noqa: ARG001 - the same shape for every backend
    run: Run,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Tune a model at the configured service."""
    with open_provider(settings()) as provider:
        return tune(provider, run, dataset, rows, folder, report)


def tune(
    provider: Provider,
    run: Run,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
    pauses: Pauses = PAUSES,
) -> Made:
    """Create the run's job unless there is one, follow it to its end, tidy up.

    Raises TrainingError, RunCancelledError, GoesOnLaterError. A job that cannot be followed goes
    on there, with its files: starting the same run again finds it.
    """
    job_id = run.remote.get("job_id") or find_job(provider, run, run.remote.get("training_file"))
    if job_id is None:
        report.step(run.step, run.total)  # somebody may have cancelled before there was a job
        files = upload(provider, run, dataset, rows, report)
        try:
            job_id = create(provider, run, files, pauses)
        except UnreachableError:
            raise  # the job may be there all the same, and needs its files
        except TrainingError:
            tidy(provider, run, report)
            raise
    report.remote(job_id=job_id)
    report.event(f"Job {job_id} at {provider.name}.", key=f"job {job_id}")
    try:
        job, followed = follow(provider, run, job_id, report, pauses)
    except (RunCancelledError, AstrayError):
        stop(provider, job_id, report, pauses)
        tidy(provider, run, report)
        raise
    except TrainingError as error:
        raise TrainingError(
            f"{error} Its job {job_id} goes on at {provider.name}; starting the same run again"
            " follows it and makes no second one."
        ) from error
    tidy(provider, run, report)
    if job.status != "succeeded" or job.fine_tuned_model is None:
        raise TrainingError(_why_failed(provider, job))
    keep_results(provider, job, folder, report)
    return _made(provider, run, job, followed)


def find_job(provider: Provider, run: Run, training_file: str | None) -> str | None:
    """Return a living or successful job of this run at the service, made before a crash.

    A service may keep no metadata: then the uploaded file tells.
    """
    with explained(provider):
        jobs = islice(provider.client.fine_tuning.jobs.list(limit=100), LOOKED_THROUGH)
        for job in jobs:
            if job.status in ("failed", "cancelled"):
                continue
            named = job.metadata or {}
            ours = named.get(RUN_KEY) == run.key
            same = named.get(WORKSPACE_KEY, str(run.workspace_id)) == str(run.workspace_id)
            if (ours and same) or job.training_file == training_file:
                return job.id
    return None


def upload(
    provider: Provider, run: Run, dataset: Dataset, rows: Sequence[DatasetRow], report: Report
) -> Files:
    """Upload what is not there yet, and keep the files' ids."""
    method = method_of(dataset.format)
    ids: dict[str, str] = {}
    splits: tuple[Split, ...] = ("train", "validation")
    for split in splits:
        name = "training_file" if split == "train" else "validation_file"
        content = jsonl(rows, split, method)
        if not content:
            continue
        ids[name] = run.remote.get(name) or _upload(provider, file_name(run, split), content)
        report.remote(**{name: ids[name]})
    return Files(ids["training_file"], ids.get("validation_file"))


def file_name(run: Run, split: Split) -> str:
    """Return the name of a file at the service, by which it is found to be deleted."""
    return f"footnote-{run.workspace_id}-{run.key[:16]}-{split}.jsonl"


def create(provider: Provider, run: Run, files: Files, pauses: Pauses) -> str:
    """Create the job and return its id.

    After a call that broke off the job may be there or not: it is looked for before another.
    """
    recipe = run.recipe
    names = {"epochs": "n_epochs", "batch_size": "batch_size", "beta": "beta"}
    names["learning_rate_multiplier"] = "learning_rate_multiplier"
    values = {theirs: recipe[ours] for ours, theirs in names.items() if ours in recipe}
    method: Any = {"type": recipe["method"], recipe["method"]: {"hyperparameters": values}}
    more: dict[str, Any] = {"validation_file": files.validation} if files.validation else {}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with explained(provider):
                made = provider.once.fine_tuning.jobs.create(
                    model=str(run.base),
                    training_file=files.training,
                    method=method,
                    seed=recipe["seed"],
                    suffix=recipe["suffix"],
                    metadata={RUN_KEY: run.key, WORKSPACE_KEY: str(run.workspace_id)},
                    **more,
                )
            return expect(made, FineTuningJob, provider).id
        except UnreachableError:
            time.sleep(pauses.first * 2**attempt)
            found = find_job(provider, run, files.training)
            if found is not None:
                return found
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def stop(provider: Provider, job_id: str, report: Report, pauses: Pauses) -> None:
    """Cancel a job and wait a little until it is; what cannot be done is told as an event."""
    try:
        with explained(provider):
            job = provider.client.fine_tuning.jobs.cancel(job_id)
            deadline = time.monotonic() + CANCELLED_WITHIN
            while job.status not in ENDED and time.monotonic() < deadline:
                time.sleep(pauses.first)
                job = provider.client.fine_tuning.jobs.retrieve(job_id)
    except TrainingError as error:
        report.event(f"The job could not be cancelled: {error} Look at {job_id} there.")
        return
    if job.status == "succeeded":
        report.event(f"It had succeeded before it was cancelled, as {job.fine_tuned_model}.")
    else:
        report.event(f"Job {job_id} is {job.status} at {provider.name}.")


def tidy(provider: Provider, run: Run, report: Report) -> None:
    """Delete the run's files at the service, also those that a crash left without an id."""
    if run.recipe.get("keep_files"):
        return
    names = {file_name(run, "train"), file_name(run, "validation")}
    try:
        with explained(provider):
            listed = provider.client.files.list(purpose="fine-tune")
            ours = [file.id for file in islice(listed, FILES_LOOKED_THROUGH) if _is(file, names)]
            for file_id in ours:
                provider.client.files.delete(file_id)
    except TrainingError as error:
        report.event(f"Uploaded files may be left at {provider.name}: {error}")
        return
    report.event(f"{len(ours)} uploaded files were deleted at {provider.name}.")


def keep_results(provider: Provider, job: FineTuningJob, folder: Path, report: Report) -> None:
    """Keep the tables of figures that a job leaves; they are nice to have, not more."""
    for number, file_id in enumerate(job.result_files or (), 1):
        with suppress(OpenAIError):
            content = provider.client.files.content(file_id).content
            (folder / f"result-{number}.csv").write_bytes(_table(content))
            report.event(f"Its figures are in {folder / f'result-{number}.csv'}.")


def _table(content: bytes) -> bytes:
    """Return a table of figures as it is; OpenAI sends it in base64, others do not."""
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        return content


def checkpoints(provider: Provider, job_id: str) -> list[dict[str, Any]]:
    """Return the models that were kept on the way, with their figures; not all services have."""
    try:
        with explained(provider):
            kept: Iterable[Any] = provider.client.fine_tuning.jobs.checkpoints.list(job_id)
            return [
                {
                    "model": one.fine_tuned_model_checkpoint,
                    "step": one.step_number,
                    "eval_loss": one.metrics.full_valid_loss or one.metrics.valid_loss,
                }
                for one in kept
            ]
    except TrainingError:
        return []


def _made(provider: Provider, run: Run, job: FineTuningJob, followed: Followed) -> Made:
    tokens = job.trained_tokens
    cost: dict[str, Any] = {} if tokens is None else {"tokens": tokens}
    price = run.recipe.get("price_per_million")
    if tokens is not None and price is not None:
        cost["money"] = round(tokens * price / 1_000_000, 2)
    result = {
        "job": job.id,
        "provider": provider.name,
        "steps": followed.step,
        "checkpoints": checkpoints(provider, job.id),
        **followed.figures,
    }
    return Made(str(job.fine_tuned_model), result, cost)


def _why_failed(provider: Provider, job: FineTuningJob) -> str:
    if job.status == "cancelled":
        return f"Job {job.id} was cancelled at {provider.name}; start the run again."
    error = job.error
    message = short(error.message) if error is not None and error.message else "no reason given"
    code = (error.code if error is not None else "") or ""
    if any(word in code for word in QUOTA_CODES):
        return (
            f"The account at {provider.name} has no quota left (“{message}”); add credit there and"
            " start again."
        )
    if error is not None and error.param in ("training_file", "validation_file"):
        split = "train" if error.param == "training_file" else "validation"
        return (
            f"{provider.name} refused the dataset's {split} split (“{message}”); lines are its"
            " rows in order. Mend or reject those and build again."
        )
    return f"The job failed at {provider.name} (“{message}”)."


def _upload(provider: Provider, name: str, content: bytes) -> str:
    with explained(provider):
        client = provider.client.with_options(timeout=UPLOAD_TIMEOUT)
        file = client.files.create(file=(name, content, "application/jsonl"), purpose="fine-tune")
        file = expect(file, FileObject, provider)
        deadline = time.monotonic() + PREPARED_WITHIN
        while str(file.status) in PREPARING and time.monotonic() < deadline:
            time.sleep(PAUSES.first)
            file = provider.client.files.retrieve(file.id)
    if str(file.status) == "error":
        raise TrainingError(
            f"{provider.name} could not read {name} (“{short(file.status_details or '')}”);"
            " build the dataset again."
        )
    return file.id


def _is(file: FileObject, names: set[str]) -> bool:
    return file.filename in names
