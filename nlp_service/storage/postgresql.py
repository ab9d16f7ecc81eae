"""PostgreSQL: one writer at a time too, so that whoever follows a sequence of changes never misses one.

A sequence gives its numbers out before the commit. With two writers at once the higher number could be committed first,
and a follower that has seen it would never ask for the lower one again. So every writer takes one advisory lock before
anything else and keeps it until its commit is visible: numbers become visible in their order, as on SQLite.
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from nlp_service.errors import DatabaseUnusable

WRITERS = 0x6E6C70
"""Number of the writers' advisory lock; locks of other databases of the server do not meet it."""
CONNECT_TIMEOUT_S = 10
SESSION = {
    "statement_timeout": "60s",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "5min",
    "timezone": "UTC",
}
"""Of every connection, unless the URL's `options` say otherwise. A process that hangs must not keep the lock."""
POOL_SIZE, POOL_OVERFLOW = 8, 24
"""Connections of a process that stay open, and more while many are needed: three processes fit the server's default."""
READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""Execution options of a transaction that sees one moment."""


def open_postgresql(url: URL) -> Engine:
    """An engine that replaces connections that were lost; raises DatabaseUnusable when the driver is not installed."""
    try:
        engine = create_engine(
            url,
            connect_args=_connect_args(url),
            isolation_level="READ COMMITTED",  # what a writer reads is what stands there once it has the lock
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(
            "PostgreSQL 需要附加依赖 · PostgreSQL needs an extra: pip install 'nlp-service[postgres]'"
        ) from error
    event.listen(engine, "begin", _begin)
    return engine


def _connect_args(url: URL) -> dict[str, Any]:
    """What the URL leaves open."""
    session = [f"-c {name}={value}" for name, value in SESSION.items()]
    given = url.query.get("options", "")
    defaults = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "nlp-service"}
    return {
        **{name: value for name, value in defaults.items() if name not in url.query},
        "options": " ".join([*session, given if isinstance(given, str) else " ".join(given)]).strip(),
    }


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("migrates", False):
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")  # until the process that migrates is done
    if options.get("writes", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
