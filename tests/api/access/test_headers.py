"""What browsers are told."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings

ORIGIN = "https://desk.example"


@pytest.fixture
def shared(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    """A service that pages of one other origin may call."""
    with TestClient(create_app(settings.model_copy(update={"cors_origins": (ORIGIN,)}), engine)) as started:
        yield started


def _preflight(client: TestClient, origin: str) -> object:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key,content-type",
    }
    return client.options("/v1/search", headers=headers).headers.get("access-control-allow-origin")


@pytest.mark.parametrize("path", ["/livez", "/docs", "/v1/models", "/nowhere", "/openapi.json"])
def test_no_answer_may_be_taken_for_another_type(service: TestClient, path: str) -> None:
    assert service.get(path).headers["x-content-type-options"] == "nosniff"


def test_an_answer_is_kept_by_no_cache(service: TestClient) -> None:
    assert service.get("/v1/models").headers["cache-control"] == "no-store"


def test_a_page_may_load_from_this_service_alone_and_stand_in_no_frame(service: TestClient) -> None:
    policy = service.get("/docs").headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["script-src"], rules["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert "unsafe" not in policy


def test_the_page_of_the_contract_loads_what_is_there(service: TestClient) -> None:
    page = service.get("/docs").text
    assert "http" not in page
    for path, kind in (
        ("docs/swagger-ui.js", "javascript"),
        ("docs/swagger-ui.css", "css"),
        ("docs/start.js", "javascript"),
    ):
        assert path in page
        assert kind in service.get(f"/{path}").headers["content-type"]


def test_no_other_origin_may_call(service: TestClient) -> None:
    assert _preflight(service, ORIGIN) is None
    assert "access-control-allow-origin" not in service.get("/livez", headers={"Origin": ORIGIN}).headers


def test_an_origin_that_was_named_may_call(shared: TestClient) -> None:
    assert _preflight(shared, ORIGIN) == ORIGIN


def test_no_other_origin_may_then(shared: TestClient) -> None:
    assert _preflight(shared, "https://evil.example") is None


def test_a_browser_sends_nothing_that_it_keeps(shared: TestClient) -> None:
    assert "access-control-allow-credentials" not in shared.get("/livez", headers={"Origin": ORIGIN}).headers
