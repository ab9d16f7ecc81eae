"""Watches the database: how long statements take, which errors it gives, never what stands in them.

A trace has a span for each transaction: an import may have thousands of statements.
"""

import time
from typing import Any

from opentelemetry.trace import SpanKind
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from nlp_service.observability.metrics import DATABASE_ERRORS, DATABASE_SECONDS
from nlp_service.observability.tracing import past_span

OTHER = "other"
OPERATIONS = {name: DATABASE_SECONDS.labels(name) for name in ("select", "insert", "update", "delete", "begin", OTHER)}
"""`begin` holds the wait for the lock of writers on SQLite."""
BEGUN, TRANSACTION = "nlp_begun", "nlp_transaction"
POOL_EXHAUSTED = "PoolTimeout"


def watch_database(engine: Engine) -> None:
    """Observe every statement and every error from now on."""
    for error in ("OperationalError", POOL_EXHAUSTED):
        DATABASE_ERRORS.labels(error)
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _failed)
    event.listen(engine, "begin", _begin_transaction, insert=True)  # before SQLite waits for its lock
    event.listen(engine, "commit", _end_transaction)
    event.listen(engine, "rollback", _end_transaction)


def _begin_transaction(connection: Connection) -> None:
    connection.info[TRANSACTION] = [time.perf_counter(), 0]


def _end_transaction(connection: Connection) -> None:
    begun, statements = connection.info.pop(TRANSACTION, (None, 0))
    if begun is not None:
        seconds = time.perf_counter() - begun
        system = connection.dialect.name
        past_span("database", seconds, kind=SpanKind.CLIENT, statements=statements, **{"db.system.name": system})


def _begin(connection: Connection, *_: Any) -> None:
    connection.info[BEGUN] = time.perf_counter()


def _end(connection: Connection, _cursor: object, statement: str, *_: Any) -> None:
    seconds = time.perf_counter() - connection.info[BEGUN]
    if TRANSACTION in connection.info:
        connection.info[TRANSACTION][1] += 1
    OPERATIONS.get(statement[:6].rstrip().lower(), OPERATIONS[OTHER]).observe(seconds)


def _failed(context: ExceptionContext) -> None:
    DATABASE_ERRORS.labels(type(context.sqlalchemy_exception or context.original_exception).__name__).inc()
