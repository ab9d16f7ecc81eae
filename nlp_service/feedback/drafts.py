"""A solved ticket becomes a draft of an article in one call."""

from sqlalchemy.orm import Session

from nlp_service.errors import Conflict
from nlp_service.feedback.lookup import find_ticket
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.author import Author
from nlp_service.knowledge.lookup import find_article
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, Feedback
from nlp_service.text.headline import headline


class _AlreadyDrafted(Exception):
    """Another call drafted the ticket meanwhile."""

    def __init__(self, article_id: int) -> None:
        super().__init__(article_id)
        self.article_id = article_id


class TicketDrafts:
    """Drafts articles from solved tickets. May be used by several threads and processes."""

    def __init__(self, database: Database, articles: ArticleStore) -> None:
        self._database = database
        self._articles = articles

    def draft(self, feedback_id: int, *, by: str, title: str | None = None) -> tuple[Article, bool]:
        """The article that was drafted from the ticket, and whether that was done now, by this person.

        A ticket has one draft, however often it is asked for, until that article is deleted. Without `title` it gets
        one from the ticket's first sentence. Raises NotFound, and Conflict for a review and for an open ticket.
        """
        with self._database.read() as session:
            ticket = _solved_ticket(session, feedback_id)
            if ticket.draft_id is not None:
                return find_article(session, ticket.draft_id), False

        def remember(session: Session, article: Article) -> None:
            current = _solved_ticket(session, feedback_id, lock=True)
            if current.draft_id is not None:
                raise _AlreadyDrafted(current.draft_id)
            current.draft_id = article.id

        try:
            return self._articles.create(_article_of(ticket, title), author=Author(by), link=remember), True
        except _AlreadyDrafted as drafted:
            return self._articles.get(drafted.article_id), False


def _solved_ticket(session: Session, feedback_id: int, *, lock: bool = False) -> Feedback:
    ticket = find_ticket(session, feedback_id, lock=lock)
    if ticket.status != "solved":
        raise Conflict(
            f"工单 {feedback_id} 现为 {ticket.status},解决后才能起草文章 · "
            f"ticket {feedback_id} is {ticket.status}; only a solved one can be drafted"
        )
    return ticket


def _article_of(ticket: Feedback, title: str | None) -> ArticleCreate:
    # Not checked again: the texts were when they were taken in, and a mask may have made one longer than its limit.
    return ArticleCreate.model_construct(
        title=title or headline(ticket.text),
        problem=ticket.text,
        scenario=ticket.scenario,
        solution=ticket.solution or "",
        tags=ticket.tags,
        product=ticket.product,
    )
