"""Stored vectors of tickets, by one encoder."""

from collections.abc import Collection

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from nlp_service.feedback.encodings import Encodings, Vector
from nlp_service.feedback.record import passage_of
from nlp_service.knowledge.article import content_hash
from nlp_service.storage.tables import Feedback, FeedbackVector


def stored_vectors(session: Session, passages: Collection[str], fingerprint: str) -> dict[str, Vector]:
    """The vectors of those passages that are stored of any ticket, each of shape (dimension,)."""
    hashes = {content_hash(passage): passage for passage in passages}
    rows = session.execute(
        select(FeedbackVector.content, FeedbackVector.vector).where(
            FeedbackVector.encoder == fingerprint, FeedbackVector.content.in_(list(hashes))
        )
    )
    return {hashes[content]: np.frombuffer(blob, "<f4") for content, blob in rows}


def write_vector(session: Session, ticket: Feedback, encodings: Encodings, fingerprint: str) -> None:
    """Store the vector of the ticket's present text, unless it is stored; the ticket must have its number."""
    passage = passage_of(ticket)
    content = content_hash(passage)
    stored = session.get(FeedbackVector, (ticket.id, fingerprint))
    if stored is None or stored.content != content:
        blob = encodings.vector(passage).astype("<f4").tobytes()
        session.merge(FeedbackVector(record_id=ticket.id, encoder=fingerprint, content=content, vector=blob))
