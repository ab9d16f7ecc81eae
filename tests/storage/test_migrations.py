"""Migrations: the schema they make is the one that the code describes, however often and by whomever they are run."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from nlp_service.errors import DatabaseOutdated
from nlp_service.storage import migrations
from nlp_service.storage.access_tables import AuditEvent
from nlp_service.storage.database import HEAD, MIGRATIONS, Database, revision_of
from nlp_service.storage.statuses import STATUSES
from nlp_service.storage.tables import (
    Article,
    ArticleChange,
    ArticleEvent,
    ArticleVector,
    ArticleVersion,
    Feedback,
    FeedbackChange,
    Table,
)
from tests.conftest import opened
from tests.postgres import PostgresServer

INSERT = text(
    "INSERT INTO articles (title, problem, scenario, solution, tags, status, created_at, updated_at) "
    "VALUES ('t', 'p', '', 's', '[]', :status, '2026-01-01', '2026-01-01')"
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARTICLE = {"title": "t", "problem": "p", "scenario": "", "solution": "s", "tags": [], "status": "draft"}
MOMENTS = {"created_at": NOW, "updated_at": NOW}
PROCESSES = 4
MIGRATE_WHEN_TOLD = """
import sys
from nlp_service.storage.database import Database

print("ready", flush=True)
for url in sys.stdin:
    database = Database(url.strip())
    database.migrate()
    database.close()
"""


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """Without tables."""
    with opened(empty_url) as created:
        yield created


@pytest.fixture
def migrated(database: Database) -> Database:
    database.migrate()
    return database


def _move(database: Database, move: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        move(config, revision)
        connection.commit()


def _downgrade(database: Database) -> None:
    _move(database, command.downgrade, "base")


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}


def test_the_migrated_schema_is_the_one_of_the_tables(migrated: Database) -> None:
    with migrated.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


@pytest.mark.parametrize("table", ["article_vectors", "article_events", "article_votes", "article_versions"])
def test_what_belongs_to_an_article_goes_with_it(migrated: Database, table: str) -> None:
    (key,) = inspect(migrated.engine).get_foreign_keys(table)
    assert (key["referred_table"], key["options"]) == ("articles", {"ondelete": "CASCADE"})


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_can_be_stored(migrated: Database, status: str) -> None:
    with migrated.engine.begin() as connection:
        assert connection.execute(INSERT, {"status": status}).rowcount == 1


def test_another_status_cannot_be_stored(migrated: Database) -> None:
    with migrated.engine.connect() as connection, pytest.raises(IntegrityError, match="articles_status"):
        connection.execute(INSERT, {"status": "deleted"})


def _article() -> Article:
    return Article(**ARTICLE, **MOMENTS)


def _event() -> ArticleEvent:
    return ArticleEvent(article_id=1, action="submit", by="b", at=NOW)


def _feedback() -> Feedback:
    texts = dict.fromkeys(("text", "scenario", "label", "severity", "sentiment"), "t")
    moments = {"created_at": NOW, "received_at": NOW}
    return Feedback(kind="ticket", status="open", tags=[], confidence=0.5, **texts, **moments)


@pytest.mark.parametrize(
    "new",
    [_article, _event, _feedback, lambda: ArticleChange(record_id=1), lambda: FeedbackChange(record_id=1)],
    ids=["article", "event", "feedback", "article change", "feedback change"],
)
def test_numbers_are_never_used_twice(migrated: Database, new: Callable[[], Table]) -> None:
    numbers = []
    with migrated.write() as session:
        session.add(_article())
    for _ in range(2):
        with migrated.write() as session:
            row = new()
            session.add(row)
            session.flush()
            numbers.append(inspect(row).identity)
        with migrated.write() as session:
            session.delete(row)
    first, second = [number for key in numbers for number in key or ()]
    assert second > first


def test_the_database_is_brought_to_the_last_migration(migrated: Database) -> None:
    with migrated.engine.connect() as connection:
        assert revision_of(connection) == HEAD


def test_the_last_migration_is_the_one_that_alembic_ends_with() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_migrating_again_is_harmless(migrated: Database) -> None:
    with migrated.engine.begin() as connection:
        connection.execute(INSERT, {"status": "draft"})
    migrated.migrate()
    with migrated.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM articles").scalar_one() == 1


def test_what_stood_before_versions_were_kept_is_version_1(database: Database) -> None:
    _move(database, command.upgrade, "0001")
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO articles (title, problem, scenario, solution, tags, product, status, created_at, updated_at)"
            " VALUES ('t', 'p', 'c', 's', '[\"a\", \"b\"]', 'P', 'published',"
            " '2026-01-01 00:00:00.000000', '2026-02-03 04:05:06.000007')"
        )
    database.migrate()
    with database.read() as session:
        (version,) = session.scalars(select(ArticleVersion))
    found = {column: getattr(version, column) for column in ArticleVersion.__table__.columns.keys()}  # noqa: SIM118
    assert found == {
        "article_id": 1,
        "number": 1,
        "title": "t",
        "problem": "p",
        "scenario": "c",
        "solution": "s",
        "tags": ["a", "b"],
        "product": "P",
        "action": "existing",
        "by": None,
        "reason": None,
        "at": datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
    }


@pytest.mark.parametrize("there_and_back", [False, True], ids=["upgraded", "downgraded and upgraded"])
def test_vectors_and_changes_of_articles_stay(database: Database, there_and_back: bool) -> None:
    _move(database, command.upgrade, "0002")
    with database.engine.begin() as connection:
        connection.execute(INSERT, {"status": "draft"})
        connection.execute(text("INSERT INTO article_vectors VALUES (1, 'e', 'c', :vector)"), {"vector": b"\x01"})
        connection.exec_driver_sql("INSERT INTO article_changes (article_id) VALUES (1)")
    database.migrate()
    if there_and_back:
        _move(database, command.downgrade, "0002")
        database.migrate()
    with database.read() as session:
        (vector,), (change,) = session.scalars(select(ArticleVector)), session.scalars(select(ArticleChange))
    assert (vector.record_id, vector.encoder, vector.content, vector.vector) == (1, "e", "c", b"\x01")
    assert (change.sequence, change.record_id) == (1, 1)


def test_the_last_change_that_there_was_gets_a_mark(database: Database) -> None:
    _move(database, command.upgrade, "0003")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO article_changes (record_id) VALUES (1), (2)")
    database.migrate()
    with database.read() as session:
        marks = session.scalars(select(ArticleChange.mark).order_by(ArticleChange.sequence)).all()
    assert [mark is None for mark in marks] == [True, False]


def test_an_empty_database_gets_no_versions(migrated: Database) -> None:
    with migrated.read() as session:
        assert session.scalars(select(ArticleVersion)).all() == []


def test_without_the_review_articles_stay(migrated: Database) -> None:
    with migrated.engine.begin() as connection:
        connection.execute(INSERT, {"status": "published"})
    _move(migrated, command.downgrade, "0001")
    with migrated.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT status FROM articles").scalar_one() == "published"


def test_a_migration_that_fails_leaves_the_schema_as_it_was(database: Database) -> None:
    """0001 works, 0002 finds a table in its way: nothing of either stays."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE article_votes (id INTEGER)")
    with pytest.raises(DBAPIError, match=r'article_votes"? already exists'):
        database.migrate()
    assert inspect(database.engine).get_table_names() == ["article_votes"]


def test_downgrading_to_base_drops_every_table(migrated: Database) -> None:
    _downgrade(migrated)
    assert _tables(migrated) == set()


def test_the_schema_can_go_down_and_up_again(migrated: Database) -> None:
    _downgrade(migrated)
    migrated.migrate()
    assert _tables(migrated) == set(Table.metadata.tables)


def test_a_database_of_a_newer_version_is_refused(migrated: Database) -> None:
    with migrated.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseOutdated, match="9999"):
        migrated.migrate()


def _start_at_once(urls: list[str]) -> tuple[list[int], list[str]]:
    """Several processes that migrate each database in turn: their return codes and what they say of errors."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_WHEN_TOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("".join(f"{url}\n" for url in urls))
        process.stdin.flush()
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [process.returncode for process in processes], errors


def test_processes_that_start_at_once_on_sqlite_all_succeed(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(40)]
    assert _start_at_once(urls) == ([0] * PROCESSES, [""] * PROCESSES)


def test_processes_that_start_at_once_on_postgresql_all_succeed(postgres: PostgresServer) -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(postgres.database(f"test{number}")) for number in range(5)]
        assert _start_at_once(urls) == ([0] * PROCESSES, [""] * PROCESSES)


@pytest.mark.parametrize("change", ["UPDATE audit_events SET status = 200", "DELETE FROM audit_events"])
def test_the_record_of_writes_can_only_grow(migrated: Database, change: str) -> None:
    with migrated.write() as session:
        session.add(AuditEvent(at=NOW, method="POST", route="/v1/knowledge", status=201))
    with migrated.engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql(change)
    with migrated.read() as session:
        assert session.scalars(select(AuditEvent.status)).all() == [201]


def test_the_record_of_writes_cannot_be_emptied_on_postgresql(postgres_database: Database) -> None:
    with postgres_database.engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql("TRUNCATE audit_events")
