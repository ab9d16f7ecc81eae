"""Vectors of encoders that nobody uses any more are deleted, later."""

from datetime import timedelta

import pytest
from sqlalchemy import inspect, select

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.encoders import KEPT, forget_unused, note_use
from nlp_service.knowledge.index.pgvector import PgVectorIndex
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector
from tests.knowledge.conftest import FINGERPRINT, SettableClock, new_article

NEW = "e" * 64


@pytest.fixture
def both(database: Database, store: ArticleStore, clock: SettableClock) -> SettableClock:
    """An article with vectors of two encoders, both used now."""
    created = store.create(new_article())
    with database.write() as session:
        session.add(ArticleVector(record_id=created.id, encoder=NEW, content="c", vector=b"\0" * 4))
    for fingerprint in (FINGERPRINT, NEW):
        note_use(database, fingerprint, clock)
    return clock


def _stored(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(ArticleVector.encoder)))


def test_those_of_one_that_was_used_lately_stay(database: Database, both: SettableClock) -> None:
    both.now += KEPT
    assert (forget_unused(database, both), _stored(database)) == ([], {FINGERPRINT, NEW})


def test_those_of_one_that_was_not_used_for_long_go(database: Database, both: SettableClock) -> None:
    both.now += KEPT + timedelta(seconds=1)
    note_use(database, NEW, both)
    assert (forget_unused(database, both), _stored(database)) == ([FINGERPRINT], {NEW})


def test_one_that_nobody_noted_counts_as_used_now(
    database: Database, store: ArticleStore, clock: SettableClock
) -> None:
    store.create(new_article())
    assert forget_unused(database, clock) == []
    clock.now += KEPT + timedelta(seconds=1)
    assert forget_unused(database, clock) == [FINGERPRINT]


def test_its_table_in_postgresql_goes_with_it(
    postgres_database: Database, engine: Engine, clock: SettableClock
) -> None:
    PgVectorIndex(postgres_database, FINGERPRINT, engine.search_model.dimension)
    note_use(postgres_database, FINGERPRINT, clock)
    clock.now += KEPT + timedelta(seconds=1)
    forget_unused(postgres_database, clock)
    assert not [name for name in inspect(postgres_database.engine).get_table_names() if "vector_index" in name]
