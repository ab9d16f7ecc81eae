"""An import can be repeated and goes on where it stopped."""

import pytest

from nlp_service.knowledge.article import ArticleCreate, ArticleUpdate
from nlp_service.knowledge.formats.importing import Importer, batches
from nlp_service.knowledge.store import ArticleStore, ImportCounts, count_articles
from nlp_service.storage.database import Database
from tests.knowledge.conftest import RecordingEncoder, new_article


def _import(store: ArticleStore, database: Database, *articles: ArticleCreate) -> ImportCounts:
    importer = Importer(store, database)
    for batch in batches(articles, 2):
        importer.add(batch)
    return importer.counts


@pytest.fixture
def stored(store: ArticleStore) -> int:
    """The id of an article without external id."""
    return store.create(new_article(tags=["登录"])).id


def test_articles_without_external_id_are_doubled_by_no_second_import(store: ArticleStore, database: Database) -> None:
    _import(store, database, new_article())
    assert _import(store, database, new_article()) == ImportCounts(unchanged=1)


def test_the_same_content_twice_in_one_import_is_one_article(store: ArticleStore, database: Database) -> None:
    assert _import(store, database, new_article(), new_article()) == ImportCounts(created=1, unchanged=1)


def test_another_status_of_the_same_content_updates_it(store: ArticleStore, database: Database) -> None:
    _import(store, database, new_article())
    assert _import(store, database, new_article(status="published")) == ImportCounts(updated=1)


def test_edited_content_without_external_id_is_a_new_article(store: ArticleStore, database: Database) -> None:
    _import(store, database, new_article())
    assert _import(store, database, new_article(solution="重启")) == ImportCounts(created=1)


def test_an_article_that_was_stored_without_external_id_is_known_by_its_content(
    store: ArticleStore, database: Database, stored: int
) -> None:
    assert _import(store, database, new_article(tags=["登录"])) == ImportCounts(unchanged=1)
    assert store.get(stored).external_id is None


def test_such_an_article_is_updated(store: ArticleStore, database: Database, stored: int) -> None:
    assert _import(store, database, new_article(tags=["密码"])) == ImportCounts(updated=1)
    assert store.get(stored).tags == ["密码"]


def test_what_a_record_does_not_give_stays(store: ArticleStore, database: Database, stored: int) -> None:
    store.update(stored, ArticleUpdate(status="published"))
    assert _import(store, database, new_article()) == ImportCounts(unchanged=1)
    assert store.get(stored).status == "published"


def test_the_last_record_with_an_external_id_counts(store: ArticleStore, database: Database) -> None:
    records = [new_article(external_id="KB-1", title=title) for title in ("一", "二", "三")]
    assert _import(store, database, *records) == ImportCounts(created=1, updated=2)
    assert [article.title for article in store.page()[0]] == ["三"]


def test_after_an_interruption_the_same_import_goes_on(
    store: ArticleStore, database: Database, encoder: RecordingEncoder
) -> None:
    records = [new_article(title=f"第{number}篇") for number in range(5)]
    encoder.breaks_at = "第3篇"
    with pytest.raises(RuntimeError):
        _import(store, database, *records)
    assert count_articles(database) == 2
    encoder.breaks_at = None
    assert _import(store, database, *records) == ImportCounts(created=3, unchanged=2)


def test_what_is_stored_already_is_not_encoded_again(
    store: ArticleStore, database: Database, encoder: RecordingEncoder
) -> None:
    _import(store, database, new_article())
    encoder.texts.clear()
    _import(store, database, new_article())
    assert encoder.texts == []


def test_batches_take_no_more_than_they_give() -> None:
    articles = iter([new_article()] * 5)
    assert len(next(batches(articles, 2))) == 2
    assert sum(1 for _ in articles) == 3
