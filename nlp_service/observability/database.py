"""Watches the database: how long statements take, which errors it gives. Never what stands in them."""

import time
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from nlp_service.observability.metrics import DATABASE_ERRORS, DATABASE_SECONDS

OTHER = "other"
OPERATIONS = {name: DATABASE_SECONDS.labels(name) for name in ("select", "insert", "update", "delete", "begin", OTHER)}
"""`begin` holds the wait for the lock of writers on SQLite."""
BEGUN = "nlp_begun"
POOL_EXHAUSTED = "PoolTimeout"


def watch_database(engine: Engine) -> None:
    """Observe every statement and every error from now on."""
    for error in ("OperationalError", POOL_EXHAUSTED):
        DATABASE_ERRORS.labels(error)
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _failed)


def _begin(connection: Connection, *_: Any) -> None:
    connection.info[BEGUN] = time.perf_counter()


def _end(connection: Connection, _cursor: object, statement: str, *_: Any) -> None:
    seconds = time.perf_counter() - connection.info[BEGUN]
    OPERATIONS.get(statement[:6].rstrip().lower(), OPERATIONS[OTHER]).observe(seconds)


def _failed(context: ExceptionContext) -> None:
    DATABASE_ERRORS.labels(type(context.sqlalchemy_exception or context.original_exception).__name__).inc()
