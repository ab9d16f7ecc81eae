"""Keys in the database: made, listed, rotated, revoked. Each change is recorded with it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from nlp_service.access.credential import digest_of, new_credential
from nlp_service.access.scopes import Scope
from nlp_service.errors import Conflict, NotFound
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.storage.access_tables import ApiKey, AuditEvent
from nlp_service.storage.database import Database


@dataclass(frozen=True)
class NewKey:
    """What a key is made for. `name` is who acts with it, and stands in versions and events."""

    name: str
    scopes: Collection[Scope]
    days: int
    """How long it is good."""
    requests_per_minute: int | None = None
    for_others: bool = False


class KeyStore:
    """Makes, lists, rotates and revokes keys."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def create(self, new: NewKey, secret: bytes) -> str:
        """Make a key and give it, for the only time."""
        now = self._clock()
        row = ApiKey(
            name=new.name,
            scopes=sorted(set(new.scopes)),
            requests_per_minute=new.requests_per_minute,
            for_others=new.for_others,
            created_at=now,
            expires_at=now + timedelta(days=new.days),
        )
        with self._database.write() as session:
            return self._add(session, row, secret, "keys create")

    def all(self) -> list[ApiKey]:
        """Every key that there ever was, the newest first."""
        with self._database.read() as session:
            return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.prefix)))

    def usable(self) -> list[ApiKey]:
        """The keys that are neither revoked nor expired."""
        good = select(ApiKey).where(ApiKey.revoked_at.is_(None), ApiKey.expires_at > self._clock())
        with self._database.read() as session:
            return list(session.scalars(good))

    def rotate(self, prefix: str, secret: bytes, *, overlap: timedelta) -> str:
        """Make a key in the place of another, good for as long as that one was meant to be, and give it.

        The old one is good for `overlap` more. Raises NotFound, and Conflict when it no longer is.
        """
        now = self._clock()
        with self._database.write() as session:
            old = _find(session, prefix)
            if not is_usable(old, now):
                raise Conflict(f"密钥 {prefix} 已吊销或过期 · key {prefix} is revoked or expired; make a new one")
            row = ApiKey(
                name=old.name,
                scopes=old.scopes,
                requests_per_minute=old.requests_per_minute,
                for_others=old.for_others,
                created_at=now,
                expires_at=now + (old.expires_at - old.created_at),
            )
            old.expires_at = min(old.expires_at, now + overlap)
            return self._add(session, row, secret, "keys rotate", about=prefix)

    def revoke(self, prefix: str) -> None:
        """Make a key useless at once; one that is already stays as it is. Raises NotFound."""
        with self._database.write() as session:
            key = _find(session, prefix)
            if key.revoked_at is None:
                key.revoked_at = self._clock()
                session.add(self._event("keys revoke", prefix))

    def _add(self, session: Session, row: ApiKey, secret: bytes, action: str, about: str | None = None) -> str:
        row.prefix, credential = new_credential()
        row.digest = digest_of(credential, secret)
        session.add(row)
        session.add(self._event(action, about or row.prefix))
        return credential

    def _event(self, action: str, prefix: str) -> AuditEvent:
        return AuditEvent(at=self._clock(), method="CLI", route=action, resource=prefix)


def is_usable(key: ApiKey, now: datetime) -> bool:
    """Whether the key is neither revoked nor expired."""
    return key.revoked_at is None and now < key.expires_at


def _find(session: Session, prefix: str) -> ApiKey:
    key = session.get(ApiKey, prefix)
    if key is None:
        raise NotFound(f"没有密钥 {prefix} · there is no key {prefix}")
    return key
