"""POST /v1/classify."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import Engine
from tests.api.expectations import fields_of, problem_of

LABELS = ("fault", "feature_request", "question", "other")
TICKETS = [
    {"id": "T-1", "text": "怎么连个导出都没有", "reported_as": "fault", "product": "报表"},
    {"id": "T-2", "text": "点击提交后一直报错 500"},
    {"text": "Where can I change my phone number?"},
    {"id": "T-4", "text": "谢谢，已经好了"},
]


@pytest.fixture(scope="module")
def answer(service: TestClient) -> dict[str, Any]:
    response = service.post("/v1/classify", json={"tickets": TICKETS})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def _values(value: object) -> Iterator[object]:
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _values(child)


def test_every_ticket_gets_a_result(answer: dict[str, Any]) -> None:
    assert len(answer["results"]) == len(TICKETS)


def test_results_are_in_the_order_of_the_tickets(service: TestClient, answer: dict[str, Any]) -> None:
    turned = service.post("/v1/classify", json={"tickets": TICKETS[::-1]}).json()["results"]
    for one, other in zip(answer["results"], turned[::-1], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)


def test_the_id_is_echoed(answer: dict[str, Any]) -> None:
    assert [result.get("id") for result in answer["results"]] == ["T-1", "T-2", None, "T-4"]


def test_the_model_that_answered_is_named(answer: dict[str, Any], engine: Engine) -> None:
    assert answer["model"] == {"name": "classify", "version": engine.model("classify").version}


def test_no_field_is_null(answer: dict[str, Any]) -> None:
    assert None not in list(_values(answer))


def test_disagreement_is_said_only_where_the_customer_filed_the_ticket_as_something(answer: dict[str, Any]) -> None:
    assert ["disagrees_with_report" in result for result in answer["results"]] == [True, False, False, False]


def test_disagreement_means_another_label_than_reported(service: TestClient) -> None:
    tickets = [{"text": "怎么连个导出都没有", "reported_as": label} for label in LABELS]
    for ticket, result in zip(
        tickets, service.post("/v1/classify", json={"tickets": tickets}).json()["results"], strict=True
    ):
        assert result["disagrees_with_report"] == (result["label"] != ticket["reported_as"])


def test_what_the_customer_reported_does_not_change_the_answer(service: TestClient) -> None:
    tickets = [{"text": "怎么连个导出都没有", "reported_as": label} for label in LABELS]
    results = service.post("/v1/classify", json={"tickets": tickets}).json()["results"]
    assert len({result["label"] for result in results}) == 1


def test_probabilities_of_all_labels_sum_to_one(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert set(result["probabilities"]) == set(LABELS)
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_label_is_the_most_probable_one(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert result["confidence"] == result["probabilities"][result["label"]] == max(result["probabilities"].values())


def test_needs_review_says_that_confidence_is_below_the_threshold(answer: dict[str, Any], engine: Engine) -> None:
    threshold = engine.model("classify").review_threshold
    for result in answer["results"]:
        assert result["needs_review"] == (result["confidence"] < threshold)


def test_severity_has_the_fields_of_the_contract(answer: dict[str, Any]) -> None:
    fields = {"label", "confidence", "probabilities", "needs_review"}
    assert all(set(result["severity"]) == fields for result in answer["results"])


def test_severity_is_the_most_probable_of_its_labels(answer: dict[str, Any], engine: Engine) -> None:
    for severity in (result["severity"] for result in answer["results"]):
        assert set(severity["probabilities"]) == set(engine.model("severity").labels)
        assert sum(severity["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert severity["probabilities"][severity["label"]] == max(severity["probabilities"].values())


def test_severity_is_reviewed_by_a_threshold_of_its_own(answer: dict[str, Any], engine: Engine) -> None:
    threshold = engine.model("severity").review_threshold
    for severity in (result["severity"] for result in answer["results"]):
        assert severity["needs_review"] == (severity["confidence"] < threshold)


def test_explanations_are_absent_by_default(answer: dict[str, Any]) -> None:
    assert not any("explanation" in result for result in answer["results"])


def test_a_label_that_the_model_does_not_know_is_named_with_its_ticket(service: TestClient, engine: Engine) -> None:
    reports = ["fault", "bug", None, "Fault"]
    tickets = [{"text": "怎么连个导出都没有", "reported_as": report} for report in reports]
    document = problem_of(service.post("/v1/classify", json={"tickets": tickets}), 422)
    assert fields_of(document) == {"tickets.1.reported_as", "tickets.3.reported_as"}
    assert all(label in document["detail"] for label in engine.model("classify").labels)


def test_triage_has_the_fields_of_the_contract(answer: dict[str, Any]) -> None:
    fields = {"tier", "priority", "team", "respond_within_minutes", "resolve_within_minutes", "reasons"}
    assert all(set(result["triage"]) == fields for result in answer["results"])


def test_the_tier_follows_from_the_label(answer: dict[str, Any]) -> None:
    allowed = {"fault": {2, 3}, "feature_request": {3}, "question": {1}, "other": {1}}
    for result in answer["results"]:
        assert result["triage"]["tier"] in allowed[result["label"]]


def test_triage_gives_its_reasons(answer: dict[str, Any]) -> None:
    assert all(result["triage"]["reasons"] for result in answer["results"])


def test_a_ticket_that_needs_review_gives_that_as_a_second_reason(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert len(result["triage"]["reasons"]) == 1 + result["needs_review"]


def test_an_answer_is_promised_before_a_solution(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert 1 <= result["triage"]["respond_within_minutes"] <= result["triage"]["resolve_within_minutes"]
