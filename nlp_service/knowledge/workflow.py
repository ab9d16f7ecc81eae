"""The review of articles: who may bring an article from which state to which."""

from dataclasses import dataclass

from nlp_service.errors import Conflict, Forbidden
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.lookup import find_article
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import ArticleStatus
from nlp_service.storage.tables import DECISIONS, Article, ArticleChange, ArticleEvent, ReviewAction


@dataclass(frozen=True)
class Transition:
    """From which states an action leads to which."""

    before: frozenset[ArticleStatus]
    after: ArticleStatus


TRANSITIONS: dict[ReviewAction, Transition] = {
    "submit": Transition(frozenset({"draft", "rejected"}), "in_review"),
    "approve": Transition(frozenset({"in_review"}), "published"),
    "reject": Transition(frozenset({"in_review"}), "rejected"),
    "archive": Transition(frozenset({"published"}), "archived"),
    "unarchive": Transition(frozenset({"archived"}), "published"),
}
OWN_ARTICLE = (
    "提交人不能审核自己提交的文章,须由他人审核 · "
    "who submitted an article may not approve or reject it; another person must review it"
)


class ReviewWorkflow:
    """Takes articles through their review. May be used by several threads and processes."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def take(self, action: ReviewAction, article_id: int, *, by: str, reason: str | None = None) -> Article:
        """Do the step and log it; of several at once the first decides what is possible for the others.

        Raises NotFound, Conflict when the article's state does not allow it, Forbidden when a contributor reviews the
        own article, and ValueError when a rejection has no reason.
        """
        if action == "reject" and not reason:
            raise ValueError("a rejection needs a reason")
        with self._database.write() as session:
            article = find_article(session, article_id, lock=True)
            _check(article, action, by)
            article.status = TRANSITIONS[action].after
            article.updated_at = self._clock()
            session.add(ArticleEvent(article_id=article_id, action=action, by=by, reason=reason, at=article.updated_at))
            session.add(ArticleChange(record_id=article_id))
            session.flush()
            session.refresh(article)
        return article


def possible(status: str) -> list[ReviewAction]:
    """What can be done with an article in this state."""
    return [action for action, transition in TRANSITIONS.items() if status in transition.before]


def _check(article: Article, action: ReviewAction, by: str) -> None:
    if article.status not in TRANSITIONS[action].before:
        choice = ", ".join(possible(article.status))
        raise Conflict(
            f"文章现为 {article.status},不能 {action},只能:{choice} · "
            f"the article is {article.status}, so {action} is not possible; possible: {choice}"
        )
    if action in DECISIONS and by == article.contributor:
        raise Forbidden(OWN_ARTICLE)
