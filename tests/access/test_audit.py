"""The record of who wrote stands and falls with what is written."""

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from nlp_service.access.audit import AuditTrail, Entry, about, audit_page, pseudonym
from nlp_service.errors import NotRecorded
from nlp_service.storage.access_tables import AuditEvent
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleChange, ArticleVector


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    return AuditTrail(database)


@pytest.fixture
def request_under_way(trail: AuditTrail) -> Iterator[Entry]:
    """Deletes article 7."""
    route = "/v1/knowledge/{article_id}"
    with trail.request(
        key_prefix="nlp_1", method="DELETE", route=route, resource="7", status=204, request_id="R-1"
    ) as entry:
        yield entry


def _write(database: Database, times: int = 1) -> None:
    for _ in range(times):
        with database.write() as session:
            session.add(ArticleChange(record_id=1))


def _written(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count(ArticleChange.sequence))) or 0


def _break(database: Database) -> None:
    """From now on nothing can be recorded."""
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_events RENAME TO gone"))


def test_the_row_holds_what_is_known_of_the_request(database: Database, request_under_way: Entry) -> None:
    _write(database)
    (event,) = audit_page(database)
    found = (event.key_prefix, event.method, event.route, event.resource, event.status, event.request_id)
    assert found == ("nlp_1", "DELETE", "/v1/knowledge/{article_id}", "7", 204, "R-1")
    assert event.at == request_under_way.at


@pytest.mark.usefixtures("request_under_way")
def test_a_request_of_several_transactions_has_one_row(database: Database) -> None:
    _write(database, times=3)
    assert len(audit_page(database)) == 1


@pytest.mark.usefixtures("trail")
def test_what_no_request_writes_has_none(database: Database) -> None:
    _write(database)
    assert audit_page(database) == []


@pytest.mark.usefixtures("request_under_way")
def test_a_transaction_that_fails_leaves_none(database: Database) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), database.write() as session:
        session.add(ArticleVector(record_id=1, encoder="e", content="c", vector=b""))
    assert audit_page(database) == []


@pytest.mark.usefixtures("request_under_way")
def test_the_next_one_is_recorded_then(database: Database) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), database.write():
        raise RuntimeError("on purpose")
    _write(database)
    assert len(audit_page(database)) == 1


@pytest.mark.usefixtures("request_under_way")
def test_without_the_row_nothing_is_written(database: Database) -> None:
    _break(database)
    with pytest.raises(NotRecorded):
        _write(database)
    assert _written(database) == 0


def test_a_request_that_wrote_nothing_is_recorded_with_its_status(
    trail: AuditTrail, database: Database, request_under_way: Entry
) -> None:
    trail.record(request_under_way, 403)
    assert [(event.resource, event.status) for event in audit_page(database)] == [("7", 403)]


@pytest.mark.usefixtures("request_under_way")
def test_a_new_record_is_named_by_who_makes_it(database: Database) -> None:
    about(11)
    _write(database)
    assert [event.resource for event in audit_page(database)] == ["11"]


def test_the_newest_come_first_and_those_of_a_key_alone_when_asked_for(database: Database) -> None:
    with database.write() as session:
        for prefix in ("nlp_1", "nlp_2", "nlp_1"):
            event = {"method": "POST", "route": "/v1/knowledge", "status": 201}
            session.add(AuditEvent(key_prefix=prefix, at=func.now(), **event))
    of_one = [event.id for event in audit_page(database, key_prefix="nlp_1")]
    assert (of_one, len(audit_page(database, limit=2))) == ([3, 1], 2)


def test_a_pseudonym_needs_the_secret() -> None:
    names = {pseudonym("C-7", secret) for secret in (b"one secret", b"another", b"")}
    assert len(names) == 3
    assert None in names
