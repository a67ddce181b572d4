"""What nobody expected: logged with places and without values, under a reference that is told."""

import traceback

from core.errors import reference_id
from core.logs import logger

log = logger(__name__)


def note_failure(what: str, error: BaseException, **named: object) -> str:
    """Log a failure and return the reference that a person is told."""
    reference = reference_id()
    log.error(
        what,
        reference=reference,
        error=type(error).__name__,
        frames=traceback.format_tb(error.__traceback__),  # places without values
        **named,
    )
    return reference


def failed(error: Exception) -> None:
    """Note what a handler of Bolt's pool let through: the boundary of that pool."""
    note_failure("interaction failed", error)
