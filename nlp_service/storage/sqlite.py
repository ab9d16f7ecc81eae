"""SQLite: one file with a write-ahead log, and one writer at a time."""

import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 15_000
WAL_RETRY_S = 0.005
NOT_WRITABLE = "not writable"
"""In the information of a connection: the file, which nobody could write when it was opened."""
POOL_SIZE = 64
"""More than the threads that answer requests (40), so that none waits for a connection while it holds a place."""


def open_sqlite(url: URL) -> Engine:
    """An engine whose connections are configured; the folder of the file is made."""
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=POOL_SIZE, max_overflow=0, hide_parameters=True
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "checkout", _replace_read_only)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where this code says so
    _write_ahead(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    if not os.access(file, os.W_OK):
        record.info[NOT_WRITABLE] = file


def _replace_read_only(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    # A file that cannot be written SQLite opens for reading, and a connection stays as it was opened.
    file = record.info.get(NOT_WRITABLE)
    if file and os.access(file, os.W_OK):
        raise DisconnectionError(f"{file} can be written again")


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite answers "locked" at once, without its busy timeout, when two connections turn a new file to WAL together.
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(WAL_RETRY_S)


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock later fails when another process wrote meanwhile.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
