"""A solved ticket becomes a draft: one article, however often it is asked for."""

import pytest

from nlp_service.errors import Conflict, NotFound
from nlp_service.feedback.drafts import TicketDrafts
from nlp_service.feedback.store import FeedbackStore
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback
from nlp_service.text.headline import MAX_CHARACTERS, headline
from tests.feedback.conftest import SOLVED, take
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder


@pytest.fixture
def articles(database: Database, encoder: RecordingEncoder) -> ArticleStore:
    return ArticleStore(database, encoder, FINGERPRINT)


@pytest.fixture
def drafts(database: Database, articles: ArticleStore) -> TicketDrafts:
    return TicketDrafts(database, articles)


@pytest.fixture
def ticket(store: FeedbackStore) -> Feedback:
    return take(store, **SOLVED, scenario="月底结账时", product="报表", tags=["导出"])


def test_the_draft_holds_what_the_ticket_holds(drafts: TicketDrafts, ticket: Feedback) -> None:
    article, is_new = drafts.draft(ticket.id, by="李工")
    fields = (article.title, article.problem, article.scenario, article.solution, article.tags, article.product)
    assert (is_new, article.status, fields) == (
        True,
        "draft",
        ("导出报表时提示超时", "导出报表时提示超时", "月底结账时", "分批导出", ["导出"], "报表"),
    )


def test_a_given_title_is_taken(drafts: TicketDrafts, ticket: Feedback) -> None:
    assert drafts.draft(ticket.id, by="李工", title="分批导出报表")[0].title == "分批导出报表"


def test_the_first_version_names_who_drafted_it(drafts: TicketDrafts, articles: ArticleStore, ticket: Feedback) -> None:
    article, _ = drafts.draft(ticket.id, by="李工")
    (version,) = articles.versions(article.id)[0]
    assert (version.action, version.by, article.contributor) == ("create", "李工", None)


def test_the_ticket_remembers_its_draft(drafts: TicketDrafts, store: FeedbackStore, ticket: Feedback) -> None:
    article, _ = drafts.draft(ticket.id, by="李工")
    assert store.get(ticket.id).draft_id == article.id


def test_a_second_call_gives_the_same_article(drafts: TicketDrafts, articles: ArticleStore, ticket: Feedback) -> None:
    first, _ = drafts.draft(ticket.id, by="李工")
    second, is_new = drafts.draft(ticket.id, by="王工", title="另一标题")
    assert (second.id, second.title, is_new, articles.page()[1]) == (first.id, first.title, False, 1)


def test_of_two_calls_at_once_one_drafts(
    drafts: TicketDrafts, articles: ArticleStore, encoder: RecordingEncoder, database: Database, ticket: Feedback
) -> None:
    class DraftsMeanwhile:
        """Encodes for the first call, and lets another one finish before it."""

        def __call__(self, texts: list[str]) -> object:
            drafts.draft(ticket.id, by="王工")
            return encoder(texts)

    late = TicketDrafts(database, ArticleStore(database, DraftsMeanwhile(), FINGERPRINT))  # type: ignore[arg-type]
    article, is_new = late.draft(ticket.id, by="李工")
    assert (is_new, articles.page()[1], articles.versions(article.id)[0][0].by) == (False, 1, "王工")


def test_when_the_draft_was_deleted_a_new_one_is_made(
    drafts: TicketDrafts, articles: ArticleStore, ticket: Feedback
) -> None:
    articles.delete(drafts.draft(ticket.id, by="李工")[0].id)
    assert drafts.draft(ticket.id, by="李工")[1]


def test_an_open_ticket_is_a_conflict_that_names_the_state(drafts: TicketDrafts, store: FeedbackStore) -> None:
    with pytest.raises(Conflict, match="is open; only a solved one can be drafted"):
        drafts.draft(take(store).id, by="李工")


def test_a_review_is_a_conflict(drafts: TicketDrafts, store: FeedbackStore) -> None:
    with pytest.raises(Conflict, match="is a review"):
        drafts.draft(take(store, kind="review").id, by="李工")


def test_an_unknown_ticket_is_not_found(drafts: TicketDrafts) -> None:
    with pytest.raises(NotFound):
        drafts.draft(4711, by="李工")


def test_the_draft_outlives_the_erasure_of_its_customer(
    drafts: TicketDrafts, articles: ArticleStore, store: FeedbackStore
) -> None:
    article, _ = drafts.draft(take(store, **SOLVED, customer_id="C-7").id, by="李工")
    store.erase("C-7")
    assert articles.get(article.id).problem == "导出报表时提示超时"


def test_a_text_that_masking_made_longer_than_its_limit_can_be_drafted(
    drafts: TicketDrafts, store: FeedbackStore
) -> None:
    text = "a@example.com" + "长" * (2000 - len("a@example.com"))
    assert len(drafts.draft(take(store, **SOLVED, text=text).id, by="李工")[0].problem) > 2000


class TestTitles:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("导出超时。已经三天了!", "导出超时"),
            ("导出为什么超时?急!", "导出为什么超时?"),
            ("!!! Export fails. Since Monday", "Export fails"),
            ("v2.1 导出失败", "v2.1 导出失败"),
            ("您好\n导出失败", "您好"),
            ("……\n导出失败", "导出失败"),
        ],
    )
    def test_the_first_sentence_is_the_title(self, text: str, title: str) -> None:
        assert headline(text) == title

    def test_a_long_sentence_is_cut_between_words(self) -> None:
        title = headline("the export of the monthly report stops with a timeout whenever more than ten rows are there")
        assert title == "the export of the monthly report stops with a timeout…"

    @pytest.mark.parametrize("text", ["长" * 200, "x" * 200, "。" * 10 + "导出" * 100])
    def test_it_is_never_longer_than_its_limit(self, text: str) -> None:
        title = headline(text)
        assert (len(title) <= MAX_CHARACTERS, title.endswith("…"), len(title) > 1) == (True, True, True)

    def test_one_of_just_the_limit_is_whole(self) -> None:
        assert headline("长" * MAX_CHARACTERS) == "长" * MAX_CHARACTERS
