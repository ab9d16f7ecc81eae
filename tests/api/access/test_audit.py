"""Which requests are recorded, and with what."""

from typing import Any

import pytest
import structlog.testing
from fastapi.testclient import TestClient
from sqlalchemy import text

from nlp_service.access.audit import audit_page
from nlp_service.storage.access_tables import AuditEvent
from nlp_service.storage.database import Database
from tests.access.keys import bearer, visible
from tests.api.expectations import problem_of

SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}
BREAK = "CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk is full'); END"


def _database(client: TestClient) -> Database:
    database: Database = client.app.state.database  # type: ignore[attr-defined]
    return database


def _events(client: TestClient) -> list[AuditEvent]:
    """What was recorded, the oldest first."""
    return audit_page(_database(client), limit=1000)[::-1]


def _recorded(client: TestClient) -> list[tuple[str, str, str | None, int | None]]:
    return [(event.method, event.route, event.resource, event.status) for event in _events(client)]


def _break(client: TestClient) -> None:
    """From now on nothing can be recorded."""
    with _database(client).engine.begin() as connection:
        connection.execute(text(BREAK))


def _solved_ticket(client: TestClient, headers: dict[str, str]) -> str:
    """The place of a new ticket that was solved."""
    item = {"text": "导出报表一直超时", "kind": "ticket"}
    taken = client.post("/v1/feedback", json={"items": [item]}, headers=headers).json()
    place = f"/v1/feedback/{taken['results'][0]['id']}"
    client.post(f"{place}/resolve", json={"solution": "分批导出"}, headers=headers)
    return place


class TestWithKeys:
    def test_a_write_is_recorded_with_key_resource_status_and_request(
        self, guarded: TestClient, keys: dict[str, str]
    ) -> None:
        headers = bearer(keys["writer"]) | {"X-Request-ID": "R-1"}
        created = guarded.post("/v1/knowledge", json=SHORT, headers=headers).json()
        event = _events(guarded)[-1]
        assert (event.key_prefix, event.request_id) == (visible(keys["writer"]), "R-1")
        assert _recorded(guarded)[-1] == ("POST", "/v1/knowledge", str(created["id"]), 201)

    def test_a_request_that_lacks_the_scope_is_recorded(self, guarded: TestClient, keys: dict[str, str]) -> None:
        guarded.post("/v1/knowledge/7/approve", headers=bearer(keys["search"]) | {"X-Request-ID": "R-2"})
        event = _events(guarded)[-1]
        assert (event.key_prefix, event.request_id) == (visible(keys["search"]), "R-2")
        assert _recorded(guarded)[-1] == ("POST", "/v1/knowledge/{article_id}/approve", "7", 403)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/knowledge"),
            ("POST", "/v1/sentiment"),
            ("DELETE", "/v1/knowledge/4711"),
            ("POST", "/v1/knowledge"),
        ],
        ids=["a read", "an analysis", "what is not there", "a bad request"],
    )
    def test_what_wrote_nothing_is_not_recorded(
        self, guarded: TestClient, keys: dict[str, str], method: str, path: str
    ) -> None:
        before = len(_events(guarded))
        guarded.request(method, path, headers=bearer(keys["admin"]))
        assert len(_events(guarded)) == before

    def test_a_request_without_a_key_is_not_recorded(self, guarded: TestClient) -> None:
        before = len(_events(guarded))
        problem_of(guarded.post("/v1/knowledge", json=SHORT), 401)
        assert len(_events(guarded)) == before

    def test_what_stands_in_an_address_instead_of_a_number_is_not_kept(
        self, guarded: TestClient, keys: dict[str, str]
    ) -> None:
        guarded.delete("/v1/knowledge/13812345678x", headers=bearer(keys["search"]))
        assert _recorded(guarded)[-1] == ("DELETE", "/v1/knowledge/{article_id}", None, 403)

    def test_a_customer_is_recorded_under_a_pseudonym(self, guarded: TestClient, keys: dict[str, str]) -> None:
        for customer in ("C-7", "C-8", "C-7"):
            assert guarded.delete(f"/v1/subjects/{customer}", headers=bearer(keys["admin"])).status_code == 200
        first, second, third = [event.resource for event in _events(guarded)[-3:]]
        assert first == third != second
        assert "C-7" not in str(first)

    def test_a_request_that_had_nothing_to_write_is_recorded(self, guarded: TestClient, keys: dict[str, str]) -> None:
        draft = _solved_ticket(guarded, bearer(keys["admin"])) + "/draft"
        for _ in range(2):
            guarded.post(draft, json={}, headers=bearer(keys["admin"]))
        assert [event.status for event in _events(guarded)[-2:]] == [201, 200]


class TestInDevelopment:
    def test_writes_are_recorded_without_a_key(self, client: TestClient) -> None:
        place = client.post("/v1/knowledge", json=SHORT).headers["location"]
        number = place.rpartition("/")[2]
        client.patch(place, json={"title": "导出很慢"})
        client.post(f"{place}/vote", json={"by": "李工", "helpful": True})
        client.delete(place)
        assert _recorded(client) == [
            ("POST", "/v1/knowledge", number, 201),
            ("PATCH", "/v1/knowledge/{article_id}", number, 200),
            ("POST", "/v1/knowledge/{article_id}/vote", number, 200),
            ("DELETE", "/v1/knowledge/{article_id}", number, 204),
        ]
        assert {event.key_prefix for event in _events(client)} == {None}

    def test_a_request_of_several_writes_is_recorded_once(self, client: TestClient) -> None:
        client.post("/v1/knowledge", json=SHORT)
        content = (
            '{"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。", "tags": ["导出"]}\n'.encode()
        )
        client.post("/v1/knowledge/import", files={"file": ("a.jsonl", content)})
        assert [event.route for event in _events(client)] == ["/v1/knowledge", "/v1/knowledge/import"]

    def test_a_write_that_cannot_be_recorded_is_not_done(self, client: TestClient) -> None:
        _break(client)
        document = problem_of(client.post("/v1/knowledge", json=SHORT), 503)
        assert "nothing was written" in document["detail"]
        assert client.get("/v1/knowledge").json()["total"] == 0

    def test_what_cannot_be_recorded_when_it_is_done_is_told_and_logged(self, client: TestClient) -> None:
        draft = _solved_ticket(client, {}) + "/draft"
        client.post(draft, json={"by": "李工"})
        _break(client)
        with structlog.testing.capture_logs() as logs:
            answer = client.post(draft, json={"by": "李工"}, headers={"X-Request-ID": "R-3"})
        assert "could not be recorded" in problem_of(answer, 503)["detail"]
        assert [log["request_id"] for log in logs if log["event"] == "not recorded"] == ["R-3"]
