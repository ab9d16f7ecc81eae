"""Tables of keys, and of who wrote."""

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from nlp_service.storage.tables import NUMBER, Table, UtcDateTime


class ApiKey(Table):
    """A key, without its secret part. It stays when it is revoked, so that the record of writes can be read."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String(20), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    requests_per_minute: Mapped[int | None] = mapped_column()
    """None: as the service is configured."""
    for_others: Mapped[bool] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEvent(Table):
    """One writing request, or one change of the keys. The database refuses to change or delete rows."""

    __tablename__ = "audit_events"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    key_prefix: Mapped[str | None] = mapped_column(String(20), index=True)
    """None: in development without a key, or on the command line."""
    method: Mapped[str] = mapped_column(String(10))
    route: Mapped[str] = mapped_column(String(200))
    resource: Mapped[str | None] = mapped_column(String(100))
    """Number or task of what was written; of a customer a pseudonym."""
    status: Mapped[int | None] = mapped_column()
    """Of the answer; none on the command line."""
    request_id: Mapped[str | None] = mapped_column(String(64), index=True)
