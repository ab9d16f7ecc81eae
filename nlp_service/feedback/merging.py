"""A ticket or review that is taken in: as a new record, or merged into the one that is stored."""

from datetime import datetime
from typing import Any

from nlp_service.feedback.record import FeedbackItem
from nlp_service.storage.tables import Feedback


def new_feedback(item: FeedbackItem, now: datetime) -> Feedback:
    """The record of `item`, not analysed yet. Without `created_at` it was written now, or when it was solved."""
    values = item.model_dump()
    created_at = item.created_at or min(now, item.solved_at or now)
    return Feedback(**{**values, "created_at": created_at}, received_at=now)


def merge(record: Feedback, item: FeedbackItem, now: datetime) -> bool:
    """Give the record what `item` says, and tell whether that changed anything; fields that are not given stay.

    An open ticket that comes as solved was solved now unless `item` says when; one that comes as open loses its
    solution.
    """
    changed = False
    for name, value in _changes(record, item, now).items():
        if getattr(record, name) != value:
            setattr(record, name, value)
            changed = True
    return changed


def solve(record: Feedback, solution: str, at: datetime) -> None:
    """Make the ticket solved. It was written then at the latest, whatever the clock of its system said."""
    record.status = "solved"
    record.solution = solution
    record.solved_at = at
    record.created_at = min(record.created_at, at)


def reopen(record: Feedback) -> None:
    """Make the ticket open; a solution that did not hold is none."""
    record.status = "open"
    record.solution = record.solved_at = None


def _changes(record: Feedback, item: FeedbackItem, now: datetime) -> dict[str, Any]:
    values = item.model_dump(exclude_unset=True, exclude={"external_id", "kind"})
    for name in ("created_at", "solved_at"):  # null says that the moment is not known, which is nothing new
        if values.get(name) is None:
            values.pop(name, None)
    status = values.get("status")
    if status is None:
        values.pop("solution", None)
    elif status == "open":
        values |= {"solution": None, "solved_at": None}
    elif record.status == "open":
        values.setdefault("solved_at", now)
    solved_at = values.get("solved_at", record.solved_at)
    if solved_at is not None and solved_at < values.get("created_at", record.created_at):
        values["created_at"] = solved_at
    return values
