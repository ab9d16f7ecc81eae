"""A head whose labels are the customer's own: each ticket gets the one in the place of the project's label."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.release import head_folder
from tests.api.expectations import fields_of, problem_of
from tests.api.reload.versions import FAULT, classified, reload_models
from tests.releases import copy_head, edit_bundle, promote

OWN_LABELS = ["故障", "需求", "账单", "其他"]


@pytest.fixture
def relabelled(client: TestClient, bundles: Path) -> TestClient:
    folder = bundles / head_folder("classify", "relabelled")
    if not folder.exists():
        edit_bundle(copy_head(bundles, "classify", "relabelled"), labels=OWN_LABELS)
    promote(bundles, "classify", folder)
    assert reload_models(client).status_code == 200
    return client


def test_they_are_answered(relabelled: TestClient) -> None:
    assert classified(relabelled) == ("relabelled", "故障")


def test_they_have_probabilities(relabelled: TestClient) -> None:
    (result,) = relabelled.post("/v1/classify", json=FAULT).json()["results"]
    assert list(result["probabilities"]) == OWN_LABELS


def test_the_service_desk_answers_them(relabelled: TestClient) -> None:
    (result,) = relabelled.post("/v1/classify", json=FAULT).json()["results"]
    assert result["triage"]["team"] == "service-desk"


def test_they_are_explained(relabelled: TestClient) -> None:
    (result,) = relabelled.post("/v1/classify", json={**FAULT, "explain": True}).json()["results"]
    assert result["explanation"]


def test_they_are_listed(relabelled: TestClient) -> None:
    listed = {task["task"]: task["labels"] for task in relabelled.get("/v1/models").json()["tasks"]}
    assert listed["classify"] == OWN_LABELS


def test_a_customer_may_report_them(relabelled: TestClient) -> None:
    tickets = [{**FAULT["tickets"][0], "reported_as": label} for label in ("故障", "账单")]
    results = relabelled.post("/v1/classify", json={"tickets": tickets}).json()["results"]
    assert [result["disagrees_with_report"] for result in results] == [False, True]


def test_a_label_of_the_project_is_reported_no_more(relabelled: TestClient) -> None:
    tickets = [{**FAULT["tickets"][0], "reported_as": "fault"}]
    document = problem_of(relabelled.post("/v1/classify", json={"tickets": tickets}), 422)
    assert fields_of(document) == {"tickets.0.reported_as"}
    assert "账单" in document["detail"]
