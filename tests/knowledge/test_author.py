"""What an author without the right to review can make of articles."""

import pytest

from nlp_service.errors import Forbidden
from nlp_service.knowledge.article import ArticleUpdate
from nlp_service.knowledge.author import Author
from nlp_service.knowledge.formats.importing import Importer
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import STATUSES
from tests.knowledge.conftest import new_article

WRITER = Author("李工", reviews=False)
REVIEWER = Author("王编辑", reviews=True)


@pytest.mark.parametrize("status", sorted(set(STATUSES) - {"draft"}))
class TestAnotherStatus:
    def test_a_writer_cannot_create_with_it(self, store: ArticleStore, status: str) -> None:
        with pytest.raises(Forbidden, match="knowledge:review"):
            store.create(new_article(status=status), author=WRITER)
        assert store.page()[1] == 0

    def test_a_reviewer_can(self, store: ArticleStore, status: str) -> None:
        assert store.create(new_article(status=status), author=REVIEWER).status == status

    def test_a_writer_cannot_give_it_to_a_draft(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(), author=WRITER)
        with pytest.raises(Forbidden, match="submit"):
            store.update(article.id, ArticleUpdate.model_validate({"status": status}), author=WRITER)
        assert store.get(article.id).status == "draft"

    def test_a_writer_can_make_a_draft_of_it(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(status=status))
        assert store.update(article.id, ArticleUpdate(status="draft", title="新标题"), author=WRITER).status == "draft"

    def test_a_writer_can_give_the_status_that_it_has(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(status=status))
        same = ArticleUpdate.model_validate({"status": status, "title": article.title})
        assert store.update(article.id, same, author=WRITER).status == status

    def test_a_writer_cannot_import_with_it(self, store: ArticleStore, status: str) -> None:
        good = new_article(external_id="KB-1")
        with pytest.raises(Forbidden, match="knowledge:review"):
            store.import_articles([good, new_article(external_id="KB-2", status=status)], author=WRITER)
        assert store.page()[1] == 0


@pytest.mark.parametrize("status", ["published", "archived"])
class TestReviewedContent:
    def test_a_writer_cannot_change_it(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(status=status))
        with pytest.raises(Forbidden, match="draft"):
            store.update(article.id, ArticleUpdate(solution="别的办法"), author=WRITER)
        assert store.get(article.id).solution == article.solution

    def test_a_reviewer_can(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(status=status))
        assert store.update(article.id, ArticleUpdate(solution="别的办法"), author=REVIEWER).status == status

    def test_a_writer_cannot_restore_another_version(self, store: ArticleStore, status: str) -> None:
        article = store.create(new_article(status=status))
        store.update(article.id, ArticleUpdate(solution="别的办法"))
        with pytest.raises(Forbidden, match="draft"):
            store.restore(article.id, 1, author=WRITER)
        assert store.get(article.id).solution == "别的办法"

    def test_a_writer_cannot_change_it_by_importing(self, store: ArticleStore, status: str) -> None:
        store.create(new_article(external_id="KB-1", status=status))
        with pytest.raises(Forbidden, match="draft"):
            store.import_articles([new_article(external_id="KB-1", solution="别的办法")], author=WRITER)

    def test_a_writer_can_import_it_unchanged(self, store: ArticleStore, status: str) -> None:
        store.create(new_article(external_id="KB-1", status=status))
        counts = store.import_articles([new_article(external_id="KB-1", status=status)], author=WRITER)
        assert counts.unchanged == 1

    def test_a_file_that_would_change_it_stores_nothing(
        self, store: ArticleStore, database: Database, status: str
    ) -> None:
        store.create(new_article(status=status))
        other = new_article(title="别的文章")
        with pytest.raises(Forbidden, match="draft"):
            Importer(store, database, WRITER).add([other, new_article(tags=["登录"])])
        assert store.page()[1] == 1


@pytest.mark.parametrize("status", ["draft", "in_review", "rejected"])
def test_a_writer_can_change_what_is_still_to_be_reviewed(store: ArticleStore, status: str) -> None:
    article = store.create(new_article(status=status))
    assert store.update(article.id, ArticleUpdate(title="新标题"), author=WRITER).status == status


def test_versions_keep_the_name_of_their_author(store: ArticleStore) -> None:
    created = store.create(new_article(), author=WRITER)
    store.update(created.id, ArticleUpdate(title="新标题"), author=REVIEWER)
    store.import_articles([new_article(external_id="KB-1")], author=WRITER)
    names = [[version.by for version in store.versions(article.id)[0]] for article in store.page()[0]]
    assert names == [["李工"], ["王编辑", "李工"]]
