"""Structured logs. They hold ids, counts and times, never what customers wrote.

What libraries log, and the messages of exceptions, may quote what they worked on; so of the former only the place is
written, of the latter the class and the lines of code. Uvicorn's messages quote nothing and are kept.
"""

import io
import logging
import sys
import warnings
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from nlp_service.observability.tracing import add_trace
from nlp_service.settings import Settings
from nlp_service.tracebacks import without_messages

QUOTING_NOTHING = "uvicorn"


def configure_logs(settings: Settings) -> None:
    """Set up structlog, and the loggers of libraries: readable lines on a terminal, or one JSON object a line."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if settings.log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, _add_traceback, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=_STDERR),
    )
    last = [_add_traceback, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    _write_libraries(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*first, _keep_place], processors=last), level
    )
    warnings.showwarning = _log_warning


class _Stderr(io.TextIOBase):
    """Standard error as it is at the time: a test may replace it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())
_HANDLER = logging.StreamHandler(_STDERR)


def _write_libraries(formatter: logging.Formatter, level: int) -> None:
    _HANDLER.setFormatter(formatter)
    _HANDLER.setLevel(max(level, logging.WARNING))
    logging.getLogger().addHandler(_HANDLER)  # once, however often it is called


def _keep_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    if record.name.partition(".")[0] != QUOTING_NOTHING:
        event["event"] = "library"
        event["where"] = f"{record.filename}:{record.lineno}"
    event["logger"] = record.name
    return event


def _add_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """As structlog's `format_exc_info`, without messages."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if given is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = without_messages(error)
    return event


def _log_warning(  # the names are those of `warnings.showwarning`
    message: Warning | str,  # noqa: ARG001
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    structlog.get_logger().warning("library", category=category.__name__, where=f"{Path(filename).name}:{lineno}")
