"""POST /v1/sentiment."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import Engine

TEXTS = ["更新以后特别流畅，好评", "又闪退了，三次没保存", "the app is fine I guess", "发票在哪里开", "👍 五星"]


@pytest.fixture(scope="module")
def answer(service: TestClient) -> dict[str, Any]:
    response = service.post("/v1/sentiment", json={"texts": TEXTS})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def test_every_text_gets_a_result(answer: dict[str, Any]) -> None:
    assert len(answer["results"]) == len(TEXTS)


def test_results_are_in_the_order_of_the_texts(service: TestClient, answer: dict[str, Any]) -> None:
    turned = service.post("/v1/sentiment", json={"texts": TEXTS[::-1]}).json()["results"]
    for one, other in zip(answer["results"], turned[::-1], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.02)


def test_the_model_that_answered_is_named(answer: dict[str, Any], engine: Engine) -> None:
    assert answer["model"] == {"name": "sentiment", "version": engine.model("sentiment").version}


def test_a_result_has_the_fields_of_the_contract(answer: dict[str, Any]) -> None:
    fields = {"label", "score", "confidence", "probabilities", "needs_review"}
    assert all(set(result) == fields for result in answer["results"])


def test_probabilities_of_all_labels_sum_to_one(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert set(result["probabilities"]) == {"negative", "neutral", "positive"}
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_label_is_the_most_probable_one(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert result["probabilities"][result["label"]] == max(result["probabilities"].values())


def test_confidence_is_the_probability_of_the_label(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        assert result["confidence"] == result["probabilities"][result["label"]]


def test_score_is_positive_minus_negative(answer: dict[str, Any]) -> None:
    for result in answer["results"]:
        probabilities = result["probabilities"]
        assert result["score"] == pytest.approx(probabilities["positive"] - probabilities["negative"])


def test_needs_review_says_that_confidence_is_below_the_threshold(answer: dict[str, Any], engine: Engine) -> None:
    threshold = engine.model("sentiment").review_threshold
    for result in answer["results"]:
        assert result["needs_review"] == (result["confidence"] < threshold)


def test_a_batch_of_256_texts_is_answered(service: TestClient) -> None:
    response = service.post("/v1/sentiment", json={"texts": ["好"] * 256})
    assert len(response.json()["results"]) == 256


def test_a_text_of_2000_characters_is_answered(service: TestClient) -> None:
    assert service.post("/v1/sentiment", json={"texts": ["卡" * 2000]}).status_code == 200


def test_explain_false_is_accepted(service: TestClient) -> None:
    assert service.post("/v1/sentiment", json={"texts": ["好用"], "explain": False}).status_code == 200
