"""A snapshot that is damaged or foreign is refused, with the reason, and what is missing is built anew."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from structlog.testing import capture_logs

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.relevance import MODES
from nlp_service.knowledge.searches import Searches
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector
from tests.held import HeldBatcher, started_at_once
from tests.knowledge.snapshot.conftest import STATUSES, Find
from tests.knowledge.snapshot.damages import OF_ALL, OF_VECTORS, Damage, name_of

PATIENCE = 30.0
"""Seconds."""


@pytest.mark.parametrize("damage", [*OF_ALL, *OF_VECTORS], ids=name_of)
def test_the_log_says_why(
    snapshot: Path, searches: Searches, engine: Engine, database: Database, damage: Damage
) -> None:
    damage(snapshot, database)
    with capture_logs() as logs:
        searches.load(engine)
    (reason,) = (entry["reason"] for entry in logs if entry["event"] == "snapshot refused")
    assert {**OF_ALL, **OF_VECTORS}[damage] in reason


@pytest.mark.parametrize("damage", [*OF_ALL, *OF_VECTORS], ids=name_of)
def test_search_finds_what_it_found_before(
    snapshot: Path, searches: Searches, engine: Engine, database: Database, find: Find, damage: Damage
) -> None:
    before = [find(searches.load(engine), "打印机 脱机", mode) for mode in MODES]
    damage(snapshot, database)
    search = Searches(database, snapshot.parents[1], STATUSES).load(engine)
    assert [find(search, "打印机 脱机", mode) for mode in MODES] == before


@pytest.mark.parametrize("damage", OF_ALL, ids=name_of)
def test_it_is_deleted(snapshot: Path, searches: Searches, engine: Engine, database: Database, damage: Damage) -> None:
    damage(snapshot, database)
    searches.load(engine)
    assert not snapshot.exists()


def test_an_older_one_that_is_good_is_opened(snapshot: Path, searches: Searches, engine: Engine) -> None:
    newer = snapshot.with_name("9" * 20)
    newer.mkdir()
    with capture_logs() as logs:
        searches.load(engine)
    assert [entry["snapshot"] for entry in logs if entry["event"] == "snapshot opened"] == [snapshot.name]


class TestRebuilding:
    """The service while what was refused is built anew: an encoder that has not answered yet."""

    @pytest.fixture
    def held(self, engine: Engine) -> Iterator[HeldBatcher]:
        batcher = HeldBatcher(engine)
        yield batcher
        batcher.go.set()
        batcher.close()

    @pytest.fixture(params=[next(iter(OF_ALL)), next(iter(OF_VECTORS))], ids=name_of)
    def rebuilding(
        self,
        request: pytest.FixtureRequest,
        snapshot: Path,
        database: Database,
        searches: Searches,
        engine: Engine,
        held: HeldBatcher,
    ) -> Iterator[tuple[Searches, Engine]]:
        """Started, without its vectors."""
        request.param(snapshot, database)
        with database.write() as session:
            session.execute(delete(ArticleVector))
        waiting = engine.searching_with(held)
        with started_at_once():
            searches.start(waiting)
        assert held.asked.wait(60)  # the words have been read by then
        yield searches, waiting
        held.go.set()
        searches.close()

    @pytest.mark.parametrize("mode", ["lexical", "hybrid", "dense"])
    def test_search_answers_by_words(self, rebuilding: tuple[Searches, Engine], find: Find, mode: str) -> None:
        searches, engine = rebuilding
        assert [name for name, _ in find(searches.of(engine), "E2107", mode)] == ["vpn"]

    def test_it_is_said(self, rebuilding: tuple[Searches, Engine]) -> None:
        searches, engine = rebuilding
        assert searches.of(engine).degraded == "rebuilding"

    def test_afterwards_search_is_whole(
        self, rebuilding: tuple[Searches, Engine], held: HeldBatcher, find: Find
    ) -> None:
        searches, engine = rebuilding
        search = searches.of(engine)
        held.go.set()
        give_up = time.monotonic() + PATIENCE
        while search.degraded and time.monotonic() < give_up:
            time.sleep(0.01)
        assert (search.degraded, find(search, "没有墨水了", "dense")[0][0]) == (None, "printer")
