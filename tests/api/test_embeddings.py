"""POST /v1/embeddings, as OpenAI's clients call it."""

import base64
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from nlp_service.inference.engine import Engine
from tests.api.expectations import fields_of, problem_of

INPUT = ["网课声音卡顿", "直播上课声音一卡一卡", "the invoice is wrong"]


@pytest.fixture(scope="module")
def answer(service: TestClient) -> dict[str, Any]:
    response = service.post("/v1/embeddings", json={"model": "search", "input": INPUT})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


@pytest.fixture(scope="module")
def vectors(answer: dict[str, Any]) -> NDArray[np.float32]:
    return np.array([item["embedding"] for item in answer["data"]], np.float32)


def test_the_answer_has_the_shape_of_openai(answer: dict[str, Any]) -> None:
    assert set(answer) == {"object", "data", "model", "usage"}
    assert (answer["object"], answer["model"]) == ("list", "search")


def test_every_item_has_the_shape_of_openai(answer: dict[str, Any]) -> None:
    assert all(set(item) == {"object", "index", "embedding"} for item in answer["data"])
    assert {item["object"] for item in answer["data"]} == {"embedding"}


def test_items_are_in_the_order_of_the_input(answer: dict[str, Any]) -> None:
    assert [item["index"] for item in answer["data"]] == list(range(len(INPUT)))


def test_vectors_have_the_dimension_of_the_model(vectors: NDArray[np.float32], engine: Engine) -> None:
    assert vectors.shape == (len(INPUT), engine.search_model.dimension)


def test_vectors_have_length_one(vectors: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_texts_of_the_same_meaning_lie_closer(vectors: NDArray[np.float32]) -> None:
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_base64_holds_the_same_numbers(service: TestClient, vectors: NDArray[np.float32]) -> None:
    data = service.post("/v1/embeddings", json={"input": INPUT, "encoding_format": "base64"}).json()["data"]
    decoded = np.array([np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in data])
    np.testing.assert_allclose(decoded, vectors, atol=1e-6)


def test_a_single_string_is_a_list_of_one(service: TestClient, vectors: NDArray[np.float32]) -> None:
    data = service.post("/v1/embeddings", json={"input": INPUT[0]}).json()["data"]
    assert len(data) == 1
    assert np.dot(data[0]["embedding"], vectors[0]) > 0.999


def test_tokens_are_counted(service: TestClient) -> None:
    short, long = (
        service.post("/v1/embeddings", json={"input": text}).json()["usage"] for text in ("卡", "网课声音卡顿" * 5)
    )
    assert 0 < short["prompt_tokens"] < long["prompt_tokens"]
    assert long["total_tokens"] == long["prompt_tokens"]


def test_a_passage_is_encoded_differently_from_a_query(service: TestClient) -> None:
    query, passage = (
        service.post("/v1/embeddings", json={"input": INPUT[0], "input_type": side}).json()["data"][0]["embedding"]
        for side in ("query", "passage")
    )
    assert not np.allclose(query, passage, atol=1e-3)


def test_the_models_own_dimension_may_be_asked_for(service: TestClient, engine: Engine) -> None:
    body = {"input": "卡", "dimensions": engine.search_model.dimension}
    assert service.post("/v1/embeddings", json=body).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "text-embedding-3-small"),
        ("dimensions", 17),
        ("dimensions", 0),
        ("encoding_format", "hex"),
        ("input_type", "document"),
    ],
)
def test_what_the_model_cannot_do_is_refused(service: TestClient, field: str, value: object) -> None:
    document = problem_of(service.post("/v1/embeddings", json={"input": "卡", field: value}), 422)
    assert fields_of(document) == {field}


def test_a_wrong_model_is_told_which_one_there_is(service: TestClient) -> None:
    document = problem_of(service.post("/v1/embeddings", json={"input": "卡", "model": "gpt"}), 422)
    assert "search" in document["detail"]
