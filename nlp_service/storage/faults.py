"""What is wrong with the database, told apart by the codes of SQLite and PostgreSQL."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError  # noqa: A004 - the pool has no other name for it


@dataclass(frozen=True)
class Fault:
    """Why nothing can be read or written for now."""

    name: str
    message: str
    retry_after: int
    """Seconds after which it is worth to try again."""


BUSY = Fault("busy", "数据库繁忙,请稍后再试 · the database is busy, try again", 2)
GONE = Fault("gone", "数据库无法访问,恢复后自动继续 · the database does not answer; all goes on once it does", 5)
FULL = Fault("full", "存储空间已满,未写入 · no room is left to store anything; nothing was written", 30)
READ_ONLY = Fault("read_only", "数据库只读,未写入 · the database is read-only; nothing was written", 30)
DAMAGED = Fault(
    "damaged", "数据库已损坏,须由备份恢复 · the database is damaged and must be restored from a backup", 300
)

_SQLITE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR_WRITE: READ_ONLY,  # the disk has become read-only since the file was opened
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_CANTOPEN: GONE,
    sqlite3.SQLITE_IOERR: GONE,
    sqlite3.SQLITE_PERM: GONE,
    sqlite3.SQLITE_AUTH: GONE,
}
"""By extended code, or else by its primary one."""
_POSTGRESQL = {
    "08": GONE,  # connection exception
    "25006": READ_ONLY,
    "28": GONE,  # authorization
    "3D": GONE,  # no such database
    "40": BUSY,  # serialisation failure, deadlock
    "53": BUSY,  # too many connections, out of memory
    "53100": FULL,
    "55P03": BUSY,  # lock timeout
    "57014": BUSY,  # statement timeout
    "57P": GONE,  # shutting down, starting up
    "58": GONE,  # system error
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
"""By SQLSTATE, or how it begins; the longest counts."""


def fault_of(error: SQLAlchemyError) -> Fault | None:
    """The fault behind an error; none when a statement is wrong, not the database."""
    if isinstance(error, TimeoutError):
        return BUSY
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return _SQLITE.get(code, _SQLITE.get(code & 0xFF))
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or (state is None and type(error).__name__ == "OperationalError"):
        return GONE
    return next((_POSTGRESQL[state[:length]] for length in (5, 3, 2) if state and state[:length] in _POSTGRESQL), None)
