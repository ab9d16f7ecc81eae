"""The most frequent problems of a period, their articles and gaps, with real vectors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.errors import InvalidText
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.knowledge import frequent as module
from nlp_service.knowledge.frequent import ANSWERED_FROM, FrequentProblems, Period, period_of
from nlp_service.knowledge.relevance import UNFITTED
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from tests.feedback.conftest import RecordingAnalyser, new_item
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, SettableClock, new_article

CODE = ["收不到验证码,换了手机也不行", "收不到验证码,登不上去,换了手机也一样", "验证码收不到,换了两个手机都一样"]
PAID = ["付完钱订单还是待支付,倒计时到了自动取消,钱也没退", "钱付了订单却显示待支付,倒计时一到就自动取消,钱没退"]
ALONE = "投屏到电视以后画面左右颠倒"
NOISE = "在吗在吗"
ARTICLE = {
    "title": "收不到短信验证码怎么办",
    "problem": "登录时点获取验证码,手机一直收不到验证码短信",
    "solution": "检查短信拦截,或改用语音验证码",
    "status": "published",
}
Take = Callable[..., None]


@pytest.fixture
def take(database: Database, engine: Engine, encoder: RecordingEncoder, clock: SettableClock) -> Take:
    """Takes in a ticket for each text, written `days` ago."""
    tickets = FeedbackStore(database, RecordingAnalyser(engine), encoder, FINGERPRINT, clock)

    def taken(*texts: str, days: int = 1, **changes: object) -> None:
        at = (clock() - timedelta(days=days)).isoformat()
        tickets.take_in([new_item(text=text, created_at=at, **changes) for text in texts])

    return taken


@pytest.fixture
def problems(database: Database, engine: Engine, encoder: RecordingEncoder, clock: SettableClock) -> FrequentProblems:
    search = KnowledgeSearch(database, encoder, FINGERPRINT, engine.search_model.dimension, ["published"], UNFITTED)

    def encode(text: str) -> NDArray[np.float32]:
        return engine.encode_query(text)

    return FrequentProblems(database, search, encode, engine.heads["classify"].bundle.labels, clock)


def test_the_largest_group_comes_first_with_its_share(take: Take, problems: FrequentProblems) -> None:
    take(*PAID, *CODE, ALONE)
    found = problems.top()
    assert [problem.size for problem in found.problems] == [3, 2]
    assert [found.tickets, found.problems[0].share] == pytest.approx([6, 1 / 2])


def test_a_problem_is_shown_by_tickets_of_its_own(take: Take, problems: FrequentProblems) -> None:
    take(*PAID, *CODE)
    first, second = problems.top().problems
    assert (first.title in CODE, second.title in PAID) == (True, True)
    assert (sorted(first.examples), first.ticket == first.examples[0]) == ([3, 4, 5], True)


def test_what_was_told_once_is_no_frequent_problem(take: Take, problems: FrequentProblems) -> None:
    take(ALONE)
    assert (problems.top().tickets, problems.top().problems) == (1, [])


def test_no_tickets_have_no_problems(problems: FrequentProblems) -> None:
    assert (problems.top().tickets, problems.top().problems) == (0, [])


def test_no_more_than_the_limit_are_given(take: Take, problems: FrequentProblems) -> None:
    take(*PAID, *CODE)
    assert [problem.size for problem in problems.top(limit=1).problems] == [3]


def test_the_period_before_is_counted_apart(take: Take, problems: FrequentProblems) -> None:
    take(*CODE[:2])
    take(*CODE, days=40)
    take(*CODE, days=70)
    found = problems.top()
    assert (found.tickets, [(problem.size, problem.previous) for problem in found.problems]) == (2, [(2, 3)])


def test_what_was_frequent_only_before_is_left_out(take: Take, problems: FrequentProblems) -> None:
    take(CODE[0])
    take(*CODE, days=40)
    assert problems.top().problems == []


def test_products_are_counted(take: Take, problems: FrequentProblems) -> None:
    take(*CODE[:2], product="票务")
    take(CODE[2], product="商城")
    (problem,) = problems.top().problems
    assert list(problem.products.items()) == [("票务", 2), ("商城", 1)]


def test_one_product_alone_can_be_asked_for(take: Take, problems: FrequentProblems) -> None:
    take(*CODE, product="票务")
    take(*PAID, product="商城")
    assert [list(problem.products) for problem in problems.top(product="商城").problems] == [["商城"]]


def test_reviews_and_what_tells_nothing_are_left_out(take: Take, problems: FrequentProblems) -> None:
    take(*CODE, kind="review")
    take(NOISE, NOISE, NOISE)
    assert problems.top().problems == []


def test_labels_can_be_chosen(take: Take, problems: FrequentProblems) -> None:
    take(*CODE)
    assert [len(problems.top(labels=[label]).problems) for label in ("fault", "question")] == [1, 0]


def test_the_published_article_that_answers_is_named(
    take: Take, problems: FrequentProblems, store: ArticleStore
) -> None:
    store.import_articles([new_article(external_id="A", **ARTICLE), new_article(external_id="B", status="published")])
    take(*CODE)
    (problem,) = problems.top().problems
    assert problem.article is not None
    assert (problem.article.document.external_id, problem.gap) == ("A", False)
    assert problem.article.score >= ANSWERED_FROM


def test_without_a_published_article_there_is_a_gap(
    take: Take, problems: FrequentProblems, store: ArticleStore
) -> None:
    store.import_articles([new_article(**{**ARTICLE, "status": "draft"})])
    take(*CODE)
    (problem,) = problems.top().problems
    assert (problem.article, problem.gap) == (None, True)


def test_an_article_on_something_else_leaves_the_gap(
    take: Take, problems: FrequentProblems, store: ArticleStore
) -> None:
    store.import_articles([new_article(**ARTICLE)])
    take(*PAID)
    (problem,) = problems.top().problems
    assert problem.gap


def test_a_solved_ticket_is_no_article(take: Take, problems: FrequentProblems) -> None:
    take(*CODE, status="solved", solution="补发验证码")
    (problem,) = problems.top().problems
    assert (problem.article, problem.gap) == (None, True)


def test_the_same_question_again_has_the_same_answer(take: Take, problems: FrequentProblems) -> None:
    take(*PAID, *CODE, ALONE)
    assert problems.top() == problems.top()


def test_too_many_tickets_are_refused(take: Take, problems: FrequentProblems, monkeypatch: pytest.MonkeyPatch) -> None:
    take(*CODE)
    monkeypatch.setattr(module, "MAX_TICKETS", 2)
    with pytest.raises(InvalidText, match="3 tickets"):
        problems.top()


class TestPeriod:
    NOW = datetime(2026, 10, 31, tzinfo=UTC)

    def test_it_is_the_last_thirty_days_by_default(self) -> None:
        assert period_of(None, None, self.NOW) == Period(datetime(2026, 10, 1, tzinfo=UTC), self.NOW)

    def test_the_one_before_has_the_same_length(self) -> None:
        found = Period(datetime(2026, 10, 21, tzinfo=UTC), self.NOW).before
        assert found == Period(datetime(2026, 10, 11, tzinfo=UTC), datetime(2026, 10, 21, tzinfo=UTC))

    def test_it_may_begin_with_the_calendar(self) -> None:
        beginning = datetime.min.replace(tzinfo=UTC)
        assert period_of(beginning, None, self.NOW).before == Period(beginning, beginning)

    @pytest.mark.parametrize("since", [NOW, NOW + timedelta(days=1)])
    def test_an_empty_one_is_refused(self, since: datetime) -> None:
        with pytest.raises(InvalidText, match="since"):
            period_of(since, None, self.NOW)
