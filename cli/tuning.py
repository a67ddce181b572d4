"""Whether models can be tuned: here, at the configured service, and which of them end soon."""

from typing import TYPE_CHECKING

from cli.runtime import database_url, named_workspace
from cli.show import counted
from core.settings import Settings
from store.engine import connect
from store.schema import current_revision, head_revision
from store.shutdowns import HostedModel, ending_models

if TYPE_CHECKING:
    from cli.doctor import State

PROBE_TIMEOUT = 5.0  # seconds
GIB = 1 << 30


def check_tuning(config: Settings) -> "tuple[State, str]":
    """Return what can be tuned and where; a model in use that ends within 60 days is told."""
    here, told = _here()
    hosted, more = _hosted(config)
    detail = f"The router and the retriever learn here. {told} {more}"
    ending = _ending(config)
    if ending:
        ends = ", ".join(f"{one.name} on {one.shutdown_at:%Y-%m-%d}" for one in ending)
        return "limited", f"ends at its provider: {ends}; tune another in time. {detail}"
    return ("ok" if here or hosted else "none"), detail


def _here() -> tuple[bool, str]:
    """Return whether language models can be tuned on this machine, and on what."""
    from finetune.backends import TrainingError  # noqa: PLC0415 - for this one check
    from finetune.gpu_memory import free_of_cards  # noqa: PLC0415 - the same
    from finetune.local_runs import need_packages  # noqa: PLC0415 - the same

    try:
        need_packages()
    except TrainingError as error:
        return False, str(error)
    cards = free_of_cards()
    if not cards:
        return True, "Local models: no GPU found, small ones only."
    return True, f"Local models: {counted(len(cards), 'GPU')}, {min(cards) / GIB:.0f} GiB free."


def _hosted(config: Settings) -> tuple[bool, str]:
    """Return whether the configured service tunes models for this key."""
    if not config.has_model:
        return False, "Hosted: set OPENAI_API_KEY, or OPENAI_BASE_URL for another service."
    from finetune.provider import openness  # noqa: PLC0415 - openai's SDK: a second

    state, told = openness(config, PROBE_TIMEOUT)
    return state == "open", f"Hosted: {told}"


def _ending(config: Settings) -> list[HostedModel]:
    with database_url(config) as url:
        engine = connect(url)
        try:
            if current_revision(engine) != head_revision():
                return []
            return list(ending_models(engine, named_workspace(engine, config.workspace)))
        finally:
            engine.dispose()
