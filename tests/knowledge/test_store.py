"""Store: articles as they were given, each with its vector, all or nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from nlp_service.errors import Conflict, NotFound
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate, ArticlePublic, ArticleUpdate, content_hash
from nlp_service.knowledge.store import NAMES_IN_A_QUERY, ArticleStore, ImportCounts, all_articles, count_articles
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleChange, ArticleVector
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, new_article

UNKNOWN = 4711


def _vector(database: Database, article_id: int) -> ArticleVector | None:
    with database.read() as session:
        return session.get(ArticleVector, (article_id, FINGERPRINT))


def _changes(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(ArticleChange.record_id).order_by(ArticleChange.sequence)))


def _titles(store: ArticleStore, tag: str) -> set[str]:
    return {article.title for article in store.page(tag=tag)[0]}


class TestCreate:
    def test_a_new_article_reads_as_it_was_given(self, store: ArticleStore) -> None:
        given = new_article(scenario="出差时", tags=["登录", 'a"b'], product="网课平台", external_id="KB-1")
        read = ArticlePublic.model_validate(store.get(store.create(given).id))
        assert read.model_dump(include=set(ArticleCreate.model_fields)) == given.model_dump()

    def test_its_moments_are_equal_and_in_utc(self, store: ArticleStore) -> None:
        article = store.get(store.create(new_article()).id)
        assert (article.created_at == article.updated_at, str(article.created_at.tzinfo)) == (True, "UTC")

    def test_its_vector_is_the_encoders(self, store: ArticleStore, database: Database, engine: Engine) -> None:
        row = _vector(database, store.create(new_article(scenario="")).id)
        assert row is not None
        (expected,) = engine.encode_passages(["登录失败\n输入密码后提示超时"])
        np.testing.assert_allclose(np.frombuffer(row.vector, "<f4"), expected, atol=1e-6)

    def test_its_vector_names_encoder_and_content(self, store: ArticleStore, database: Database) -> None:
        row = _vector(database, store.create(new_article()).id)
        assert row is not None
        assert (row.encoder, row.content) == (
            FINGERPRINT,
            content_hash("登录失败\n输入密码后提示超时"),
        )

    def test_a_taken_external_id_is_a_conflict(self, store: ArticleStore) -> None:
        store.create(new_article(external_id="KB-1"))
        with pytest.raises(Conflict, match="external_id"):
            store.create(new_article(external_id="KB-1"))

    def test_a_conflict_leaves_nothing(self, store: ArticleStore, database: Database) -> None:
        article = store.create(new_article(external_id="KB-1"))
        with pytest.raises(Conflict):
            store.create(new_article(external_id="KB-1", title="另一篇"))
        assert (count_articles(database), _changes(database)) == (1, [article.id])

    def test_many_articles_may_have_no_external_id(self, store: ArticleStore, database: Database) -> None:
        store.create(new_article())
        store.create(new_article())
        assert count_articles(database) == 2

    def test_a_broken_encoder_leaves_nothing(
        self, store: ArticleStore, database: Database, encoder: RecordingEncoder
    ) -> None:
        encoder.breaks_at = "登录"
        with pytest.raises(RuntimeError):
            store.create(new_article())
        assert count_articles(database) == 0


class TestUpdate:
    def test_only_what_is_given_changes(self, store: ArticleStore) -> None:
        article = store.create(new_article(tags=["登录"], status="published"))
        store.update(article.id, ArticleUpdate(title="登录超时"))
        read = store.get(article.id)
        assert (read.title, read.tags, read.status) == ("登录超时", ["登录"], "published")

    def test_a_changed_text_gets_its_own_vector(self, store: ArticleStore, database: Database) -> None:
        article = store.create(new_article())
        store.update(article.id, ArticleUpdate(title="登录超时"))
        row = _vector(database, article.id)
        assert row is not None
        assert row.content == content_hash("登录超时\n输入密码后提示超时")

    def test_a_changed_tag_needs_no_new_vector(self, store: ArticleStore, encoder: RecordingEncoder) -> None:
        article = store.create(new_article())
        encoder.texts.clear()
        store.update(article.id, ArticleUpdate(tags=["登录"]))
        assert encoder.texts == []

    def test_a_change_is_dated(self, store: ArticleStore) -> None:
        article = store.create(new_article())
        assert store.update(article.id, ArticleUpdate(title="登录超时")).updated_at > article.created_at

    def test_a_change_to_the_same_is_none(self, store: ArticleStore, database: Database) -> None:
        article = store.create(new_article())
        updated = store.update(article.id, ArticleUpdate(title=article.title))
        assert (updated.updated_at, _changes(database)) == (article.updated_at, [article.id])

    def test_null_clears_a_product(self, store: ArticleStore) -> None:
        article = store.create(new_article(product="网课平台"))
        store.update(article.id, ArticleUpdate(product=None))
        assert store.get(article.id).product is None

    def test_a_taken_external_id_is_a_conflict(self, store: ArticleStore) -> None:
        store.create(new_article(external_id="KB-1"))
        other = store.create(new_article())
        with pytest.raises(Conflict, match="external_id"):
            store.update(other.id, ArticleUpdate(external_id="KB-1"))

    def test_a_conflict_changes_nothing(self, store: ArticleStore) -> None:
        store.create(new_article(external_id="KB-1"))
        other = store.create(new_article())
        with pytest.raises(Conflict):
            store.update(other.id, ArticleUpdate(title="登录超时", external_id="KB-1"))
        assert store.get(other.id).title == "登录失败"

    def test_its_own_external_id_is_no_conflict(self, store: ArticleStore) -> None:
        article = store.create(new_article(external_id="KB-1"))
        assert store.update(article.id, ArticleUpdate(external_id="KB-1", title="登录超时")).title == "登录超时"

    def test_an_unknown_article_is_not_found(self, store: ArticleStore) -> None:
        with pytest.raises(NotFound, match=str(UNKNOWN)):
            store.update(UNKNOWN, ArticleUpdate(title="登录超时"))


class TestDelete:
    def test_a_deleted_article_is_not_found(self, store: ArticleStore) -> None:
        article = store.create(new_article())
        store.delete(article.id)
        with pytest.raises(NotFound, match=str(article.id)):
            store.get(article.id)

    def test_its_vector_goes_with_it(self, store: ArticleStore, database: Database) -> None:
        article = store.create(new_article())
        store.delete(article.id)
        assert _vector(database, article.id) is None

    @pytest.mark.parametrize("number", [UNKNOWN, 2**31, 2**63 - 1])
    def test_an_unknown_article_is_not_found(self, store: ArticleStore, number: int) -> None:
        with pytest.raises(NotFound, match=str(number)):
            store.delete(number)

    def test_an_id_is_never_used_twice(self, store: ArticleStore) -> None:
        first = store.create(new_article())
        store.delete(first.id)
        assert store.create(new_article()).id > first.id

    def test_an_external_id_is_free_again(self, store: ArticleStore) -> None:
        store.delete(store.create(new_article(external_id="KB-1")).id)
        assert store.create(new_article(external_id="KB-1")).external_id == "KB-1"


class TestPage:
    def test_the_newest_come_first(self, store: ArticleStore) -> None:
        ids = [store.create(new_article()).id for _ in range(3)]
        assert [article.id for article in store.page()[0]] == ids[::-1]

    def test_a_page_is_a_part_and_names_the_whole(self, store: ArticleStore) -> None:
        ids = [store.create(new_article()).id for _ in range(5)]
        articles, total = store.page(offset=1, limit=2)
        assert ([article.id for article in articles], total) == (ids[::-1][1:3], 5)

    def test_a_page_behind_the_last_is_empty(self, store: ArticleStore) -> None:
        store.create(new_article())
        assert store.page(offset=10) == ([], 1)

    def test_filters_hold_together(self, store: ArticleStore) -> None:
        store.create(new_article(title="甲", product="网课平台", status="published"))
        store.create(new_article(title="乙", product="网课平台"))
        store.create(new_article(title="丙", product="企业ERP", status="published"))
        articles, total = store.page(product="网课平台", status="published")
        assert ([article.title for article in articles], total) == (["甲"], 1)

    @pytest.mark.parametrize(
        "tag", ["登录", "100%", "a_b", 'say "hi"', "it's", "c:\\temp", "a/b", "好😀", "[1]", "x, y"]
    )
    def test_a_tag_finds_the_articles_that_have_it(self, store: ArticleStore, tag: str) -> None:
        store.create(new_article(title="有", tags=["其他", tag]))
        store.create(new_article(title="无", tags=["其他"]))
        assert _titles(store, tag) == {"有"}

    @pytest.mark.parametrize(
        ("tag", "stored"),
        [
            ("%", "100元"),
            ("a_b", "axb"),
            ("登", "登录"),
            ("b", 'a"b"c'),
            ("vpn", "VPN"),
            (", ", "登录"),
        ],
        ids=["percent", "underscore", "part", "quotes", "case", "separator"],
    )
    def test_a_tag_that_only_resembles_is_not_found(self, store: ArticleStore, tag: str, stored: str) -> None:
        store.create(new_article(title="有", tags=["其他", stored]))
        assert _titles(store, tag) == set()


class TestImport:
    def test_new_articles_are_created(self, store: ArticleStore, database: Database) -> None:
        counts = store.import_articles([new_article(external_id="KB-1"), new_article()])
        assert (counts, count_articles(database)) == (ImportCounts(created=2), 2)

    def test_an_article_with_a_known_external_id_is_updated(self, store: ArticleStore) -> None:
        article = store.create(new_article(external_id="KB-1"))
        counts = store.import_articles([new_article(external_id="KB-1", title="登录超时")])
        assert (counts, store.get(article.id).title) == (ImportCounts(updated=1), "登录超时")

    def test_one_import_may_create_update_and_leave(self, store: ArticleStore) -> None:
        store.import_articles([new_article(external_id="KB-1"), new_article(external_id="KB-2")])
        counts = store.import_articles(
            [
                new_article(external_id=f"KB-{number}", title=title)
                for number, title in ((1, "登录失败"), (2, "新"), (3, "三"))
            ]
        )
        assert counts == ImportCounts(created=1, updated=1, unchanged=1)

    def test_twice_the_same_changes_nothing(self, store: ArticleStore, database: Database) -> None:
        given = [new_article(external_id=f"KB-{number}", title=f"第{number}篇，电话13812345678") for number in range(3)]
        store.import_articles(given)
        before = _changes(database)
        assert (store.import_articles(given), _changes(database)) == (ImportCounts(unchanged=3), before)

    def test_twice_the_same_encodes_nothing(self, store: ArticleStore, encoder: RecordingEncoder) -> None:
        given = [new_article(external_id="KB-1")]
        store.import_articles(given)
        encoder.texts.clear()
        store.import_articles(given)
        assert encoder.texts == []

    def test_fields_that_are_not_given_stay(self, store: ArticleStore) -> None:
        article = store.create(new_article(external_id="KB-1", status="published", tags=["登录"]))
        store.import_articles([new_article(external_id="KB-1", title="登录超时")])
        read = store.get(article.id)
        assert (read.status, read.tags) == ("published", ["登录"])

    def test_of_two_with_one_external_id_the_last_counts(self, store: ArticleStore) -> None:
        store.import_articles([new_article(external_id="KB-1", title=title) for title in ("先", "后")])
        assert [article.title for article in store.page()[0]] == ["后"]

    def test_each_content_of_one_external_id_is_a_version(self, store: ArticleStore) -> None:
        store.import_articles([new_article(external_id="KB-1", title=title) for title in ("先", "中", "后")])
        (article,) = store.page()[0]
        assert [version.title for version in store.versions(article.id)[0]] == ["后", "中", "先"]

    def test_more_are_known_than_a_query_names(self, store: ArticleStore) -> None:
        given = [new_article(external_id=f"KB-{number}") for number in range(NAMES_IN_A_QUERY + 1)]
        store.import_articles(given)
        assert store.import_articles(given) == ImportCounts(unchanged=NAMES_IN_A_QUERY + 1)

    def test_every_stored_vector_is_that_of_its_text(self, store: ArticleStore, database: Database) -> None:
        store.import_articles([new_article(external_id="KB-1", title=title) for title in ("先", "后")])
        store.import_articles([new_article(title="后"), new_article(title="别")])
        for article in all_articles(database):
            row = _vector(database, article.id)
            assert row is not None
            assert row.content == content_hash(f"{article.title}\n{article.problem}")

    def test_a_text_that_cannot_be_encoded_leaves_nothing(
        self, store: ArticleStore, database: Database, encoder: RecordingEncoder
    ) -> None:
        encoder.breaks_at = "坏"
        with pytest.raises(RuntimeError):
            store.import_articles([new_article(title="好"), new_article(title="坏")])
        assert (count_articles(database), _changes(database)) == (0, [])

    def test_a_text_that_is_known_from_another_article_is_not_encoded_again(
        self, store: ArticleStore, database: Database, encoder: RecordingEncoder
    ) -> None:
        store.create(new_article(title="同文"))
        encoder.breaks_at = "同文"
        store.import_articles([new_article(title="好"), new_article(title="同文")])
        assert count_articles(database) == 3

    def test_nothing_to_import_is_harmless(self, store: ArticleStore) -> None:
        assert store.import_articles([]) == ImportCounts()


def test_personal_data_never_reaches_the_files_of_the_database(
    store: ArticleStore, files: Callable[[], list[Path]]
) -> None:
    secrets = ["13812345678", "110101199003074578", "4111111111111111", "zhang.san@example.com"]
    text = "，".join(["联系", *secrets])
    fields = ("title", "problem", "scenario", "solution", "product")
    created = store.create(new_article(tags=[text], **dict.fromkeys(fields, text)))
    store.update(created.id, ArticleUpdate(title=f"改{text}"))
    store.import_articles([new_article(solution=f"导入{text}")])
    content = b"".join(file.read_bytes() for file in files())
    assert [word for word in ("登录失败", *secrets) if word.encode() in content] == ["登录失败"]


def test_all_articles_come_in_order_of_id(store: ArticleStore, database: Database) -> None:
    ids = [store.create(new_article()).id for _ in range(3)]
    assert [article.id for article in all_articles(database)] == ids


def test_changes_are_numbered_without_gaps_for_followers(store: ArticleStore, database: Database) -> None:
    article = store.create(new_article())
    store.update(article.id, ArticleUpdate(title="登录超时"))
    store.delete(article.id)
    with database.read() as session:
        assert session.scalar(select(func.max(ArticleChange.sequence))) == len(_changes(database)) == 3
