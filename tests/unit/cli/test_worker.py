"""What a worker loads for its queues."""

import subprocess
import sys

from cli.worker import TASKS
from core.tasks import QUEUE_NAMES
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


def loaded(queues: str) -> tuple[set[str], set[str]]:
    """Return the tasks and modules of a process that serves some queues."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, queues], capture_output=True, text=True, check=True
    )
    tasks, modules = done.stdout.splitlines()
    return set(tasks.split()), set(modules.split())


def test_each_queue_has_its_tasks() -> None:
    """What the outbox sends to a queue is known to a worker of that queue."""
    assert set(TASKS) == set(QUEUE_NAMES)
    for queue in QUEUE_NAMES:
        named = {task for task, theirs in QUEUES.items() if theirs == queue}
        assert named <= loaded(queue)[0]


def test_a_worker_for_training_loads_nothing_that_is_large() -> None:
    """It waits with little memory: what trains is imported when a run comes."""
    tasks, modules = loaded("train")
    assert "train_model" in tasks
    assert modules & HEAVY == set()


def test_the_other_worker_knows_the_rest() -> None:
    """Looks at rules and at providers are done beside the other small tasks."""
    tasks, modules = loaded("default")
    assert tasks >= {"check_retraining", "check_shutdowns", "recheck_answers", "sync_source"}
    assert modules & {"torch", "transformers", "sklearn"} == set()
