"""DELETE /v1/subjects/{customer_id}: everything of a customer is deleted, with a receipt."""

from datetime import datetime
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from nlp_service.knowledge.clock import utc_now
from tests.api.expectations import problem_of

FEEDBACK = "/v1/feedback"


def _store(client: TestClient, *customers: str | None) -> None:
    items = [{"kind": "ticket", "text": "导出报表时提示超时", "customer_id": customer} for customer in customers]
    assert client.post(FEEDBACK, json={"items": items}).status_code == 200


def _customers(client: TestClient) -> list[str | None]:
    return [item["customer_id"] for item in client.get(FEEDBACK).json()["items"]]


def test_everything_of_the_customer_is_deleted_and_nothing_else(client: TestClient) -> None:
    _store(client, "C-7", "C-7", "C-70", None)
    client.delete("/v1/subjects/C-7")
    assert _customers(client) == [None, "C-70"]


def test_the_receipt_says_whose_how_much_and_when(client: TestClient) -> None:
    _store(client, "C-7", "C-7")
    before = utc_now()
    receipt = client.delete("/v1/subjects/C-7").json()
    assert (receipt["customer_id"], receipt["deleted"]) == ("C-7", 2)
    assert before <= datetime.fromisoformat(receipt["at"]) <= utc_now()


@pytest.mark.parametrize("customer", ["acme/7", "甲 公司", "?x=1", "#7", "C-7/../C-8"])
def test_whatever_stands_in_the_key_it_is_found(client: TestClient, customer: str) -> None:
    _store(client, customer)
    assert client.delete(f"/v1/subjects/{quote(customer, safe='')}").json()["deleted"] == 1


def test_a_second_erasure_finds_nothing(client: TestClient) -> None:
    _store(client, "C-7")
    client.delete("/v1/subjects/C-7")
    assert client.delete("/v1/subjects/C-7").json()["deleted"] == 0


def test_an_article_that_was_drafted_stays(client: TestClient) -> None:
    item = {"kind": "ticket", "text": "导出超时", "customer_id": "C-7", "status": "solved", "solution": "分批导出"}
    (ticket,) = client.post(FEEDBACK, json={"items": [item]}).json()["results"]
    draft = client.post(f"{FEEDBACK}/{ticket['id']}/draft", json={"by": "李工"})
    client.delete("/v1/subjects/C-7")
    assert client.get(draft.headers["location"]).json()["problem"] == "导出超时"


@pytest.mark.parametrize("customer", ["13812345678", "zhang@example.com", "%00", "%20", "x" * 201])
def test_a_key_under_which_nothing_can_be_stored_is_refused(service: TestClient, customer: str) -> None:
    document = problem_of(service.delete(f"/v1/subjects/{customer}"), 422)
    assert "13812345678" not in document["detail"]
