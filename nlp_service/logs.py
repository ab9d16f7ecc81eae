"""Structured logs. They hold ids, counts and times, never what customers wrote.

What libraries log, and the messages of exceptions, may quote what they worked on; so of the former only the place is
written, of the latter the class and the lines of code. Uvicorn's messages quote nothing and are kept.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, _add_traceback, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    last = [_add_traceback, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    _write_libraries(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*first, _keep_place], processors=last), level
    )
    warnings.showwarning = _log_warning


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes where standard error goes now; of its kind there is one."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # looked up each time
        return sys.stderr


def _write_libraries(formatter: logging.Formatter, level: int) -> None:
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if isinstance(handler, _StderrHandler)] or [_StderrHandler()]
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.setLevel(max(level, logging.WARNING))
        root.addHandler(handler)


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
