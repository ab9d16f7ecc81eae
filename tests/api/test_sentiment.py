"""POST /v1/sentiment."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import Engine
from nlp_service.inference.head import ASPECTS

FIELDS = {"label", "score", "confidence", "probabilities", "needs_review"}
TEXTS = ["更新以后特别流畅，好评", "又闪退了，三次没保存", "the app is fine I guess", "发票在哪里开", "👍 五星"]


@pytest.fixture(scope="module")
def answer(service: TestClient) -> dict[str, Any]:
    response = service.post("/v1/sentiment", json={"texts": TEXTS})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


@pytest.fixture(scope="module")
def with_aspects(service: TestClient) -> list[dict[str, Any]]:
    response = service.post("/v1/sentiment", json={"texts": TEXTS, "aspects": True})
    assert response.status_code == 200
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def test_every_text_gets_a_result(answer: dict[str, Any]) -> None:
    assert len(answer["results"]) == len(TEXTS)


def test_results_are_in_the_order_of_the_texts(service: TestClient, answer: dict[str, Any]) -> None:
    turned = service.post("/v1/sentiment", json={"texts": TEXTS[::-1]}).json()["results"]
    for one, other in zip(answer["results"], turned[::-1], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.02)


def test_the_model_that_answered_is_named(answer: dict[str, Any], engine: Engine) -> None:
    assert answer["model"] == {"name": "sentiment", "version": engine.model("sentiment").version}


def test_a_result_has_the_fields_of_the_contract(answer: dict[str, Any]) -> None:
    assert all(set(result) == FIELDS for result in answer["results"])


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


class TestAspects:
    def test_every_result_has_a_list_of_aspects(self, with_aspects: list[dict[str, Any]]) -> None:
        assert all(set(result) == FIELDS | {"aspects"} for result in with_aspects)

    def test_aspects_false_leaves_them_out(self, service: TestClient) -> None:
        (result,) = service.post("/v1/sentiment", json={"texts": TEXTS[:1], "aspects": False}).json()["results"]
        assert set(result) == FIELDS

    def test_an_aspect_has_the_fields_of_the_contract(self, with_aspects: list[dict[str, Any]]) -> None:
        found = [aspect for result in with_aspects for aspect in result["aspects"]]
        assert found
        for aspect in found:
            assert set(aspect) == {"aspect", "label", "confidence"}
            assert aspect["aspect"] in ASPECTS
            assert aspect["label"] in {"negative", "neutral", "positive"}
            assert 0 <= aspect["confidence"] <= 1

    def test_an_aspect_is_named_once(self, with_aspects: list[dict[str, Any]]) -> None:
        for result in with_aspects:
            names = [aspect["aspect"] for aspect in result["aspects"]]
            assert len(set(names)) == len(names)

    def test_the_surest_aspect_comes_first(self, with_aspects: list[dict[str, Any]]) -> None:
        for result in with_aspects:
            confidences = [aspect["confidence"] for aspect in result["aspects"]]
            assert confidences == sorted(confidences, reverse=True)

    def test_the_sentiment_is_the_same_with_them(
        self, answer: dict[str, Any], with_aspects: list[dict[str, Any]]
    ) -> None:
        for without, result in zip(answer["results"], with_aspects, strict=True):
            assert result["probabilities"] == pytest.approx(without["probabilities"], abs=0.02)

    def test_a_crash_is_a_complaint_about_stability(self, service: TestClient) -> None:
        body = {"texts": ["天天闪退，一打开就崩溃，太不稳定了"], "aspects": True}
        (result,) = service.post("/v1/sentiment", json=body).json()["results"]
        assert ("stability", "negative") in [(aspect["aspect"], aspect["label"]) for aspect in result["aspects"]]
