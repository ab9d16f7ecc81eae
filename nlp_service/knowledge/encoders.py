"""Which encoders have vectors in the database, and which of these nobody needs any more.

Every process notes from time to time which encoder it serves with or builds an index for. An encoder that no process
has used for KEPT is not needed, not even to roll back; its vectors can be computed again.
"""

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.index.pgvector_table import drop_table
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector, FeedbackVector, SearchEncoder

KEPT = timedelta(days=2)
CHUNK = 2_000
TABLES: tuple[type[ArticleVector] | type[FeedbackVector], ...] = (ArticleVector, FeedbackVector)


def note_use(database: Database, fingerprint: str, clock: Clock = utc_now) -> None:
    """Say that this process uses an encoder now."""
    with database.write() as session:
        session.merge(SearchEncoder(fingerprint=fingerprint, used_at=clock()))


def forget_unused(database: Database, clock: Clock = utc_now) -> list[str]:
    """Delete the vectors of encoders that were not used for KEPT; gives their fingerprints.

    One of which nobody knows when it was used counts as used now.
    """
    now = clock()
    with database.read() as session:
        known = {one.fingerprint: one.used_at for one in session.scalars(select(SearchEncoder))}
        stored = _stored(session)
    for unknown in stored - known.keys():
        note_use(database, unknown, clock)
    unused = [fingerprint for fingerprint, used_at in known.items() if now - used_at > KEPT]
    for fingerprint in unused:
        _forget(database, fingerprint)
    return unused


def _stored(session: Session) -> set[str]:
    """The encoders of all stored vectors; a record that was changed lately has one of what serves."""
    return {fingerprint for table in TABLES for fingerprint in session.scalars(select(table.encoder).distinct())}


def _forget(database: Database, fingerprint: str) -> None:
    for table in TABLES:
        some = select(table.record_id).where(table.encoder == fingerprint).limit(CHUNK)
        deleted = CHUNK
        while deleted:  # a few at a time, so that other writers get their turn
            with database.write() as session:
                numbers = session.scalars(some).all()
                session.execute(delete(table).where(table.encoder == fingerprint, table.record_id.in_(numbers)))
            deleted = len(numbers)
    drop_table(database, fingerprint)
    with database.write() as session:
        session.execute(delete(SearchEncoder).where(SearchEncoder.fingerprint == fingerprint))
