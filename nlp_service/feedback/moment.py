"""Moments as they are given: ISO 8601; one without zone is in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from nlp_service.knowledge.clock import utc_now

AHEAD = timedelta(days=1)
"""So far may a moment that has passed lie ahead: clocks and zones differ."""


def _moment(value: object) -> object:
    message = "须为 ISO 8601 时间,如 2026-10-01T08:00:00Z · must be an ISO 8601 time, such as 2026-10-01T08:00:00Z"
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(message)
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(message) from error


def _has_passed(moment: datetime) -> datetime:
    if moment > utc_now() + AHEAD:
        raise ValueError("不能晚于现在 1 天以上 · must not be more than 1 day in the future")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment)]
PastMoment = Annotated[Moment, AfterValidator(_has_passed)]
"""A moment at most 1 day in the future."""
