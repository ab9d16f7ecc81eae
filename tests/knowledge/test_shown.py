"""Records that searches show: read once, and anew when they change."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event

from nlp_service.knowledge.article import ArticleUpdate
from nlp_service.knowledge.followed import FollowedIndexes
from nlp_service.knowledge.keys import key_of
from nlp_service.knowledge.shown import RECORD, ShownRecords
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from tests.knowledge.conftest import new_article


class Statements:
    """What is asked of a database."""

    def __init__(self) -> None:
        self.count = 0
        self.then: Callable[[], object] | None = None
        """Called once, when the answer of the next one is there."""

    def note(self, *_: object) -> None:
        """Count a statement that was executed."""
        self.count += 1
        then, self.then = self.then, None
        if then is not None:
            then()


@pytest.fixture
def read(database: Database) -> Iterator[Statements]:
    """Statements that read records."""
    made = Statements()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "solution" in statement:
            made.note()

    event.listen(database.engine, "after_cursor_execute", note)
    yield made
    event.remove(database.engine, "after_cursor_execute", note)


@pytest.fixture
def keys(store: ArticleStore) -> list[int]:
    """Those of three articles of 10 characters each."""
    made = [
        store.create(new_article(title=f"登录{number}", problem="超时了", solution="重启它")) for number in range(3)
    ]
    return [key_of("article", article.id) for article in made]


@pytest.fixture
def shown(database: Database) -> ShownRecords:
    return ShownRecords(database)


def test_what_was_shown_is_not_read_again(shown: ShownRecords, keys: list[int], read: Statements) -> None:
    first = shown.of(keys)
    assert shown.of(keys) == first
    assert set(first) == set(keys)
    assert read.count == 1


def test_only_what_is_unknown_is_read(shown: ShownRecords, keys: list[int], read: Statements) -> None:
    shown.of(keys[:2])
    assert set(shown.of(keys)) == set(keys)
    shown.of(keys)
    assert read.count == 2


def test_what_is_forgotten_is_read_again(shown: ShownRecords, keys: list[int], read: Statements) -> None:
    shown.of(keys)
    shown.forget([keys[1], 999])
    shown.of([keys[0], keys[2]])
    assert read.count == 1
    shown.of(keys)
    assert read.count == 2
    shown.forget_all()
    shown.of(keys)
    assert read.count == 3


def test_the_least_recently_shown_is_forgotten_beyond_the_limit(
    database: Database, keys: list[int], read: Statements
) -> None:
    shown = ShownRecords(database, characters=2 * (RECORD + 10))
    shown.of(keys[:2])
    shown.of(keys[:1])
    shown.of(keys[2:])
    assert read.count == 2
    shown.of([keys[0], keys[2]])
    assert read.count == 2
    shown.of([keys[1]])
    assert read.count == 3


def test_a_record_beyond_the_limit_is_shown_all_the_same(database: Database, keys: list[int], read: Statements) -> None:
    shown = ShownRecords(database, characters=RECORD + 9)
    assert set(shown.of(keys)) == set(shown.of(keys)) == set(keys)
    assert read.count == 2


def test_a_record_that_does_not_exist_is_left_out(shown: ShownRecords, keys: list[int], store: ArticleStore) -> None:
    store.delete(keys[0] // 2)
    assert set(shown.of([*keys, key_of("case", 7)])) == set(keys[1:])


def test_a_record_that_changes_while_it_is_read_is_not_kept(
    shown: ShownRecords, keys: list[int], read: Statements
) -> None:
    read.then = lambda: shown.forget(keys[:1])
    shown.of(keys)
    shown.of(keys)
    assert read.count == 2


def test_who_follows_the_changes_shows_the_new_text(
    database: Database, store: ArticleStore, keys: list[int], read: Statements
) -> None:
    indexes = FollowedIndexes(database)
    indexes.build()
    indexes.shown.of(keys)
    store.update(keys[0] // 2, ArticleUpdate(solution="换一个"))
    indexes.follow()
    before = read.count
    assert [one.solution for one in indexes.shown.of(keys).values()].count("换一个") == 1
    assert read.count == before + 1


def test_rebuilding_reads_all_records_anew(database: Database, keys: list[int], read: Statements) -> None:
    indexes = FollowedIndexes(database)
    indexes.build()
    indexes.shown.of(keys)
    indexes.build()
    before = read.count
    indexes.shown.of(keys)
    assert read.count == before + 1
