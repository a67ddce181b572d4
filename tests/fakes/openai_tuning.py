"""Files and fine-tuning jobs as OpenAI's API has them: what is asked is checked and remembered.

A job goes one state further each time it is asked about: validating_files, queued, running (a
third of its steps a look), succeeded. It learns nothing: its figures are made up and fall. The
forms are those of the API reference; what is not listed there is not answered.
"""

import base64
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .local_http import HangUpError, Reply, Request, json_reply

Json = dict[str, Any]
FEWEST_EXAMPLES = 10
STEPS = 6
LONGEST_SUFFIX = 64
ENDED = ("succeeded", "failed", "cancelled")
TOKENS_A_ROW = 50


class RefusedError(Exception):
    """A request that the service refuses, with the status and code that it answers."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class Uploaded:
    """A file that somebody sent."""

    id: str
    name: str
    purpose: str
    content: bytes

    def shown(self) -> Json:
        """The file as the API shows it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": 0,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }

    def rows(self) -> list[Json]:
        """Its lines as JSON; raises `ValueError` where one is not."""
        return [json.loads(line) for line in self.content.decode().splitlines()]


@dataclass
class Job:
    """A fine-tuning job: what it was asked for, and how far it is."""

    id: str
    asked: Json
    rows: int
    status: str = "validating_files"
    step: int = 0
    error: Json | None = None
    events: list[Json] = field(default_factory=list)  # the oldest first

    @property
    def model(self) -> str | None:
        """The tuned model's name, once it succeeded."""
        if self.status != "succeeded":
            return None
        return f"ft:{self.asked['model']}:tests:{self.asked.get('suffix') or ''}:{self.id[-4:]}"

    def shown(self) -> Json:
        """The job as the API shows it."""
        return {
            "id": self.id,
            "object": "fine_tuning.job",
            "created_at": 0,
            "error": self.error,
            "fine_tuned_model": self.model,
            "finished_at": 1 if self.status in ENDED else None,
            "hyperparameters": {"n_epochs": "auto", "batch_size": "auto"},
            "model": self.asked["model"],
            "organization_id": "org-tests",
            "result_files": [f"file-result-{self.id}"] if self.model else [],
            "seed": self.asked.get("seed") or 0,
            "status": self.status,
            "trained_tokens": self.rows * TOKENS_A_ROW if self.model else None,
            "training_file": self.asked["training_file"],
            "validation_file": self.asked.get("validation_file"),
            "estimated_finish": None,
            "integrations": [],
            "metadata": self.asked.get("metadata"),
            "method": self.asked.get("method"),
        }


class Tuning:
    """The service's files and jobs; a test looks at them and tells how jobs end.

    `held` keeps jobs in the state in which they are, `held_at` at a step. `invalid` is the message
    with which the next job's files are refused, `failing` code and message of another failure.
    `losing` closes the connection of so many calls that create a job, after it was made.
    `forgetful` makes a service that keeps no metadata, `closed` one that lists jobs and lets
    nobody create any, `astray` one whose loss becomes no number.
    """

    def __init__(self) -> None:
        self.files: dict[str, Uploaded] = {}
        self.deleted: list[str] = []
        self.jobs: dict[str, Job] = {}
        self.held = False
        self.held_at: int | None = None
        self.invalid: str | None = None
        self.failing: tuple[str, str] | None = None
        self.losing = 0
        self.forgetful = False
        self.astray = False
        self.closed = False
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def models(self) -> list[str]:
        """The names of the models that were tuned here."""
        return [job.model for job in self.jobs.values() if job.model]

    def answer(self, request: Request) -> Reply:
        """Answer a call of files or fine-tuning; raises `RefusedError`, `HangUpError`."""
        parts = request.path.removeprefix("/v1/").strip("/").split("/")
        with self._lock:
            if parts[0] == "files":
                return self._files(request, parts[1:])
            if parts[:2] == ["fine_tuning", "jobs"]:
                return self._jobs(request, parts[2:])
        raise RefusedError(404, f"Unknown address {request.path}.", "unknown_url")

    # -- files ---------------------------------------------------------------------------

    def _files(self, request: Request, parts: list[str]) -> Reply:
        if not parts and request.method == "POST":
            return json_reply(self._upload(request).shown())
        if not parts:
            wanted = request.query.get("purpose")
            shown = [f.shown() for f in self.files.values() if wanted in (None, f.purpose)]
            return _page(shown, request)
        if parts[1:] == ["content"] and parts[0].startswith("file-result-"):
            table = b"step,train_loss\n1,2.0\n"
            return Reply(200, base64.b64encode(table), "application/octet-stream")
        file = self.files.get(parts[0])
        if file is None:
            raise RefusedError(404, f"No such File object: {parts[0]}")
        if request.method == "DELETE":
            del self.files[file.id]
            self.deleted.append(file.id)
            return json_reply({"id": file.id, "object": "file", "deleted": True})
        return json_reply(file.shown())

    def _upload(self, request: Request) -> Uploaded:
        fields: dict[str, Any] = request.form()
        content = fields.get("file", "")
        name = _file_name(request.body)
        file = Uploaded(
            f"file-{next(self._numbers):04}",
            name,
            str(fields.get("purpose", "")).strip(),
            content.encode() if isinstance(content, str) else bytes(content),
        )
        if file.purpose != "fine-tune":
            raise RefusedError(400, f"'{file.purpose}' is not one of ['fine-tune'] - 'purpose'")
        self.files[file.id] = file
        return file

    # -- jobs ----------------------------------------------------------------------------

    def _jobs(self, request: Request, parts: list[str]) -> Reply:
        if not parts and request.method == "POST":
            return self._create(request.json())
        if not parts:
            return _page([job.shown() for job in reversed(self.jobs.values())], request)
        job = self.jobs.get(parts[0])
        if job is None:
            raise RefusedError(404, f"Could not find fine tune: {parts[0]}", "fine_tune_not_found")
        if parts[1:] == ["events"]:
            return _page(job.events[::-1], request)
        if parts[1:] == ["checkpoints"]:
            return _page(_checkpoints(job), request)
        if parts[1:] == ["cancel"] and request.method == "POST":
            if job.status in ENDED:
                raise RefusedError(400, f"Job has already completed: {job.id}", "invalid_state")
            job.status = "cancelled"
            self._event(job, "The job was cancelled")
        elif not self.held and (self.held_at is None or job.step < self.held_at):
            self._advance(job)
        return json_reply(job.shown())

    def _create(self, asked: Json) -> Reply:
        if self.closed:
            raise RefusedError(403, "Fine-tuning is not available to it.", "permission_denied")
        self._check(asked)
        if self.forgetful:
            asked = {**asked, "metadata": None}
        rows = self.files[asked["training_file"]].rows()
        job = Job(f"ftjob-{next(self._numbers):04}", asked, len(rows))
        self.jobs[job.id] = job
        self._event(job, f"Validating training file: {asked['training_file']}")
        if self.losing:
            self.losing -= 1
            raise HangUpError
        return json_reply(job.shown())

    def _check(self, asked: Json) -> None:
        if asked.get("training_file") not in self.files:
            raise RefusedError(400, "invalid training_file", "invalid_training_file")
        method = asked.get("method") or {}
        kind = method.get("type")
        if kind not in ("supervised", "dpo") or set(method) != {"type", kind}:
            raise RefusedError(400, "'method' must hold its type and that type's settings")
        if "hyperparameters" in asked:
            raise RefusedError(400, "'hyperparameters' is deprecated: they go under 'method'")
        if len(asked.get("suffix") or "") > LONGEST_SUFFIX:
            raise RefusedError(400, f"'suffix' is longer than {LONGEST_SUFFIX} characters")

    def _advance(self, job: Job) -> None:
        """Take a job one state further."""
        if job.status == "validating_files":
            self._validate(job)
        elif job.status == "queued":
            job.status = "running"
            self._event(job, "Fine-tuning job started")
        elif job.status == "running":
            if self.failing is not None:
                code, message = self.failing
                self._fail(job, code, message, None)
                return
            for _ in range(STEPS // 3):
                self._measure(job)
            if job.step == STEPS:
                job.status = "succeeded"
                self._event(job, f"New fine-tuned model created: {job.model}")
                self._event(job, "The job has successfully completed")

    def _validate(self, job: Job) -> None:
        rows = self.files[job.asked["training_file"]].rows()
        kind = job.asked["method"]["type"]
        message = self.invalid
        if len(rows) < FEWEST_EXAMPLES:
            message = f"Training file has {len(rows)} example(s), but must have at least 10."
        for number, row in enumerate(rows, 1):
            if not _is_row(row, kind):
                message = f"Invalid file format. Line {number} is not an example of {kind}."
        if message is not None:
            self._fail(job, "invalid_training_file", message, "training_file")
            return
        job.status = "queued"
        self._event(job, "Files validated, moving job to queued state")

    def _fail(self, job: Job, code: str, message: str, param: str | None) -> None:
        job.status = "failed"
        job.error = {"code": code, "message": message, "param": param}
        self._event(job, f"The job failed due to: {message}", level="error")

    def _measure(self, job: Job) -> None:
        job.step += 1
        loss = round(2.0 / job.step, 4)
        data: Json = {"step": job.step, "total_steps": STEPS, "train_loss": loss}
        data |= {"train_mean_token_accuracy": 0.5}
        if self.astray and job.step == STEPS // 3:
            data["train_loss"] = float("nan")
        if job.asked.get("validation_file") and job.step % 2 == 0:
            data |= {"valid_loss": loss + 0.1, "full_valid_loss": loss + 0.2}
        message = f"Step {job.step}/{STEPS}: training loss={loss}"
        self._event(job, message, kind="metrics", data=data)

    def _event(
        self,
        job: Job,
        message: str,
        *,
        level: str = "info",
        kind: str = "message",
        data: Json | None = None,
    ) -> None:
        job.events.append(
            {
                "object": "fine_tuning.job.event",
                "id": f"ftevent-{next(self._numbers):05}",
                "created_at": int(time.time()),
                "level": level,
                "message": message,
                "data": data or {},
                "type": kind,
            }
        )


def _checkpoints(job: Job) -> list[Json]:
    if job.model is None:
        return []
    return [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt-{job.id}-{step}",
            "created_at": 0,
            "fine_tuned_model_checkpoint": f"{job.model}:ckpt-step-{step}",
            "fine_tuning_job_id": job.id,
            "metrics": {"step": step, "train_loss": 2.0 / step},
            "step_number": step,
        }
        for step in (STEPS // 2, STEPS)
    ]


def _page(items: list[Json], request: Request) -> Reply:
    """Answer a page of a list: `after` an id, at most `limit` items."""
    after, limit = request.query.get("after"), int(request.query.get("limit", 20))
    ids = [item["id"] for item in items]
    start = ids.index(after) + 1 if after in ids else 0
    shown = items[start : start + limit]
    more = start + limit < len(items)
    return json_reply({"object": "list", "data": shown, "has_more": more})


def _is_row(row: Json, kind: str) -> bool:
    if kind == "dpo":
        wanted = {"input", "preferred_output", "non_preferred_output"}
        return set(row) == wanted and _are_messages(row["input"].get("messages"))
    return set(row) == {"messages"} and _are_messages(row["messages"])


def _are_messages(found: Any) -> bool:
    return bool(found) and all({"role", "content"} == set(message) for message in found)


def _file_name(body: bytes) -> str:
    head = body.partition(b'filename="')[2]
    return head.partition(b'"')[0].decode()
