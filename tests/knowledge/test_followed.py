"""Indexes that follow the database while searches go on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

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
