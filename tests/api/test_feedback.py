"""/v1/feedback: tickets and reviews taken in, read, solved, reopened and drafted."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.knowledge.clock import utc_now
from tests.api.expectations import Answer, fields_of, problem_of

FEEDBACK = "/v1/feedback"
UNKNOWN = f"{FEEDBACK}/4711"
TICKET: dict[str, Any] = {"kind": "ticket", "text": "导出报表时一直提示超时,急!", "external_id": "T-1"}
REVIEW: dict[str, Any] = {"kind": "review", "text": "更新以后特别流畅,好评", "rating": 5}
SOLVED = {"status": "solved", "solution": "分批导出"}


def _send(client: TestClient, *items: object) -> Answer:
    return client.post(FEEDBACK, json={"items": items})


def _sent(client: TestClient, *items: object) -> dict[str, Any]:
    answer = _send(client, *items)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _place(client: TestClient, **changes: object) -> str:
    """The place of a new ticket."""
    (result,) = _sent(client, {**TICKET, **changes})["results"]
    return f"{FEEDBACK}/{result['id']}"


def _total(client: TestClient) -> int:
    total: int = client.get(FEEDBACK).json()["total"]
    return total


class TestTakingIn:
    def test_results_keep_the_order_and_say_what_the_texts_are(self, client: TestClient) -> None:
        answer = _sent(client, TICKET, REVIEW)
        first, second = answer["results"]
        assert [answer[name] for name in ("created", "updated", "unchanged")] == [2, 0, 0]
        assert (first["external_id"], first["kind"], first["status"]) == ("T-1", "ticket", "open")
        assert (second["external_id"], second["kind"], second["sentiment"]) == (None, "review", "positive")

    def test_a_ticket_is_answered_as_classify_answers_it(self, client: TestClient) -> None:
        (result,) = _sent(client, TICKET)["results"]
        (expected,) = client.post("/v1/classify", json={"tickets": [{"text": TICKET["text"]}]}).json()["results"]
        assert result["confidence"] == pytest.approx(expected["confidence"], abs=0.02)
        assert {name: result[name] for name in ("label", "needs_review", "severity", "triage")} == {
            "label": expected["label"],
            "needs_review": expected["needs_review"],
            "severity": expected["severity"]["label"],
            "triage": expected["triage"],
        }

    def test_the_same_again_changes_nothing(self, client: TestClient) -> None:
        first = _sent(client, TICKET)
        second = _sent(client, TICKET)
        assert (second["unchanged"], second["results"]) == (1, first["results"])

    def test_an_open_ticket_sent_again_as_solved_is_solved(self, client: TestClient) -> None:
        place = _place(client)
        assert _sent(client, {**TICKET, **SOLVED})["updated"] == 1
        ticket = client.get(place).json()
        assert (ticket["status"], ticket["solution"], ticket["solved_at"] is None) == ("solved", "分批导出", False)

    def test_the_text_is_masked_before_it_is_stored(self, client: TestClient) -> None:
        assert client.get(_place(client, text="超时,请回电 13812345678")).json()["text"] == "超时,请回电 138****5678"

    def test_its_answers_are_counted(self, client: TestClient) -> None:
        _sent(client, TICKET)
        assert 'nlp_answers_total{label="fault"' in client.get("/metrics").text

    def test_256_items_are_taken(self, client: TestClient) -> None:
        answer = _sent(client, *[{"kind": "review", "text": f"好用{number % 3}"} for number in range(256)])
        assert (answer["created"], len(answer["results"])) == (256, 256)


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"text": " "}, "text"),
            ({"text": "长" * 2001}, "text"),
            ({"text": None}, "text"),
            ({"kind": "chat"}, "kind"),
            ({"status": "closed"}, "status"),
            ({"status": "solved"}, "solution"),
            ({"solution": "重启"}, "solution"),
            ({"solved_at": "2025-10-01"}, "solved_at"),
            ({"kind": "review", **SOLVED}, "status"),
            ({"rating": 6}, "rating"),
            ({"rating": "5"}, "rating"),
            ({"reported_as": "bug"}, "reported_as"),
            ({"customer_id": "13812345678"}, "customer_id"),
            ({"created_at": "gestern"}, "created_at"),
            ({"created_at": (utc_now() + timedelta(days=2)).isoformat()}, "created_at"),
            ({"tags": "导出"}, "tags"),
            ({"duplicates": []}, "duplicates"),
        ],
    )
    def test_a_field_that_breaks_its_rule_is_named_with_its_item(
        self, service: TestClient, changes: dict[str, object], field: str
    ) -> None:
        document = problem_of(_send(service, REVIEW, {**TICKET, **changes}), 422)
        assert (fields_of(document), _total(service)) == ({f"items.1.{field}"}, 0)

    @pytest.mark.parametrize("items", [[], [REVIEW] * 257, None, {}, [5]], ids=["none", "257", "null", "object", "5"])
    def test_what_is_no_list_of_1_to_256_items_is_refused(self, service: TestClient, items: object) -> None:
        problem_of(service.post(FEEDBACK, json={"items": items}), 422)

    def test_an_external_id_of_the_other_kind_is_a_conflict_and_nothing_is_stored(self, client: TestClient) -> None:
        _sent(client, TICKET)
        document = problem_of(_send(client, {**REVIEW, "external_id": "T-2"}, {**REVIEW, "external_id": "T-1"}), 409)
        assert ("external_id" in document["detail"], _total(client)) == (True, 1)

    def test_the_wrong_content_type_is_refused(self, service: TestClient) -> None:
        problem_of(service.post(FEEDBACK, content=b"a", headers={"Content-Type": "text/plain"}), 415)


class TestReading:
    def test_a_ticket_reads_as_it_was_given(self, client: TestClient) -> None:
        given = {
            "customer_id": "C-7",
            "product": "报表",
            "module": "导出",
            "scenario": "月底结账时",
            "tags": ["导出"],
            "created_at": "2025-10-01T08:00:00Z",
            "rating": 2,
            "reported_as": "fault",
            "solved_at": "2025-10-01T09:00:00Z",
            **SOLVED,
        }
        ticket = client.get(_place(client, **given)).json()
        assert {name: ticket[name] for name in given} == given

    def test_it_reads_with_the_same_answers(self, client: TestClient) -> None:
        (result,) = _sent(client, TICKET)["results"]
        ticket = client.get(f"{FEEDBACK}/{result['id']}").json()
        del result["duplicates"]  # they are those of the moment, and have an address of their own
        assert {name: ticket[name] for name in result} == result

    def test_a_page_holds_what_the_filters_leave(self, client: TestClient) -> None:
        _sent(client, {**TICKET, "created_at": "2025-10-01"}, {**REVIEW, "created_at": "2025-10-02"})
        ids = {}
        for query in ("kind=ticket", "since=2025-10-02", "until=2025-10-02", "kind=review&status=open", "label=x"):
            page = client.get(f"{FEEDBACK}?{query}").json()
            ids[query] = ([item["id"] for item in page["items"]], page["total"])
        assert ids == {
            "kind=ticket": ([1], 1),
            "since=2025-10-02": ([2], 1),
            "until=2025-10-02": ([1], 1),
            "kind=review&status=open": ([2], 1),
            "label=x": ([], 0),
        }

    def test_pages_follow_each_other(self, client: TestClient) -> None:
        _sent(client, REVIEW, REVIEW, REVIEW)
        page = client.get(f"{FEEDBACK}?offset=1&limit=1").json()
        assert ([item["id"] for item in page["items"]], page["total"]) == ([2], 3)

    @pytest.mark.parametrize(
        "query", ["kind=chat", "status=closed", "since=gestern", "limit=0", "limit=201", "offset=-1", "colour=red"]
    )
    def test_a_wrong_filter_is_named(self, service: TestClient, query: str) -> None:
        document = problem_of(service.get(f"{FEEDBACK}?{query}"), 422)
        assert fields_of(document) == {f"query.{query.partition('=')[0]}"}

    def test_an_unknown_number_is_not_found(self, service: TestClient) -> None:
        problem_of(service.get(UNKNOWN), 404)

    @pytest.mark.parametrize("number", ["0", "-1", "a", str(2**63)])
    def test_what_is_no_number_is_refused(self, service: TestClient, number: str) -> None:
        problem_of(service.get(f"{FEEDBACK}/{number}"), 422)


class TestSteps:
    def test_a_ticket_is_resolved(self, client: TestClient) -> None:
        place = _place(client)
        answer = client.post(f"{place}/resolve", json={"solution": "分批导出,或请打 13812345678", "by": "李工"})
        assert (answer.status_code, answer.json()) == (200, client.get(place).json())
        assert (answer.json()["status"], answer.json()["solution"]) == ("solved", "分批导出,或请打 138****5678")

    def test_another_solution_is_a_conflict_that_names_the_state(self, client: TestClient) -> None:
        place = _place(client, **SOLVED)
        document = problem_of(client.post(f"{place}/resolve", json={"solution": "重启"}), 409)
        assert "is solved with another solution; reopen it first" in document["detail"]

    def test_a_ticket_is_open_again(self, client: TestClient) -> None:
        answer = client.post(f"{_place(client, **SOLVED)}/reopen")
        assert (answer.status_code, answer.json()["status"], answer.json()["solution"]) == (200, "open", None)

    @pytest.mark.parametrize(
        ("step", "body"), [("resolve", {"solution": "重启"}), ("reopen", None), ("draft", {"by": "李工"})]
    )
    def test_a_review_allows_no_step_of_a_ticket(
        self, client: TestClient, step: str, body: dict[str, str] | None
    ) -> None:
        (review,) = _sent(client, REVIEW)["results"]
        document = problem_of(client.post(f"{FEEDBACK}/{review['id']}/{step}", json=body), 409)
        assert "is a review; only a ticket can be solved" in document["detail"]

    @pytest.mark.parametrize(
        ("step", "body"), [("resolve", {"solution": "重启"}), ("reopen", None), ("draft", {"by": "李工"})]
    )
    def test_an_unknown_ticket_is_not_found(self, service: TestClient, step: str, body: dict[str, str] | None) -> None:
        problem_of(service.post(f"{UNKNOWN}/{step}", json=body), 404)

    @pytest.mark.parametrize(
        ("step", "body", "field"),
        [
            ("resolve", {}, "solution"),
            ("resolve", {"solution": " "}, "solution"),
            ("resolve", {"solution": "长" * 10_001}, "solution"),
            ("resolve", {"solution": "重启", "by": "13812345678"}, "by"),
            ("resolve", {"solution": "重启", "solved_at": "2025-10-01"}, "solved_at"),
            ("draft", {}, "by"),
            ("draft", {"by": " "}, "by"),
            ("draft", {"by": "李工", "title": "长" * 201}, "title"),
        ],
    )
    def test_a_field_that_breaks_its_rule_is_named(
        self, service: TestClient, step: str, body: dict[str, str], field: str
    ) -> None:
        assert fields_of(problem_of(service.post(f"{UNKNOWN}/{step}", json=body), 422)) == {field}


class TestDrafts:
    def test_a_solved_ticket_becomes_a_draft_in_one_call(self, client: TestClient) -> None:
        place = _place(client, **SOLVED)
        answer = client.post(f"{place}/draft", json={"by": "李工"})
        assert answer.status_code == 201
        assert answer.json() == client.get(answer.headers["location"]).json()
        assert (answer.json()["status"], answer.json()["solution"]) == ("draft", "分批导出")
        assert client.get(place).json()["draft_id"] == answer.json()["id"]

    def test_a_second_call_gives_the_same_article(self, client: TestClient) -> None:
        place = _place(client, **SOLVED)
        first = client.post(f"{place}/draft", json={"by": "李工", "title": "分批导出报表"})
        second = client.post(f"{place}/draft", json={"by": "王工"})
        assert (second.status_code, second.json()) == (200, first.json())

    def test_an_open_ticket_is_a_conflict(self, client: TestClient) -> None:
        document = problem_of(client.post(f"{_place(client)}/draft", json={"by": "李工"}), 409)
        assert document["detail"].endswith("is open; only a solved one can be drafted")
