"""Which tickets and reviews are meant."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from nlp_service.storage.tables import Feedback, FeedbackKind, FeedbackStatus


@dataclass(frozen=True)
class Selection:
    """Those that fit everything that is given; `since` ≤ written < `until`."""

    kind: FeedbackKind | None = None
    status: FeedbackStatus | None = None
    product: str | None = None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What holds of these alone."""
        equal = ("kind", "status", "product", "label")
        given = [getattr(Feedback, name) == value for name in equal if (value := getattr(self, name)) is not None]
        if self.since is not None:
            given.append(Feedback.created_at >= self.since)
        if self.until is not None:
            given.append(Feedback.created_at < self.until)
        return given
