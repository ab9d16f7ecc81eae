"""Versions: what an article said after each change, and how it says so again."""

import numpy as np
import pytest
from sqlalchemy import func, select

from nlp_service.errors import Conflict, NotFound
from nlp_service.knowledge.article import ArticleUpdate, content_hash
from nlp_service.knowledge.author import Author
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleChange, ArticleVector, ArticleVersion
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, new_article

UNKNOWN = 4711


def _history(store: ArticleStore, article_id: int) -> list[tuple[int, str, str]]:
    """Number, action and title of each version, the oldest first."""
    versions, _ = store.versions(article_id)
    return [(version.number, version.action, version.title) for version in reversed(versions)]


def _count(database: Database, table: type[ArticleVersion | ArticleChange]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


class TestKept:
    def test_a_new_article_is_version_1(self, store: ArticleStore, draft: Article) -> None:
        assert _history(store, draft.id) == [(1, "create", "登录失败")]

    def test_a_change_is_the_next_version(self, store: ArticleStore, draft: Article) -> None:
        store.update(draft.id, ArticleUpdate(title="登录超时"))
        store.update(draft.id, ArticleUpdate(title="登录很慢"))
        assert _history(store, draft.id) == [
            (1, "create", "登录失败"),
            (2, "update", "登录超时"),
            (3, "update", "登录很慢"),
        ]

    def test_an_import_keeps_versions_of_new_and_of_known_articles(self, store: ArticleStore) -> None:
        store.import_articles([new_article(external_id="KB-1", title="先")])
        store.import_articles([new_article(external_id="KB-1", title="后")])
        (article,) = store.page()[0]
        assert _history(store, article.id) == [(1, "import", "先"), (2, "import", "后")]

    def test_an_import_of_the_same_keeps_no_version(self, store: ArticleStore) -> None:
        for _ in range(2):
            store.import_articles([new_article(external_id="KB-1")])
        (article,) = store.page()[0]
        assert len(_history(store, article.id)) == 1

    def test_a_version_holds_the_whole_content(self, store: ArticleStore) -> None:
        content = {
            "title": "登录失败",
            "problem": "提示超时",
            "scenario": "出差时",
            "solution": "检查网络",
            "tags": ["登录"],
            "product": "网课平台",
        }
        ((version,), _) = store.versions(store.create(new_article(**content)).id)
        assert {name: getattr(version, name) for name in content} == content

    def test_a_version_has_the_time_of_the_change(self, store: ArticleStore, draft: Article) -> None:
        updated = store.update(draft.id, ArticleUpdate(title="登录超时"))
        assert [version.at for version in store.versions(draft.id)[0]] == [updated.updated_at, draft.created_at]

    @pytest.mark.parametrize(
        "change",
        [ArticleUpdate(title="登录失败"), ArticleUpdate(status="published"), ArticleUpdate(external_id="KB-1")],
    )
    def test_what_leaves_the_content_as_it_was_keeps_no_version(
        self, store: ArticleStore, draft: Article, change: ArticleUpdate
    ) -> None:
        store.update(draft.id, change)
        assert len(_history(store, draft.id)) == 1

    def test_a_step_of_the_review_keeps_no_version(
        self, store: ArticleStore, draft: Article, workflow: ReviewWorkflow
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        assert len(_history(store, draft.id)) == 1

    def test_a_change_that_fails_keeps_no_version(self, store: ArticleStore, draft: Article) -> None:
        store.create(new_article(external_id="KB-1"))
        with pytest.raises(Conflict):
            store.update(draft.id, ArticleUpdate(title="登录超时", external_id="KB-1"))
        assert len(_history(store, draft.id)) == 1

    def test_an_import_that_fails_keeps_no_version(
        self, store: ArticleStore, database: Database, encoder: RecordingEncoder
    ) -> None:
        encoder.breaks_at = "坏"
        with pytest.raises(RuntimeError):
            store.import_articles([new_article(title="好"), new_article(title="坏")])
        assert _count(database, ArticleVersion) == 0

    def test_versions_go_with_their_article(self, store: ArticleStore, draft: Article, database: Database) -> None:
        store.delete(draft.id)
        assert _count(database, ArticleVersion) == 0


class TestPage:
    def test_the_newest_come_first_and_a_page_names_the_whole(self, store: ArticleStore, draft: Article) -> None:
        for number in range(4):
            store.update(draft.id, ArticleUpdate(title=f"标题{number}"))
        versions, total = store.versions(draft.id, offset=1, limit=2)
        assert ([version.number for version in versions], total) == ([4, 3], 5)

    def test_only_those_of_the_article_are_listed(self, store: ArticleStore, draft: Article) -> None:
        store.create(new_article(title="另一篇"))
        assert store.versions(draft.id)[1] == 1

    def test_an_unknown_article_is_not_found(self, store: ArticleStore) -> None:
        with pytest.raises(NotFound, match=str(UNKNOWN)):
            store.versions(UNKNOWN)


class TestRestore:
    @pytest.fixture
    def changed(self, store: ArticleStore, draft: Article) -> Article:
        """An article in its second version."""
        return store.update(draft.id, ArticleUpdate(title="登录超时", tags=["登录"], product="网课平台"))

    def test_the_old_content_is_current_again(self, store: ArticleStore, changed: Article) -> None:
        restored = store.restore(changed.id, 1, author=Author("李工"))
        assert (restored.title, restored.tags, restored.product) == ("登录失败", [], None)

    def test_it_is_a_new_version_with_person_and_reason(self, store: ArticleStore, changed: Article) -> None:
        store.restore(changed.id, 1, author=Author("李工"), reason="改错了")
        version = store.versions(changed.id)[0][0]
        assert (version.number, version.action, version.title, version.by, version.reason) == (
            3,
            "restore",
            "登录失败",
            "李工",
            "改错了",
        )

    def test_the_versions_between_stay(self, store: ArticleStore, changed: Article) -> None:
        store.restore(changed.id, 1, author=Author("李工"))
        assert _history(store, changed.id)[:2] == [(1, "create", "登录失败"), (2, "update", "登录超时")]

    @pytest.mark.parametrize("status", ["published", "archived", "draft"])
    def test_the_status_stays(self, store: ArticleStore, changed: Article, status: str) -> None:
        store.update(changed.id, ArticleUpdate.model_validate({"status": status}))
        assert store.restore(changed.id, 1, author=Author("李工")).status == status

    def test_the_external_id_stays(self, store: ArticleStore, changed: Article) -> None:
        store.update(changed.id, ArticleUpdate(external_id="KB-1"))
        assert store.restore(changed.id, 1, author=Author("李工")).external_id == "KB-1"

    def test_its_vector_is_that_of_the_restored_text(
        self, store: ArticleStore, changed: Article, database: Database, encoder: RecordingEncoder
    ) -> None:
        store.restore(changed.id, 1, author=Author("李工"))
        text = "登录失败\n输入密码后提示超时"
        with database.read() as session:
            row = session.get_one(ArticleVector, (changed.id, FINGERPRINT))
        assert row.content == content_hash(text)
        np.testing.assert_allclose(np.frombuffer(row.vector, "<f4"), encoder([text])[0], atol=1e-6)

    def test_it_is_a_dated_change_that_other_processes_follow(
        self, store: ArticleStore, changed: Article, database: Database
    ) -> None:
        restored = store.restore(changed.id, 1, author=Author("李工"))
        assert (restored.updated_at > changed.updated_at, _count(database, ArticleChange)) == (True, 3)

    def test_what_is_current_already_changes_nothing(
        self, store: ArticleStore, changed: Article, database: Database
    ) -> None:
        restored = store.restore(changed.id, 2, author=Author("李工"))
        assert (restored.updated_at, len(_history(store, changed.id)), _count(database, ArticleChange)) == (
            changed.updated_at,
            2,
            2,
        )

    def test_an_unknown_version_is_not_found(self, store: ArticleStore, changed: Article) -> None:
        with pytest.raises(NotFound, match=f"article {changed.id} has no version 3"):
            store.restore(changed.id, 3, author=Author("李工"))

    def test_an_unknown_article_is_not_found(self, store: ArticleStore) -> None:
        with pytest.raises(NotFound, match=f"no article {UNKNOWN}"):
            store.restore(UNKNOWN, 1, author=Author("李工"))
