"""The record of who wrote: one row for each writing request, in the transaction of its write where there is one."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from nlp_service.errors import NotRecorded
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.storage.access_tables import AuditEvent
from nlp_service.storage.database import Database

_KEY = "audit"
PSEUDONYM_CHARACTERS = 32


@dataclass
class Entry:
    """A writing request under way."""

    at: datetime
    key_prefix: str | None
    method: str
    route: str
    resource: str | None
    status: int
    """What the route answers when all goes well."""
    request_id: str
    recorded: bool = False
    """Its row is committed."""

    @property
    def row(self) -> dict[str, Any]:
        """What is stored."""
        return {name: value for name, value in asdict(self).items() if name != "recorded"}


_current: ContextVar[Entry | None] = ContextVar("audited_request", default=None)


def about(resource: int) -> None:
    """Say which record the present request made, when nothing in its address says so."""
    entry = _current.get()
    if entry is not None:
        entry.resource = str(resource)


def pseudonym(text: str, secret: bytes) -> str | None:
    """A name for a customer that says nothing to who does not have the secret; none without a secret."""
    return hmac.new(secret, text.encode(), "sha256").hexdigest()[:PSEUDONYM_CHARACTERS] if secret else None


class AuditTrail:
    """Records requests. The first transaction that writes for one records it too: neither stands without the other."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        database.on_commit(before=_add_row, after=_note_commit)

    @contextmanager
    def request(
        self, *, key_prefix: str | None, method: str, route: str, resource: str | None, status: int, request_id: str
    ) -> Iterator[Entry]:
        """What this task and the threads that it waits for write meanwhile is written for this request."""
        entry = Entry(self._clock(), key_prefix, method, route, resource, status, request_id)
        token = _current.set(entry)
        try:
            yield entry
        finally:
            _current.reset(token)

    def record(self, entry: Entry, status: int) -> None:
        """Record a request of this task that has written nothing, with the status that it is answered with.

        Raises NotRecorded.
        """
        entry.status = status
        try:
            with self._database.write():  # an empty transaction, to which the row is added as to any other
                pass
        except SQLAlchemyError as error:
            raise NotRecorded(type(error).__name__) from error


def _add_row(session: Session) -> None:
    entry = _current.get()
    if entry is not None and not entry.recorded:
        session.flush()  # what is wrong with the write itself is told as such
        try:
            session.add(AuditEvent(**entry.row))
            session.flush()
        except SQLAlchemyError as error:
            raise NotRecorded(type(error).__name__) from error
        session.info[_KEY] = entry


def _note_commit(session: Session) -> None:
    entry: Entry | None = session.info.pop(_KEY, None)
    if entry is not None:
        entry.recorded = True


def audit_page(database: Database, *, key_prefix: str | None = None, limit: int = 50) -> list[AuditEvent]:
    """The last events, the newest first."""
    query = select(AuditEvent)
    if key_prefix is not None:
        query = query.where(AuditEvent.key_prefix == key_prefix)
    with database.read() as session:
        return list(session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit)))
