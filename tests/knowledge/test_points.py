"""Points: what earns them, what earns nothing, and since when."""

from datetime import timedelta, timezone

import pytest

from nlp_service.knowledge.article import ArticleUpdate
from nlp_service.knowledge.points import PointAmounts, Points, Standing
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article
from tests.knowledge.conftest import SettableClock, new_article

AMOUNTS = PointAmounts(approved=10, review=2, helpful=1)
DAY = timedelta(days=1)


@pytest.fixture
def points(database: Database) -> Points:
    return Points(database, AMOUNTS)


@pytest.fixture
def approved(workflow: ReviewWorkflow, draft: Article) -> Article:
    """An article that 李工 submitted and 王编辑 approved."""
    workflow.take("submit", draft.id, by="李工")
    return workflow.take("approve", draft.id, by="王编辑")


CONTRIBUTED = Standing(by="李工", points=10, approved=1, reviews=0, helpful=0)
REVIEWED = Standing(by="王编辑", points=2, approved=0, reviews=1, helpful=0)


def _of(points: Points, person: str) -> Standing:
    (standing,) = [standing for standing in points.leaderboard() if standing.by == person]
    return standing


class TestWhatEarns:
    def test_nobody_has_points_at_first(self, points: Points, draft: Article) -> None:
        assert draft.contributor is None
        assert points.leaderboard() == []

    def test_an_approval_earns_for_contributor_and_reviewer(self, points: Points, approved: Article) -> None:
        assert approved.status == "published"
        assert points.leaderboard() == [CONTRIBUTED, REVIEWED]

    def test_a_submission_alone_earns_nothing(self, points: Points, workflow: ReviewWorkflow, draft: Article) -> None:
        workflow.take("submit", draft.id, by="李工")
        assert points.leaderboard() == []

    def test_a_rejection_earns_for_the_reviewer_alone(
        self, points: Points, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        assert points.leaderboard() == [REVIEWED]

    def test_a_helpful_vote_earns_for_the_contributor(
        self, points: Points, votes: ArticleVotes, approved: Article
    ) -> None:
        votes.vote(approved.id, by="甲", helpful=True)
        votes.vote(approved.id, by="乙", helpful=True)
        assert _of(points, "李工") == Standing(by="李工", points=12, approved=1, reviews=0, helpful=2)

    @pytest.mark.parametrize(("person", "helpful"), [("甲", False), ("李工", True)], ids=["unhelpful", "own"])
    def test_an_unhelpful_or_own_vote_earns_nothing(
        self, points: Points, votes: ArticleVotes, approved: Article, person: str, helpful: bool
    ) -> None:
        votes.vote(approved.id, by=person, helpful=helpful)
        assert points.leaderboard() == [CONTRIBUTED, REVIEWED]

    def test_a_vote_for_an_article_that_was_never_approved_earns_nothing(
        self, points: Points, votes: ArticleVotes, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        votes.vote(draft.id, by="甲", helpful=True)
        assert points.leaderboard() == []

    def test_an_article_that_nobody_submitted_earns_for_its_reviewer_alone(
        self, points: Points, workflow: ReviewWorkflow, votes: ArticleVotes, store: ArticleStore
    ) -> None:
        article = store.create(new_article(status="in_review"))
        workflow.take("approve", article.id, by="王编辑")
        votes.vote(article.id, by="甲", helpful=True)
        assert points.leaderboard() == [REVIEWED]

    def test_what_was_deleted_earns_nothing(self, points: Points, store: ArticleStore, approved: Article) -> None:
        store.delete(approved.id)
        assert points.leaderboard() == []

    def test_amounts_are_those_that_were_set(self, database: Database, approved: Article) -> None:
        assert approved.status == "published"
        standings = Points(database, PointAmounts(approved=7, review=0, helpful=3)).leaderboard()
        assert [(standing.by, standing.points) for standing in standings] == [("李工", 7), ("王编辑", 0)]


class TestOnce:
    @pytest.fixture
    def approved_again(self, workflow: ReviewWorkflow, store: ArticleStore, approved: Article) -> Article:
        """The article, later taken back to draft, submitted by 赵工 and approved by 王编辑 once more."""
        store.update(approved.id, ArticleUpdate(status="draft"))
        workflow.take("submit", approved.id, by="赵工")
        return workflow.take("approve", approved.id, by="王编辑")

    def test_an_article_approved_twice_counts_once_for_its_first_contributor(
        self, points: Points, approved_again: Article
    ) -> None:
        assert approved_again.contributor == "赵工"
        assert points.leaderboard() == [CONTRIBUTED, REVIEWED]

    def test_helpful_votes_stay_with_the_first_contributor(
        self, points: Points, votes: ArticleVotes, approved_again: Article
    ) -> None:
        votes.vote(approved_again.id, by="甲", helpful=True)
        assert [(standing.by, standing.helpful) for standing in points.leaderboard()] == [("李工", 1), ("王编辑", 0)]

    def test_an_article_earns_for_who_submitted_it_before_its_first_approval(
        self, points: Points, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        workflow.take("submit", draft.id, by="赵工")
        workflow.take("approve", draft.id, by="王编辑")
        assert [(standing.by, standing.approved) for standing in points.leaderboard()] == [("赵工", 1), ("王编辑", 0)]

    def test_several_reviews_of_an_article_count_once_for_each_reviewer(
        self, points: Points, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        for reviewer in ("王编辑", "王编辑", "钱编辑"):
            workflow.take("submit", draft.id, by="李工")
            workflow.take("reject", draft.id, by=reviewer, reason="缺少步骤")
        assert [(standing.by, standing.reviews) for standing in points.leaderboard()] == [("王编辑", 1), ("钱编辑", 1)]


class TestOrder:
    def test_the_most_points_come_first_and_the_limit_ends_the_list(
        self, points: Points, workflow: ReviewWorkflow, store: ArticleStore
    ) -> None:
        for person, count in (("甲", 1), ("乙", 3), ("丙", 2)):
            for _ in range(count):
                article = store.create(new_article())
                workflow.take("submit", article.id, by=person)
                workflow.take("approve", article.id, by="王编辑")
        assert [standing.by for standing in points.leaderboard(limit=3)] == ["乙", "丙", "王编辑"]


class TestSince:
    def test_what_was_done_at_that_moment_counts(self, points: Points, approved: Article, clock: SettableClock) -> None:
        assert approved.updated_at == clock.now
        assert points.leaderboard(since=clock.now) == [CONTRIBUTED, REVIEWED]

    def test_what_was_done_before_does_not_count(self, points: Points, approved: Article, clock: SettableClock) -> None:
        assert approved.updated_at == clock.now
        assert points.leaderboard(since=clock.now + timedelta(microseconds=1)) == []

    def test_a_later_vote_counts_without_the_earlier_approval(
        self, points: Points, votes: ArticleVotes, approved: Article, clock: SettableClock
    ) -> None:
        clock.now += DAY
        votes.vote(approved.id, by="甲", helpful=True)
        assert points.leaderboard(since=clock.now) == [Standing(by="李工", points=1, approved=0, reviews=0, helpful=1)]

    def test_a_later_second_approval_does_not_count_again(
        self, points: Points, store: ArticleStore, workflow: ReviewWorkflow, approved: Article, clock: SettableClock
    ) -> None:
        clock.now += DAY
        store.update(approved.id, ArticleUpdate(status="draft"))
        workflow.take("submit", approved.id, by="李工")
        workflow.take("approve", approved.id, by="王编辑")
        assert points.leaderboard(since=clock.now) == []

    @pytest.mark.parametrize(("hours", "counted"), [(8, 2), (7, 0)])
    def test_a_moment_may_be_given_in_any_zone(
        self, points: Points, approved: Article, clock: SettableClock, hours: int, counted: int
    ) -> None:
        """08:00 UTC is 16:00 at +08:00; the same figures at +07:00 are an hour later."""
        assert approved.updated_at == clock.now
        since = (clock.now + timedelta(hours=8)).replace(tzinfo=timezone(timedelta(hours=hours)))
        assert len(points.leaderboard(since=since)) == counted
