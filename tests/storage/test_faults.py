"""Errors of the database are told apart by their codes, not by their words."""

import sqlite3

import psycopg.errors
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from nlp_service.storage.faults import BUSY, DAMAGED, FULL, GONE, READ_ONLY, Fault, fault_of


def _sqlite(code: int) -> DBAPIError:
    original = sqlite3.OperationalError("in words that change")
    original.sqlite_errorcode = code
    return _wrapped(original, sqlite3.Error)


def _wrapped(original: Exception, base: type[Exception]) -> DBAPIError:
    error = DBAPIError.instance("SELECT 1", {}, original, base)
    assert isinstance(error, DBAPIError)
    return error


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sqlite3.SQLITE_BUSY, BUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, BUSY),
        (sqlite3.SQLITE_FULL, FULL),
        (sqlite3.SQLITE_READONLY, READ_ONLY),
        (sqlite3.SQLITE_IOERR_WRITE, READ_ONLY),
        (sqlite3.SQLITE_IOERR_READ, GONE),
        (sqlite3.SQLITE_CANTOPEN, GONE),
        (sqlite3.SQLITE_CORRUPT, DAMAGED),
        (sqlite3.SQLITE_ERROR, None),
        (sqlite3.SQLITE_TOOBIG, None),
    ],
)
def test_a_code_of_sqlite_names_the_fault(code: int, fault: Fault | None) -> None:
    assert fault_of(_sqlite(code)) is fault


@pytest.mark.parametrize(
    ("original", "fault"),
    [
        (psycopg.errors.LockNotAvailable, BUSY),
        (psycopg.errors.QueryCanceled, BUSY),
        (psycopg.errors.TooManyConnections, BUSY),
        (psycopg.errors.DiskFull, FULL),
        (psycopg.errors.ReadOnlySqlTransaction, READ_ONLY),
        (psycopg.errors.AdminShutdown, GONE),
        (psycopg.errors.CannotConnectNow, GONE),
        (psycopg.OperationalError, GONE),
        (psycopg.errors.DataCorrupted, DAMAGED),
        (psycopg.errors.UndefinedTable, None),
        (psycopg.errors.NumericValueOutOfRange, None),
    ],
)
def test_a_code_of_postgresql_names_the_fault(original: type[psycopg.Error], fault: Fault | None) -> None:
    assert fault_of(_wrapped(original(), psycopg.Error)) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PoolTimeout(), BUSY),
        (IntegrityError("INSERT", {}, sqlite3.IntegrityError()), None),
        (NoResultFound(), None),
    ],
)
def test_what_is_wrong_with_a_statement_is_no_fault_of_the_database(
    error: SQLAlchemyError, fault: Fault | None
) -> None:
    assert fault_of(error) is fault
