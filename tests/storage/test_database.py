"""Database: writers that commit together or not at all, readers that see one moment; SQLite's connections."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from nlp_service.storage.database import Database
from nlp_service.storage.sqlite import BUSY_TIMEOUT_MS
from nlp_service.storage.tables import Article, ArticleChange, ArticleVector
from tests.conftest import opened

ARTICLE = {"title": "t", "problem": "p", "scenario": "", "solution": "s", "tags": [], "status": "draft"}


def _count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count(ArticleChange.sequence))) or 0


def _write_and_fail(database: Database) -> None:
    with database.write() as session:
        session.add(ArticleChange(record_id=1))
        session.flush()
        raise RuntimeError("on purpose")


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", BUSY_TIMEOUT_MS)]
)
def test_every_connection_to_sqlite_is_configured(tmp_path: Path, pragma: str, value: str | int) -> None:
    with (
        opened(f"sqlite:///{tmp_path / 'nlp.db'}") as database,
        database.engine.connect() as first,
        database.engine.connect() as second,
    ):
        found = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for connection in (first, second)]
    assert found == [value, value]


def test_the_folder_of_an_sqlite_file_is_made(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'a folder' / 'nlp.db'}") as database:
        database.migrate()
    assert (tmp_path / "a folder" / "nlp.db").exists()


def test_what_was_written_is_read(database: Database) -> None:
    with database.write() as session:
        session.add(ArticleChange(record_id=1))
    assert _count(database) == 1


def test_a_writer_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        _write_and_fail(database)
    assert _count(database) == 0


def test_a_writer_can_write_after_one_that_failed(database: Database) -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        _write_and_fail(database)
    with database.write() as session:
        session.add(ArticleChange(record_id=1))
    assert _count(database) == 1


def test_a_vector_without_its_article_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), database.write() as session:
        session.add(ArticleVector(record_id=1, encoder="e", content="c", vector=b""))


def test_a_moment_of_another_zone_is_read_in_utc(database: Database) -> None:
    written = datetime(2026, 10, 1, 16, tzinfo=timezone(timedelta(hours=8)))
    with database.write() as session:
        session.add(Article(**ARTICLE, created_at=written, updated_at=written))
    with database.read() as session:
        assert session.scalars(select(Article)).one().created_at.isoformat() == "2026-10-01T08:00:00+00:00"


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as reading:
        before = reading.scalar(select(func.count(ArticleChange.sequence)))
        with database.write() as writing:
            writing.add(ArticleChange(record_id=1))
        assert reading.scalar(select(func.count(ArticleChange.sequence))) == before


def test_a_reader_sees_what_was_committed_before_it_began(database: Database) -> None:
    for written in range(1, 4):
        with database.write() as session:
            session.add(ArticleChange(record_id=written))
        assert _count(database) == written


def test_concurrent_writers_both_land(database: Database) -> None:
    """Each reads the highest number and writes the next: none may be lost, none may fail as locked."""
    together = Barrier(2)
    rounds = 20

    def write() -> None:
        together.wait(timeout=30)
        for _ in range(rounds):
            with database.write() as session:
                highest = session.scalar(select(func.max(ArticleChange.record_id))) or 0
                session.add(ArticleChange(record_id=highest + 1))

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(write) for _ in range(2)]:
            done.result()
    with database.read() as session:
        numbers = session.scalars(select(ArticleChange.record_id).order_by(ArticleChange.sequence)).all()
    assert list(numbers) == list(range(1, 2 * rounds + 1))
