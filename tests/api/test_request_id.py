"""Every answer carries X-Request-ID."""

import re

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.expectations import problem_of

MADE = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/knowledge/1", 404),
        ("GET", "/v1/sentiment", 405),
        ("POST", "/v1/sentiment", 422),
        ("GET", "/v1/knowledge?limit=0", 422),
    ],
)
def test_every_answer_carries_an_id(service: TestClient, method: str, path: str, status: int) -> None:
    response = service.request(method, path)
    assert response.status_code == status
    assert MADE.fullmatch(response.headers["x-request-id"])


def test_an_answer_to_a_body_over_the_limit_carries_an_id(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=b" " * (2**21 + 1), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert MADE.fullmatch(response.headers["x-request-id"])


def test_an_answer_to_invalid_json_carries_an_id(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=b"{", headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert MADE.fullmatch(response.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/nowhere", "/v1/sentiment", "/v1/knowledge/1", "/v1/knowledge?limit=0"])
def test_errors_of_every_origin_are_problems(service: TestClient, path: str) -> None:
    response = service.get(path)
    problem_of(response, response.status_code)


def test_each_request_gets_an_id_of_its_own(service: TestClient) -> None:
    one, other = (service.get("/livez").headers["x-request-id"] for _ in range(2))
    assert one != other


@pytest.mark.parametrize("given", ["a", "req-2026.11_21", "0" * 64, "9F3b"])
@pytest.mark.parametrize("path", ["/livez", "/nowhere"])
def test_a_harmless_id_of_the_caller_is_kept(service: TestClient, given: str, path: str) -> None:
    assert service.get(path, headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", "a\tb", "<script>", "a;b", "../x", 'a"b', "a\r\nSet-Cookie: x=1", "编号"]
)
def test_any_other_id_is_replaced(service: TestClient, given: str) -> None:
    response = service.get("/livez", headers=[(b"x-request-id", given.encode())])
    assert MADE.fullmatch(response.headers["x-request-id"])


def test_an_unexpected_error_is_a_problem_with_an_id_and_without_its_text(settings: Settings, engine: Engine) -> None:
    def fail() -> None:
        raise RuntimeError("13812345678")

    app = create_app(settings, engine)
    app.add_api_route("/failing", fail)
    with TestClient(app) as client:
        response = client.get("/failing", headers={"X-Request-ID": "T-500"})
    problem_of(response, 500)
    assert response.headers["x-request-id"] == "T-500"
    assert "13812345678" not in response.text
