"""GET /v1/models: what answers now. Reloading is in reload/."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import TASKS, Engine
from nlp_service.inference.head import ASPECTS
from tests.api.expectations import fields_of, problem_of


@pytest.fixture(scope="module")
def answer(service: TestClient) -> dict[str, Any]:
    response = service.get("/v1/models")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def test_every_task_is_listed(answer: dict[str, Any]) -> None:
    assert [task["task"] for task in answer["tasks"]] == list(TASKS)


def test_a_task_is_listed_with_what_its_head_says(answer: dict[str, Any], engine: Engine) -> None:
    for task in answer["tasks"]:
        bundle = engine.model(task["task"])
        assert task == {
            "task": bundle.task,
            "version": bundle.version,
            "labels": list(bundle.labels),
            "aspects": list(bundle.aspects),
            "encoder": bundle.encoder.fingerprint,
            "review_threshold": bundle.review_threshold,
            "metrics": bundle.metrics,
        }


def test_a_task_has_figures_on_its_frozen_test_set(answer: dict[str, Any]) -> None:
    for task in answer["tasks"]:
        figures = [values for name, values in task["metrics"].items() if name.endswith("/test")]
        assert figures
        assert all("ece" in values and values["texts"] > 0 for values in figures)


def test_only_aspects_have_aspects(answer: dict[str, Any]) -> None:
    assert {task["task"]: task["aspects"] for task in answer["tasks"] if task["aspects"]} == {"aspects": list(ASPECTS)}


def test_every_encoder_is_listed_once(answer: dict[str, Any], engine: Engine) -> None:
    assert [encoder["fingerprint"] for encoder in answer["encoders"]] == [one.fingerprint for one in engine.encoders]


def test_an_encoder_has_the_fields_of_the_contract(answer: dict[str, Any]) -> None:
    fields = {"name", "version", "base", "fingerprint", "precision", "dimension"}
    assert all(set(encoder) == fields for encoder in answer["encoders"])


def test_the_encoder_of_every_task_is_listed(answer: dict[str, Any]) -> None:
    listed = {encoder["fingerprint"] for encoder in answer["encoders"]}
    assert {task["encoder"] for task in answer["tasks"]} <= listed


def test_the_versions_are_those_that_answer(answer: dict[str, Any], service: TestClient) -> None:
    versions = {task["task"]: task["version"] for task in answer["tasks"]}
    answered = service.post("/v1/classify", json={"tickets": [{"text": "又闪退了"}]}).json()["model"]
    assert answered == {"name": "classify", "version": versions["classify"]}


def test_an_engine_that_the_caller_gave_is_not_reloaded(service: TestClient) -> None:
    problem_of(service.post("/v1/models/classify/reload"), 409)


@pytest.mark.parametrize("task", ["search", "Classify", "unknown"])
def test_a_task_that_does_not_exist_cannot_be_reloaded(service: TestClient, task: str) -> None:
    assert fields_of(problem_of(service.post(f"/v1/models/{task}/reload"), 422)) == {"path.task"}
