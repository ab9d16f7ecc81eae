"""The open and solved tickets that a ticket repeats."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.keys import key_of, record_of
from nlp_service.knowledge.likeness import log_lengths
from nlp_service.knowledge.search import KnowledgeSearch, Vector
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback, FeedbackStatus, FeedbackVector
from nlp_service.text.opposites import are_opposites

THRESHOLD = 0.9
"""Least probability of a duplicate that is named. Nine of ten named ones are right where a product has a thousand
tickets and every fourth repeats another; with fewer more are (docs/decisions/0015)."""
LIMIT = 5
CANDIDATES = 20
"""So many of the nearest tickets are looked at."""
Nearest = list[tuple[int, float]]
"""Numbers of tickets with their cosines."""


@dataclass(frozen=True)
class Duplicate:
    """A ticket that tells the same matter, and the probability that it does."""

    id: int
    external_id: str | None
    status: FeedbackStatus
    score: float


class Duplicates:
    """Finds tickets of the same product, or of which one has none; reviews have no duplicates."""

    def __init__(self, database: Database, search: KnowledgeSearch) -> None:
        self._database = database
        self._search = search

    def of(self, record: Feedback) -> list[Duplicate]:
        """At most five that were taken in before or after it, the best first."""
        return self._find([record], only_earlier=False)[0]

    def earlier(self, records: Sequence[Feedback]) -> list[list[Duplicate]]:
        """For each record, in order, at most five that were taken in before it, the best first."""
        return self._find(records, only_earlier=True)

    def _find(self, records: Sequence[Feedback], *, only_earlier: bool) -> list[list[Duplicate]]:
        tickets = {record.id: record for record in records if record.kind == "ticket"}
        with self._database.read() as session:
            vectors = self._vectors(session, tickets)
        nearest = {
            number: self._nearest(tickets[number], vector, only_earlier=only_earlier)
            for number, vector in vectors.items()
        }
        with self._database.read() as session:
            others = _tickets(session, {number for found in nearest.values() for number, _ in found})
        return [self._duplicates(record, nearest.get(record.id, []), others) for record in records]

    def _vectors(self, session: Session, numbers: Collection[int]) -> dict[int, Vector]:
        rows = session.execute(
            select(FeedbackVector.record_id, FeedbackVector.vector).where(
                FeedbackVector.encoder == self._search.space.fingerprint, FeedbackVector.record_id.in_(numbers)
            )
        )
        return {number: np.frombuffer(blob, "<f4") for number, blob in rows}

    def _nearest(self, ticket: Feedback, vector: Vector, *, only_earlier: bool) -> Nearest:
        """Of those without product only such as are among the nearest of all: few systems give some tickets one."""
        below = key_of("case", ticket.id) if only_earlier else None
        cases = frozenset({"case"})
        found = self._search.nearest(vector, CANDIDATES + 1, Filters(kind=cases), below)
        if ticket.product is not None:
            product = Filters(kind=cases, product=frozenset({ticket.product}))
            found += self._search.nearest(vector, CANDIDATES + 1, product, below)
        cosines = {record_of(key)[1]: cosine for key, cosine in found}
        return [(number, cosine) for number, cosine in cosines.items() if number != ticket.id]

    def _duplicates(self, record: Feedback, nearest: Nearest, tickets: dict[int, Feedback]) -> list[Duplicate]:
        found = [
            (tickets[number], cosine)
            for number, cosine in nearest
            if number in tickets and _may_share_product(record, tickets[number])
        ]
        if not found:
            return []
        scores = self._search.likeness.probabilities(
            np.array([cosine for _, cosine in found]),
            np.minimum(log_lengths([record.text]), log_lengths([ticket.text for ticket, _ in found])),
            np.array([ticket.label == record.label for ticket, _ in found]),
        )
        named = [
            Duplicate(ticket.id, ticket.external_id, ticket.status, round(score, 4))  # type: ignore[arg-type] # the table checks it
            for (ticket, _), score in zip(found, scores.tolist(), strict=True)
            if score >= THRESHOLD and not are_opposites(record.text, ticket.text)
        ]
        return sorted(named, key=lambda one: (-one.score, one.id))[:LIMIT]


def _tickets(session: Session, numbers: Collection[int]) -> dict[int, Feedback]:
    query = select(Feedback).where(Feedback.id.in_(numbers), Feedback.kind == "ticket")
    return {ticket.id: ticket for ticket in session.scalars(query)}


def _may_share_product(one: Feedback, other: Feedback) -> bool:
    return one.product is None or other.product is None or one.product == other.product
