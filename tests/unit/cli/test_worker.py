"""What a worker loads for its queues."""

import subprocess
import sys
from functools import cache

import pytest

from cli.worker import TASKS, load_tasks
from core.tasks import QUEUE_NAMES, celery
from store.outbox import QUEUES

LOADED = """
import sys
import cli.worker
from core.tasks import celery
cli.worker.load_tasks(sys.argv[1].split(","))
print(*(name for name in celery.tasks if not name.startswith("celery.")))
print(*sorted(sys.modules))
"""
HEAVY = {"torch", "transformers", "sklearn", "scipy", "openai", "onnxruntime", "langgraph"}


OTHERS = "ingest,embed,default"


@cache
def loaded(queues: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tasks and modules of a process that serves some queues."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, queues], capture_output=True, text=True, check=True
    )
    tasks, modules = done.stdout.splitlines()
    return frozenset(tasks.split()), frozenset(modules.split())


@pytest.mark.parametrize("queues", ["train", OTHERS])
def test_queues_have_their_tasks(queues: str) -> None:
    """What the outbox sends to a queue is known to a worker of that queue."""
    named = {task for task, queue in QUEUES.items() if queue in queues.split(",")}
    assert named <= loaded(queues)[0]


def test_every_queue_is_served_by_one_of_the_two_workers() -> None:
    """A task on a queue that nobody serves would wait for ever."""
    assert set(TASKS) == set(QUEUE_NAMES) == {"train", *OTHERS.split(",")}


def test_a_worker_for_training_loads_nothing_that_is_large() -> None:
    """It waits with little memory: what trains is imported when a run comes."""
    tasks, modules = loaded("train")
    assert "train_model" in tasks
    assert modules & HEAVY == set()


def test_the_other_worker_knows_the_rest() -> None:
    """Looks at rules and at providers are done beside the other small tasks."""
    tasks, modules = loaded(OTHERS)
    assert tasks >= {"check_retraining", "check_shutdowns", "recheck_answers", "sync_source"}
    assert modules & {"torch", "transformers", "sklearn"} == set()


def test_a_run_has_no_limit_of_minutes() -> None:
    """Celery's limits for files and looks do not end a training that takes days."""
    load_tasks(["train"])
    task = celery.tasks["train_model"]
    assert min(task.soft_time_limit, task.time_limit) >= 7 * 86_400
    assert celery.conf.task_time_limit < 3_600
