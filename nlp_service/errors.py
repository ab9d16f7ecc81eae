"""Errors that people can cause or should read. The HTTP layer and the CLI translate them in one place.

ServiceError
├── InvalidText           a text cannot be analysed (blank, too long, no words …)
├── InvalidRecord         a line or record of an import breaks a rule
├── NotFound              no such article
├── Conflict              an external id is already taken, or the article's state does not allow a step
├── Forbidden             a rule keeps this person from doing it
├── Overloaded            the queue is full; try again later
├── BundleError           a model bundle is missing, damaged or does not fit
├── DatabaseOutdated      a newer version made the database
├── AccessNotConfigured  keys are required, and there is no secret or no usable key
├── NotRecorded           a write cannot be recorded in the audit table
└── IndexDamaged          files of a saved search index are missing or do not fit together
"""

import math
from typing import Literal

Refusal = Literal["queue_full", "stopping", "rate"]
"""Why a request is refused for now; metrics count by it."""


class ServiceError(Exception):
    """Base of every expected error."""


class InvalidText(ServiceError):
    """A text cannot be analysed; `field` says which one."""

    def __init__(self, message: str, *, field: str = "text") -> None:
        super().__init__(message)
        self.field = field


class InvalidRecord(ServiceError):
    """A record of an import breaks a rule; `place` says where it stands."""

    def __init__(self, message: str, *, place: int) -> None:
        super().__init__(message)
        self.place = place


class NotFound(ServiceError):
    """What was asked for does not exist."""


class Conflict(ServiceError):
    """The change contradicts what is stored."""


class Forbidden(ServiceError):
    """A rule keeps this person from doing it."""


class Overloaded(ServiceError):
    """Too much is waiting; the caller should come back after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: int, reason: Refusal = "queue_full") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reason = reason

    @classmethod
    def queue_full(cls, seconds: float, limit: float) -> "Overloaded":
        """A request would wait, or has waited, longer than it may."""
        return cls(
            f"排队已满:约需等待 {seconds:.1f} 秒,最多 {limit:g} 秒 · "
            f"queue is full: about {seconds:.1f} s of work wait, at most {limit:g} s may",
            retry_after=max(1, math.ceil(seconds)),
        )


class BundleError(ServiceError):
    """A model bundle is missing, damaged, or made for another encoder."""


class DatabaseOutdated(ServiceError):
    """The database was made by a newer version."""


class AccessNotConfigured(ServiceError):
    """Keys are required, and there is no secret or no usable key."""


class NotRecorded(ServiceError):
    """A write cannot be recorded in the audit table."""


class IndexDamaged(ServiceError):
    """Files of a saved search index are missing, damaged, or do not fit together; build the index anew."""


class DatabaseUnusable(ServiceError):
    """The database does not answer, or lacks a driver, an extension or a right that is needed."""
