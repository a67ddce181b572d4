"""Structured logs on standard error, one JSON object a line, without secrets or texts."""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
import structlog.typing

SECRET = re.compile(
    r"\bxox[a-z]-[\w-]+|\bxapp-[\w-]+|\bsk-[\w-]{8,}|(?<=://)[^\s/:@]*:[^\s/@]+(?=@)"
    r"|\bfn_[\w-]{30,}|Bearer\s+[^\s\"']+|(?<=hooks\.slack\.com/)[^\s\"']+|(?<=password=)[^\s&\"']+",
    re.IGNORECASE,
)
BODY_FIELDS = frozenset({"text", "question", "answer", "quote", "body", "content", "message"})


def _redact(value: object) -> object:
    """Return JSON types without secrets and bodies; what JSON lacks is shown as its words."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _redact_field(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(inner) for inner in value]
    return SECRET.sub("[secret]", str(value))


def _redact_field(name: str, value: object) -> object:
    if name in BODY_FIELDS and value is not None:
        return f"[{len(str(value))} characters]"
    return _redact(value)


def protect(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank secrets in every value, however deep, and replace message bodies by their length."""
    for name, value in event.items():
        if not name.startswith("_"):  # the standard library's record, taken out further on
            event[name] = _redact_field(name, value)
    return event


def without_values(exc_info: structlog.typing.ExcInfo) -> str:
    """Return an error as its kinds and the places it went through, what caused it first.

    Not its message: that may be anybody's words, such as the row that a database refused.
    """
    error: BaseException | None = exc_info[1]
    told: list[str] = []
    while error is not None:
        told.insert(0, "".join([*traceback.format_tb(error.__traceback__), type(error).__name__]))
        hidden = error.__suppress_context__ or error.__cause__ is not None
        error = error.__cause__ if hidden else error.__context__
    return "\n".join(told)


def configure_logs(level: str = "INFO", stream: TextIO = sys.stderr) -> None:
    """Send structlog and the standard library's loggers through one JSON renderer to `stream`.

    Libraries log at WARNING and above only: their INFO lines may hold message bodies.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(without_values),
        protect,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def logger(name: str) -> Any:
    """Return the structured logger of a module; bind ids, never texts."""
    return structlog.get_logger(module=name)
