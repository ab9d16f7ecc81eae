"""Answers are counted by label, confidence and whether a person should review them."""

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.classification import Classification
from nlp_service.observability.answers import OTHER, AnswerCounts
from nlp_service.observability.metrics import ANSWERS
from tests.observability.values import label_sets, value

TICKET = {"tickets": [{"text": "点击提交后一直报错 500，数据全丢了"}]}


def _answer(label: str) -> Classification:
    return Classification(label, 0.9, {label: 0.9}, needs_review=False)


@pytest.mark.parametrize("task", ["classify", "severity"])
def test_a_ticket_counts_for_each_task_that_answers_it(service: TestClient, task: str) -> None:
    before = value(service, "nlp_answers_total", task=task)
    service.post("/v1/classify", json=TICKET)
    assert value(service, "nlp_answers_total", task=task) == before + 1


def test_answers_are_counted_by_label(service: TestClient) -> None:
    before = value(service, "nlp_answers_total", task="classify", label="fault")
    service.post("/v1/classify", json=TICKET)
    assert value(service, "nlp_answers_total", task="classify", label="fault") == before + 1


@pytest.mark.parametrize("text", ["点击提交后一直报错 500，数据全丢了", "嗯 那个 再说吧 好像 也许"])
def test_answers_are_counted_by_whether_a_person_should_review(service: TestClient, text: str) -> None:
    ask = {"tickets": [{"text": text}]}
    review = str(service.post("/v1/classify", json=ask).json()["results"][0]["needs_review"]).lower()
    before = value(service, "nlp_answers_total", task="classify", review=review)
    service.post("/v1/classify", json=ask)
    assert value(service, "nlp_answers_total", task="classify", review=review) == before + 1


def test_the_confidence_of_answers_is_observed(service: TestClient) -> None:
    labels = {"task": "classify", "label": "fault"}
    before = value(service, "nlp_confidence_sum", **labels)
    confidence = service.post("/v1/classify", json=TICKET).json()["results"][0]["confidence"]
    assert value(service, "nlp_confidence_sum", **labels) == pytest.approx(before + confidence)


def test_aspects_are_counted_with_their_polarity(service: TestClient) -> None:
    ask = {"texts": ["老是闪退，太不稳定了，客服也不理人"], "aspects": True}
    aspects = service.post("/v1/sentiment", json=ask).json()["results"][0]["aspects"]
    counted = {labels["label"] for labels in label_sets(service, "nlp_answers_total") if labels["task"] == "aspects"}
    assert {f"{one['aspect']}:{one['label']}" for one in aspects} <= counted


def test_tickets_taken_in_are_counted(client: TestClient) -> None:
    before = value(client, "nlp_answers_total", task="severity")
    client.post("/v1/feedback", json={"items": [{"kind": "ticket", "text": "导出报表一直超时"}]})
    assert value(client, "nlp_answers_total", task="severity") == before + 1


def test_a_model_of_many_labels_does_not_make_as_many_time_series() -> None:
    counts = AnswerCounts(max_labels=2)
    counts.count("classify", [_answer(f"canary-{number}") for number in range(5)])
    counted = {labels[1] for labels in ANSWERS._metrics if labels[1] == OTHER or labels[1].startswith("canary-")}
    assert counted == {"canary-0", "canary-1", OTHER}
