"""PostgreSQL: changes become visible in their order, lost connections are replaced, and what is missing is named."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError, OperationalError

from nlp_service.errors import DatabaseUnusable
from nlp_service.storage.database import Database
from nlp_service.storage.postgresql import SESSION
from nlp_service.storage.tables import ArticleChange
from tests.conftest import opened
from tests.postgres import PostgresServer

SECRET = "s3cret-pass"  # noqa: S105 - of no account
WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from nlp_service.errors import DatabaseUnusable
from nlp_service.storage.database import Database
Database("sqlite:///nlp.db")
try:
    Database("postgresql+psycopg://nlp@db/nlp")
except DatabaseUnusable as error:
    print(error)
"""


@pytest.fixture
def database(postgres_database: Database) -> Database:
    return postgres_database


def _write(database: Database) -> None:
    with database.write() as session:
        session.add(ArticleChange(record_id=1))


def _sequences(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(ArticleChange.sequence).order_by(ArticleChange.sequence)))


def test_a_later_number_is_not_visible_before_an_earlier_one(database: Database) -> None:
    """A second writer, begun while the first has its number but has not committed, waits for it."""
    first_has_its_number, first_may_commit = Event(), Event()

    def write_slowly() -> None:
        with database.write() as session:
            session.add(ArticleChange(record_id=1))
            session.flush()
            first_has_its_number.set()
            first_may_commit.wait(timeout=30)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(write_slowly)
        first_has_its_number.wait(timeout=30)
        second = threads.submit(_write, database)
        waiting = (
            select(func.count()).select_from(text("pg_locks")).where(text("locktype = 'advisory' AND NOT granted"))
        )
        with database.engine.connect() as connection:
            while not connection.scalar(waiting) and not second.done():
                connection.rollback()
        seen = _sequences(database)
        first_may_commit.set()
        first.result()
        second.result()
    assert (seen, len(_sequences(database))) == ([], 2)


def test_a_follower_beside_writers_never_misses_a_change(database: Database) -> None:
    followed: list[int] = []

    def follow() -> None:
        with database.read() as session:
            last = followed[-1] if followed else 0
            found = select(ArticleChange.sequence).where(ArticleChange.sequence > last)
            followed.extend(session.scalars(found.order_by(ArticleChange.sequence)))

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(_write, database) for _ in range(80)]
        while not all(writer.done() for writer in writers):
            follow()
        for writer in writers:
            writer.result()
    follow()
    assert followed == _sequences(database)


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(InternalError, match="read-only"), database.read() as session:
        session.execute(text("DELETE FROM article_changes"))


@pytest.mark.parametrize("name", SESSION)
def test_every_connection_is_configured(database: Database, name: str) -> None:
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql(f"SHOW {name}").scalar_one() in {SESSION[name], "1min"}


def test_options_in_the_url_win(postgres_url: str) -> None:
    with (
        opened(f"{postgres_url}&options=-c%20statement_timeout%3D7s") as database,
        database.engine.connect() as connection,
    ):
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in ("statement_timeout", "timezone")]
    assert found == ["7s", "UTC"]


def test_a_statement_that_takes_too_long_is_ended(postgres_url: str) -> None:
    with (
        opened(f"{postgres_url}&options=-c%20statement_timeout%3D50ms") as database,
        database.read() as session,
        pytest.raises(OperationalError, match="statement timeout"),
    ):
        session.execute(text("SELECT pg_sleep(60)"))


def _lose_connections(database: Database) -> None:
    with opened(str(database.engine.url)) as other, other.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).all()


def _write_and_lose_the_connection(database: Database) -> None:
    with database.write() as session:
        session.add(ArticleChange(record_id=1))
        session.flush()
        _lose_connections(database)


def test_connections_that_were_lost_are_replaced(database: Database) -> None:
    _write(database)
    _lose_connections(database)
    _write(database)
    assert len(_sequences(database)) == 2


def test_a_writer_that_lost_its_connection_frees_the_others(database: Database) -> None:
    with pytest.raises(OperationalError):
        _write_and_lose_the_connection(database)
    _write(database)
    assert len(_sequences(database)) == 1


def test_a_missing_driver_is_named_with_its_extra_and_sqlite_works_without(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVER]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "nlp-service[postgres]" in done.stdout, done.stderr


def test_a_server_that_does_not_answer_is_named_without_the_password(postgres: PostgresServer) -> None:
    url = f"postgresql://nlp:{SECRET}@/nlp?host={postgres.folder / 'nowhere'}"
    with opened(url) as database, pytest.raises(DatabaseUnusable, match="nowhere") as refused:
        database.migrate()
    assert SECRET not in str(refused.value)
