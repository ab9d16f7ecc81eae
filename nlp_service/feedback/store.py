"""Tickets and reviews in the database.

Every change of a ticket is written with its vector and a line in the sequence of changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select

from nlp_service.errors import Conflict
from nlp_service.feedback.analysis import Analyse
from nlp_service.feedback.encodings import Encodings
from nlp_service.feedback.lookup import find_feedback, find_known, find_ticket
from nlp_service.feedback.merging import merge, new_feedback, reopen, solve
from nlp_service.feedback.record import FeedbackItem, passage_of
from nlp_service.feedback.selection import Selection
from nlp_service.feedback.vectors import stored_vectors, write_vector
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.store import EncodePassages
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback, FeedbackChange


@dataclass
class TakenIn:
    """What became of the items that were taken in; `records` has one for each, in their order."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    records: list[Feedback] = field(default_factory=list)


@dataclass(frozen=True)
class Erasure:
    """That everything of a customer was deleted, how much that was, and when."""

    customer_id: str
    deleted: int
    at: datetime


class FeedbackStore:
    """Take in, read, list, resolve, reopen and erase. May be used by several threads and processes."""

    def __init__(
        self,
        database: Database,
        analyse: Analyse,
        encode: EncodePassages,
        encoder_fingerprint: str,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._analyse = analyse
        self._encode = encode
        self._fingerprint = encoder_fingerprint
        self._clock = clock

    def take_in(self, items: Sequence[FeedbackItem]) -> TakenIn:
        """Store the items, or update those whose external id is known; all or none. Twice the same changes nothing.

        When an external id occurs more than once, the items count one after the other. Raises Conflict when an external
        id is of the other kind, and Overloaded.
        """
        now = self._clock()
        encodings = self._encodings(items, now)
        taken = TakenIn()
        with self._database.write() as session:
            for item in items:
                record = find_known(session, item)
                before = None if record is None else record.text
                if record is None:
                    record = new_feedback(item, now)
                    taken.created += 1
                elif merge(record, item, now):
                    taken.updated += 1
                else:
                    taken.unchanged += 1
                    taken.records.append(record)
                    continue
                if record.text != before:
                    _analyse(record, encodings)
                session.add(record)
                session.flush()
                if record.kind == "ticket":
                    write_vector(session, record, encodings, self._fingerprint)
                    session.add(FeedbackChange(record_id=record.id))
                taken.records.append(record)
        return taken

    def get(self, feedback_id: int) -> Feedback:
        """The ticket or review; raises NotFound."""
        with self._database.read() as session:
            return find_feedback(session, feedback_id)

    def page(self, selection: Selection, *, offset: int = 0, limit: int = 50) -> tuple[list[Feedback], int]:
        """A page, what was received last first, and how many there are in all."""
        query = select(Feedback).where(*selection.conditions)
        with self._database.read() as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            records = session.scalars(query.order_by(Feedback.id.desc()).offset(offset).limit(limit)).all()
            return list(records), total

    def resolve(self, feedback_id: int, solution: str) -> Feedback:
        """Make a ticket solved; the same solution again changes nothing.

        Raises NotFound, and Conflict for a review and for a ticket that is solved in another way.
        """
        with self._database.write() as session:
            record = find_ticket(session, feedback_id, lock=True)
            if record.status == "solved" and record.solution != solution:
                raise Conflict(
                    f"工单 {feedback_id} 现为 solved,已有另一解决办法,请先 reopen · "
                    f"ticket {feedback_id} is solved with another solution; reopen it first"
                )
            if record.status == "open":
                solve(record, solution, self._clock())
                session.add(FeedbackChange(record_id=feedback_id))
        return record

    def reopen(self, feedback_id: int) -> Feedback:
        """Make a ticket open, without a solution; an open one stays as it is.

        Raises NotFound, and Conflict for a review.
        """
        with self._database.write() as session:
            record = find_ticket(session, feedback_id, lock=True)
            if record.status == "solved":
                reopen(record)
                session.add(FeedbackChange(record_id=feedback_id))
        return record

    def erase(self, customer_id: str) -> Erasure:
        """Delete all tickets and reviews of a customer with their vectors.

        Articles that were drafted from them stay: what they hold was masked.
        """
        with self._database.write() as session:
            of_customer = Feedback.customer_id == customer_id
            tickets = session.scalars(select(Feedback.id).where(of_customer, Feedback.kind == "ticket")).all()
            gone = session.scalars(delete(Feedback).where(of_customer).returning(Feedback.id)).all()
            session.add_all(FeedbackChange(record_id=ticket) for ticket in tickets)
        return Erasure(customer_id, len(gone), self._clock())

    def _encodings(self, items: Sequence[FeedbackItem], now: datetime) -> Encodings:
        """What has to be computed for the items: of texts that are new, and of passages without a stored vector."""
        texts: list[str] = []
        passages: list[str] = []
        with self._database.read() as session:
            previews: dict[str | None, Feedback] = {}
            for item in items:
                record = previews.get(item.external_id) or find_known(session, item)
                session.expunge_all()
                before = None if record is None else record.text
                if record is None:
                    record = new_feedback(item, now)
                else:
                    merge(record, item, now)
                if item.external_id is not None:
                    previews[item.external_id] = record
                if record.text != before:
                    texts.append(record.text)
                if record.kind == "ticket":
                    passages.append(passage_of(record))
            known = stored_vectors(session, passages, self._fingerprint)
        encodings = Encodings(self._analyse, self._encode)
        encodings.prepare(texts, passages, known)
        return encodings


def _analyse(record: Feedback, encodings: Encodings) -> None:
    analysis = encodings.analysis(record.text)
    record.label = analysis.kind.label
    record.confidence = analysis.kind.confidence
    record.severity = analysis.severity.label
    record.sentiment = analysis.sentiment.label
