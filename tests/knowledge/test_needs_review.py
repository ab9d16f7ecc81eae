"""Articles that need review: those that do not help, those that nobody has confirmed for long, the worst first."""

from datetime import timedelta

import pytest

from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import STATUSES
from nlp_service.storage.tables import Article
from tests.knowledge.conftest import SettableClock, new_article

STALE_DAYS = 180
STALE_AFTER = timedelta(days=STALE_DAYS)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def published(store: ArticleStore, clock: SettableClock) -> Article:
    """A published article, changed just now."""
    article = store.create(new_article(status="published"))
    clock.now = article.updated_at
    return article


@pytest.fixture
def needs_review(database: Database, clock: SettableClock) -> NeedsReview:
    return NeedsReview(database, STALE_DAYS, clock)


def _vote(votes: ArticleVotes, article: Article, *, helpful: int, unhelpful: int) -> None:
    for number in range(helpful + unhelpful):
        votes.vote(article.id, by=f"同事{number}", helpful=number < helpful)


def _reasons(needs_review: NeedsReview) -> list[list[str]]:
    return [list(found.reasons) for found in needs_review.worst()]


class TestUnhelpful:
    @pytest.mark.parametrize(("helpful", "unhelpful"), [(0, 3), (1, 2), (2, 3), (49, 51)])
    def test_more_than_half_of_at_least_three_votes_are_enough(
        self, needs_review: NeedsReview, votes: ArticleVotes, published: Article, helpful: int, unhelpful: int
    ) -> None:
        _vote(votes, published, helpful=helpful, unhelpful=unhelpful)
        assert _reasons(needs_review) == [["unhelpful"]]

    @pytest.mark.parametrize(("helpful", "unhelpful"), [(0, 0), (0, 2), (2, 2), (2, 1), (3, 0)])
    def test_half_of_the_votes_or_two_votes_are_not(
        self, needs_review: NeedsReview, votes: ArticleVotes, published: Article, helpful: int, unhelpful: int
    ) -> None:
        _vote(votes, published, helpful=helpful, unhelpful=unhelpful)
        assert _reasons(needs_review) == []


class TestStale:
    def test_an_article_unchanged_for_so_long_is_stale(
        self, needs_review: NeedsReview, published: Article, clock: SettableClock
    ) -> None:
        clock.now = published.updated_at + STALE_AFTER
        assert _reasons(needs_review) == [["stale"]]

    def test_an_instant_before_it_is_not(
        self, needs_review: NeedsReview, published: Article, clock: SettableClock
    ) -> None:
        clock.now = published.updated_at + STALE_AFTER - INSTANT
        assert _reasons(needs_review) == []

    def test_a_helpful_vote_confirms_it_for_as_long_again(
        self, needs_review: NeedsReview, published: Article, votes: ArticleVotes, clock: SettableClock
    ) -> None:
        clock.now += timedelta(days=1)
        votes.vote(published.id, by="甲", helpful=True)
        clock.now += STALE_AFTER - INSTANT
        assert _reasons(needs_review) == []

    def test_a_helpful_vote_may_be_too_old(
        self, needs_review: NeedsReview, published: Article, votes: ArticleVotes, clock: SettableClock
    ) -> None:
        clock.now += timedelta(days=1)
        votes.vote(published.id, by="甲", helpful=True)
        voted_at = clock.now
        clock.now += STALE_AFTER
        assert [(found.reasons, found.confirmed_at) for found in needs_review.worst()] == [(["stale"], voted_at)]

    def test_an_unhelpful_vote_confirms_nothing(
        self, needs_review: NeedsReview, published: Article, votes: ArticleVotes, clock: SettableClock
    ) -> None:
        clock.now += timedelta(days=1)
        votes.vote(published.id, by="甲", helpful=False)
        clock.now = published.updated_at + STALE_AFTER
        assert [found.confirmed_at for found in needs_review.worst()] == [published.updated_at]

    def test_a_step_of_the_review_confirms_it(
        self, needs_review: NeedsReview, published: Article, workflow: ReviewWorkflow, clock: SettableClock
    ) -> None:
        clock.now += STALE_AFTER
        workflow.take("archive", published.id, by="王编辑")
        workflow.take("unarchive", published.id, by="王编辑")
        assert _reasons(needs_review) == []


def test_an_article_may_be_unhelpful_and_stale(
    needs_review: NeedsReview, published: Article, votes: ArticleVotes, clock: SettableClock
) -> None:
    _vote(votes, published, helpful=0, unhelpful=3)
    clock.now = published.updated_at + STALE_AFTER
    assert _reasons(needs_review) == [["unhelpful", "stale"]]


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "published"])
def test_only_published_articles_need_review(
    needs_review: NeedsReview, store: ArticleStore, votes: ArticleVotes, clock: SettableClock, status: str
) -> None:
    article = store.create(new_article(status=status))
    _vote(votes, article, helpful=0, unhelpful=3)
    clock.now = article.updated_at + STALE_AFTER
    assert _reasons(needs_review) == []


class TestOrder:
    @pytest.fixture
    def _many(self, store: ArticleStore, votes: ArticleVotes, clock: SettableClock) -> None:
        """Published articles with all kinds of votes, long ago."""
        counts = {
            "先写": (0, 0),
            "后写": (0, 0),
            "三人": (0, 3),
            "五人": (0, 5),
            "三分之二": (1, 2),
            "四分之三": (1, 3),
        }
        for title, (helpful, unhelpful) in counts.items():
            article = store.create(new_article(title=title, status="published"))
            clock.now = article.updated_at
            _vote(votes, article, helpful=helpful, unhelpful=unhelpful)
        clock.now += STALE_AFTER

    @pytest.mark.usefixtures("_many")
    def test_share_then_number_of_unhelpful_votes_then_the_longest_unconfirmed(self, needs_review: NeedsReview) -> None:
        titles = [found.article.title for found in needs_review.worst()]
        assert titles == ["五人", "三人", "四分之三", "三分之二", "先写", "后写"]

    @pytest.mark.usefixtures("_many")
    def test_the_limit_keeps_the_worst(self, needs_review: NeedsReview) -> None:
        assert [found.article.title for found in needs_review.worst(2)] == ["五人", "三人"]
