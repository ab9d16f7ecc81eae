"""Operators see how far the indexes of a process are behind the database."""

from pathlib import Path

import pytest

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.index_state import IndexState
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from tests.knowledge.conftest import new_article


@pytest.fixture
def store(database: Database, engine: Engine) -> ArticleStore:
    return ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint)


@pytest.fixture
def searches(database: Database, tmp_path: Path, engine: Engine) -> Searches:
    """A process that follows the database only when it is told."""
    opened = Searches(database, tmp_path / "index", ("draft",))
    opened.load(engine)
    return opened


def _of_articles(state: IndexState) -> tuple[int, int]:
    return state.records["article"], state.lag["article"]


def test_what_was_written_since_is_the_lag(searches: Searches, store: ArticleStore, engine: Engine) -> None:
    store.create(new_article())
    store.create(new_article(title="发票"))
    assert _of_articles(searches.state(engine)) == (0, 2)


def test_indexes_that_followed_have_no_lag(searches: Searches, store: ArticleStore, engine: Engine) -> None:
    store.create(new_article())
    searches.of(engine).follow()
    assert _of_articles(searches.state(engine)) == (1, 0)


def test_changes_that_no_snapshot_holds_are_counted(searches: Searches, store: ArticleStore, engine: Engine) -> None:
    before = searches.state(engine).unsaved
    store.create(new_article())
    searches.of(engine).follow()
    assert searches.state(engine).unsaved == before + 1


def test_indexes_that_nobody_keeps_were_never_kept(searches: Searches, engine: Engine) -> None:
    assert searches.state(engine).kept_at is None


def test_indexes_are_kept_from_the_start_on(database: Database, tmp_path: Path, engine: Engine) -> None:
    started = Searches(database, tmp_path / "index", ("draft",))
    started.start(engine)
    kept_at = started.state(engine).kept_at
    started.close()
    assert kept_at is not None
