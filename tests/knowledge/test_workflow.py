"""The review: every step from every state, who may take it, what is written down, and several people at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from nlp_service.errors import Conflict, Forbidden, NotFound
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.workflow import TRANSITIONS, ReviewWorkflow
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import STATUSES
from nlp_service.storage.tables import Article, ArticleChange, ArticleEvent, ReviewAction
from tests.knowledge.conftest import SettableClock, new_article

UNKNOWN = 4711
ROUNDS = 10
ALLOWED: dict[tuple[str, str], str] = {
    ("draft", "submit"): "in_review",
    ("rejected", "submit"): "in_review",
    ("in_review", "approve"): "published",
    ("in_review", "reject"): "rejected",
    ("published", "archive"): "archived",
    ("archived", "unarchive"): "published",
}
POSSIBLE = {
    "draft": "submit",
    "in_review": "approve, reject",
    "published": "archive",
    "rejected": "submit",
    "archived": "unarchive",
}
REFUSED = [(status, action) for status in STATUSES for action in TRANSITIONS if (status, action) not in ALLOWED]


def _events(database: Database, article_id: int) -> list[ArticleEvent]:
    with database.read() as session:
        return list(session.scalars(select(ArticleEvent).where(ArticleEvent.article_id == article_id)))


def _actions(database: Database, article_id: int) -> list[str]:
    return [event.action for event in _events(database, article_id)]


def _changes(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(ArticleChange.record_id)))


class TestStates:
    @pytest.mark.parametrize(("status", "action"), ALLOWED)
    def test_an_allowed_step_leads_to_its_state(
        self, store: ArticleStore, workflow: ReviewWorkflow, status: str, action: ReviewAction
    ) -> None:
        article = store.create(new_article(status=status))
        workflow.take(action, article.id, by="王编辑", reason="说明")
        assert store.get(article.id).status == ALLOWED[status, action]

    @pytest.mark.parametrize(("status", "action"), REFUSED)
    def test_another_step_is_refused_with_the_state_and_what_is_possible(
        self, store: ArticleStore, workflow: ReviewWorkflow, status: str, action: ReviewAction
    ) -> None:
        article = store.create(new_article(status=status))
        with pytest.raises(Conflict, match=rf"the article is {status}.*possible: {POSSIBLE[status]}$"):
            workflow.take(action, article.id, by="王编辑", reason="说明")

    @pytest.mark.parametrize(("status", "action"), REFUSED)
    def test_a_refused_step_leaves_nothing(
        self,
        store: ArticleStore,
        workflow: ReviewWorkflow,
        database: Database,
        status: str,
        action: ReviewAction,
    ) -> None:
        article = store.create(new_article(status=status))
        with pytest.raises(Conflict):
            workflow.take(action, article.id, by="王编辑", reason="说明")
        assert (store.get(article.id).status, _events(database, article.id), _changes(database)) == (
            status,
            [],
            [article.id],
        )

    @pytest.mark.parametrize("action", TRANSITIONS)
    def test_an_unknown_article_is_not_found(self, workflow: ReviewWorkflow, action: ReviewAction) -> None:
        with pytest.raises(NotFound, match=str(UNKNOWN)):
            workflow.take(action, UNKNOWN, by="王编辑", reason="说明")

    def test_a_rejected_article_may_be_submitted_and_approved(self, workflow: ReviewWorkflow, draft: Article) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        workflow.take("submit", draft.id, by="李工")
        assert workflow.take("approve", draft.id, by="王编辑").status == "published"


class TestWhoReviews:
    @pytest.mark.parametrize("action", ["approve", "reject"])
    def test_a_contributor_may_not_review_the_own_article(
        self, workflow: ReviewWorkflow, draft: Article, action: ReviewAction
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        with pytest.raises(Forbidden, match="may not approve or reject"):
            workflow.take(action, draft.id, by="李工", reason="说明")

    def test_a_forbidden_review_leaves_nothing(
        self, workflow: ReviewWorkflow, draft: Article, store: ArticleStore, database: Database
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        with pytest.raises(Forbidden):
            workflow.take("approve", draft.id, by="李工")
        assert (store.get(draft.id).status, _actions(database, draft.id)) == ("in_review", ["submit"])

    def test_who_submitted_it_before_another_may_review_it(self, workflow: ReviewWorkflow, draft: Article) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        workflow.take("submit", draft.id, by="赵工")
        assert workflow.take("approve", draft.id, by="李工").status == "published"

    def test_a_contributor_may_archive_and_unarchive_the_own_article(
        self, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("approve", draft.id, by="王编辑")
        workflow.take("archive", draft.id, by="李工")
        assert workflow.take("unarchive", draft.id, by="李工").status == "published"

    def test_an_article_that_nobody_submitted_may_be_reviewed_by_anybody(
        self, workflow: ReviewWorkflow, store: ArticleStore
    ) -> None:
        article = store.create(new_article(status="in_review"))
        assert workflow.take("approve", article.id, by="王编辑").contributor is None


class TestWhatIsKnown:
    def test_nothing_is_known_before_the_first_step(self, store: ArticleStore, draft: Article) -> None:
        article = store.get(draft.id)
        assert (article.contributor, article.reviewer, article.review_reason) == (None, None, None)

    def test_the_answer_knows_the_step_that_was_just_taken(self, workflow: ReviewWorkflow, draft: Article) -> None:
        workflow.take("submit", draft.id, by="李工")
        article = workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        assert (article.contributor, article.reviewer, article.review_reason) == ("李工", "王编辑", "缺少步骤")

    def test_a_decision_stays_known_until_the_next(
        self, workflow: ReviewWorkflow, draft: Article, store: ArticleStore
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        workflow.take("submit", draft.id, by="赵工", reason="已补步骤")
        article = store.get(draft.id)
        assert (article.contributor, article.reviewer, article.review_reason) == ("赵工", "王编辑", "缺少步骤")

    def test_a_decision_without_reason_takes_the_old_reason_away(
        self, workflow: ReviewWorkflow, draft: Article
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        workflow.take("submit", draft.id, by="李工")
        article = workflow.take("approve", draft.id, by="钱编辑")
        assert (article.reviewer, article.review_reason) == ("钱编辑", None)

    def test_each_article_has_its_own_people(
        self, workflow: ReviewWorkflow, draft: Article, store: ArticleStore
    ) -> None:
        other = store.create(new_article())
        workflow.take("submit", draft.id, by="李工")
        workflow.take("submit", other.id, by="赵工")
        assert [article.contributor for article in store.page()[0]] == ["赵工", "李工"]


class TestLog:
    def test_every_step_is_logged_with_person_reason_and_time(
        self, workflow: ReviewWorkflow, draft: Article, database: Database, clock: SettableClock
    ) -> None:
        began = clock.now
        workflow.take("submit", draft.id, by="李工")
        clock.now += timedelta(hours=1)
        workflow.take("reject", draft.id, by="王编辑", reason="缺少步骤")
        logged = [(event.action, event.by, event.reason, event.at) for event in _events(database, draft.id)]
        assert logged == [
            ("submit", "李工", None, began),
            ("reject", "王编辑", "缺少步骤", began + timedelta(hours=1)),
        ]

    @pytest.mark.parametrize("reason", [None, ""])
    def test_a_rejection_without_reason_is_a_mistake(
        self, workflow: ReviewWorkflow, draft: Article, reason: str | None
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        with pytest.raises(ValueError, match="reason"):
            workflow.take("reject", draft.id, by="王编辑", reason=reason)

    def test_a_step_is_a_change_that_other_processes_follow(
        self, workflow: ReviewWorkflow, draft: Article, database: Database
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        assert _changes(database) == [draft.id, draft.id]

    def test_a_step_dates_the_last_change(self, workflow: ReviewWorkflow, draft: Article, clock: SettableClock) -> None:
        assert workflow.take("submit", draft.id, by="李工").updated_at == clock.now

    def test_the_log_goes_with_the_article(
        self, workflow: ReviewWorkflow, draft: Article, store: ArticleStore, database: Database
    ) -> None:
        workflow.take("submit", draft.id, by="李工")
        store.delete(draft.id)
        assert _events(database, draft.id) == []


class TestAtOnce:
    @pytest.fixture
    def at_once(self, workflow: ReviewWorkflow) -> Callable[..., list[str]]:
        """Takes the steps in threads of their own, all at once; gives the status that each led to, or its error."""

        def run(article_id: int, *steps: ReviewAction) -> list[str]:
            together = Barrier(len(steps))

            def take(number: int, action: ReviewAction) -> str:
                together.wait(timeout=30)
                try:
                    return workflow.take(action, article_id, by=f"同事{number}", reason="说明").status
                except Conflict:
                    return "conflict"

            with ThreadPoolExecutor(len(steps)) as threads:
                return list(threads.map(take, range(len(steps)), steps))

        return run

    @pytest.mark.parametrize(
        ("status", "steps"),
        [
            ("in_review", ("approve", "approve")),
            ("in_review", ("approve", "reject")),
            ("draft", ("submit", "submit")),
            ("published", ("archive", "archive", "archive")),
        ],
    )
    def test_of_steps_that_exclude_each_other_exactly_one_is_taken(
        self,
        store: ArticleStore,
        database: Database,
        at_once: Callable[..., list[str]],
        status: str,
        steps: tuple[ReviewAction, ...],
    ) -> None:
        for _ in range(ROUNDS):
            article = store.create(new_article(status=status))
            answers = at_once(article.id, *steps)
            (won,) = [answer for answer in answers if answer != "conflict"]
            assert (store.get(article.id).status, len(_events(database, article.id))) == (won, 1)

    @pytest.mark.parametrize("status", ["in_review", "rejected", "draft"])
    def test_submit_and_reject_leave_what_one_order_of_them_leaves(
        self, store: ArticleStore, database: Database, at_once: Callable[..., list[str]], status: str
    ) -> None:
        for _ in range(ROUNDS):
            article = store.create(new_article(status=status))
            answers = at_once(article.id, "submit", "reject")
            reached = status
            for action in _actions(database, article.id):
                reached = ALLOWED[reached, action]
            taken = [answer for answer in answers if answer != "conflict"]
            assert (store.get(article.id).status, len(_events(database, article.id))) == (reached, len(taken))
