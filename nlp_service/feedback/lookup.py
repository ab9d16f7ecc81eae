"""Finding tickets and reviews."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from nlp_service.errors import Conflict, NotFound
from nlp_service.feedback.record import FeedbackItem
from nlp_service.storage.tables import Feedback


def find_feedback(session: Session, feedback_id: int, *, lock: bool = False) -> Feedback:
    """The ticket or review; raises NotFound. With `lock` other writers of it wait until the transaction ends."""
    record = session.get(Feedback, feedback_id, with_for_update=lock)
    if record is None:
        raise NotFound(f"没有编号为 {feedback_id} 的反馈 · there is no feedback {feedback_id}")
    return record


def find_ticket(session: Session, feedback_id: int, *, lock: bool = False) -> Feedback:
    """The ticket; raises NotFound, and Conflict when it is a review."""
    record = find_feedback(session, feedback_id, lock=lock)
    if record.kind != "ticket":
        raise Conflict(
            f"反馈 {feedback_id} 是评价,只有工单可以解决 · "
            f"feedback {feedback_id} is a review; only a ticket can be solved"
        )
    return record


def find_known(session: Session, item: FeedbackItem) -> Feedback | None:
    """What was taken in under the item's external id; raises Conflict when that is of the other kind."""
    if item.external_id is None:
        return None
    record = session.scalar(select(Feedback).where(Feedback.external_id == item.external_id))
    if record is not None and record.kind != item.kind:
        raise Conflict(
            f"external_id 已被另一类反馈占用(编号 {record.id},{record.kind}) · "
            f"external_id is taken by feedback {record.id}, which is a {record.kind}, not a {item.kind}"
        )
    return record
