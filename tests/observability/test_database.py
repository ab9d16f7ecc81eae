"""Statements and errors of the database are counted by kind, never by what stands in them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from nlp_service.observability.database import watch_database
from nlp_service.observability.exposition import exposition
from nlp_service.storage.database import Database
from tests.observability.values import summed


@pytest.fixture
def watched(database: Database) -> Database:
    watch_database(database.engine)
    return database


def _statements(operation: str) -> float:
    return summed(exposition().decode(), "nlp_database_seconds_count", operation=operation)


def _errors(**labels: str) -> float:
    return summed(exposition().decode(), "nlp_database_errors_total", **labels)


def test_statements_are_timed_by_operation(watched: Database) -> None:
    before = _statements("insert")
    with watched.write() as session:
        session.execute(text("INSERT INTO search_encoders (fingerprint, used_at) VALUES ('a', '2026-01-01')"))
    assert _statements("insert") == before + 1


def test_unusual_statements_are_counted_together(watched: Database) -> None:
    before = _statements("other")
    with watched.write() as session:
        session.execute(text("CREATE TABLE unusual (id INTEGER)"))
    assert _statements("other") == before + 1
    assert "unusual" not in exposition().decode()


def test_errors_are_counted_by_class(watched: Database) -> None:
    before = _errors()
    with watched.read() as session, pytest.raises(DBAPIError) as raised:
        session.execute(text("SELECT canary FROM nowhere"))
    assert _errors(error=type(raised.value).__name__) >= 1
    assert _errors() == before + 1


def test_a_server_that_does_not_answer_is_counted() -> None:
    absent = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    watch_database(absent.engine)
    before = _errors(error="OperationalError")
    with pytest.raises(DBAPIError), absent.read() as session:
        session.execute(text("SELECT 1"))
    assert _errors(error="OperationalError") == before + 1
    absent.close()
