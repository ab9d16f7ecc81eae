"""Indexes that follow the database while searches go on."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from nlp_service.knowledge import reading
from nlp_service.knowledge.followed import FollowedIndexes
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms
from tests.knowledge.conftest import new_article

SECONDS = 30.0


class Gate:
    """Segmentation that waits at a gate until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def terms(self, text: str) -> list[str]:
        """The terms of a text, once the gate is open."""
        self.reached.set()
        assert self.opened.wait(SECONDS)
        return terms(text)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate before the texts of changed records are segmented."""
    made = Gate()
    monkeypatch.setattr(reading, "terms", made.terms)
    return made


@pytest.fixture
def indexes(database: Database) -> FollowedIndexes:
    """Indexes without records."""
    made = FollowedIndexes(database)
    made.build()
    return made


@pytest.fixture
def executor(gate: Gate) -> Iterator[ThreadPoolExecutor]:
    """Opens the gate at last, for it waits for what it runs."""
    with ThreadPoolExecutor() as made:
        yield made
        gate.opened.set()


def test_the_indexes_can_be_searched_while_texts_are_segmented(
    indexes: FollowedIndexes, store: ArticleStore, gate: Gate, executor: ThreadPoolExecutor
) -> None:
    store.create(new_article(title="打印机脱机"))
    following = executor.submit(indexes.follow)
    assert gate.reached.wait(SECONDS)
    with indexes.lock:
        assert not following.done()


def test_who_comes_while_another_follows_waits_for_what_was_committed_before(
    indexes: FollowedIndexes, store: ArticleStore, gate: Gate, executor: ThreadPoolExecutor
) -> None:
    store.create(new_article(title="打印机脱机"))
    first = executor.submit(indexes.follow)
    assert gate.reached.wait(SECONDS)
    store.create(new_article(title="发票抬头"))
    second = executor.submit(indexes.follow)
    gate.opened.set()
    second.result()
    assert len(indexes.text) == 2
    first.result()


@pytest.fixture
def looks(database: Database) -> Iterator[list[str]]:
    """Statements that ask for the last changes."""
    made: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT (SELECT max("):
            made.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield made
    event.remove(database.engine, "before_cursor_execute", note)


def test_one_who_came_before_another_looked_need_not_look(indexes: FollowedIndexes, looks: list[str]) -> None:
    came = time.perf_counter()
    indexes.follow()
    indexes.follow(came)
    assert len(looks) == 1


def test_one_who_came_after_another_looked_looks(indexes: FollowedIndexes, store: ArticleStore) -> None:
    indexes.follow()
    store.create(new_article(title="打印机脱机"))
    indexes.follow(time.perf_counter())
    assert len(indexes.text) == 1


def test_nobody_relies_on_one_who_has_not_found_the_changes_yet(
    indexes: FollowedIndexes, store: ArticleStore, gate: Gate, executor: ThreadPoolExecutor
) -> None:
    store.create(new_article(title="打印机脱机"))
    came = time.perf_counter()
    first = executor.submit(indexes.follow)
    assert gate.reached.wait(SECONDS)
    second = executor.submit(indexes.follow, came)
    with pytest.raises(TimeoutError):
        second.result(timeout=0.2)
    gate.opened.set()
    second.result()
    assert len(indexes.text) == 1
    first.result()


def test_nobody_relies_on_one_who_failed(
    indexes: FollowedIndexes, store: ArticleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(new_article(title="打印机脱机"))
    came = time.perf_counter()
    with monkeypatch.context() as broken:
        broken.setattr(reading, "terms", None)
        with pytest.raises(TypeError):
            indexes.follow()
    indexes.follow(came)
    assert len(indexes.text) == 1
