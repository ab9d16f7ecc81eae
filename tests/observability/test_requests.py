"""Requests are counted by what bounds them: route, method, status, reason of a refusal."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.observability.values import label_sets, value


@pytest.fixture
def refusing(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    """A service whose search encoder takes no more texts."""
    closed = Batcher(engine.search.encoder)
    closed.close()
    with TestClient(create_app(settings, engine.searching_with(closed))) as started:
        yield started


def test_metrics_are_text_that_prometheus_reads(service: TestClient) -> None:
    assert service.get("/metrics").headers["content-type"].startswith("text/plain")


def test_requests_are_counted_by_route_and_status(service: TestClient) -> None:
    labels = {"method": "POST", "route": "/v1/sentiment", "status": "422"}
    before = value(service, "nlp_requests_total", **labels)
    service.post("/v1/sentiment", json={"texts": []})
    assert value(service, "nlp_requests_total", **labels) == before + 1


def test_the_route_of_an_article_is_counted_without_its_number(service: TestClient) -> None:
    labels = {"method": "GET", "route": "/v1/knowledge/{article_id}", "status": "404"}
    before = value(service, "nlp_requests_total", **labels)
    service.get("/v1/knowledge/77")
    assert value(service, "nlp_requests_total", **labels) == before + 1


@pytest.mark.parametrize(("path", "route"), [("/canary-path-1", "unmatched"), ("/openapi.json", "other")])
def test_paths_without_a_route_are_counted_together(service: TestClient, path: str, route: str) -> None:
    before = value(service, "nlp_requests_total", route=route)
    service.get(path)
    assert value(service, "nlp_requests_total", route=route) == before + 1
    assert path not in service.get("/metrics").text


def test_unknown_methods_are_counted_together(service: TestClient) -> None:
    before = value(service, "nlp_requests_total", method="other")
    service.request("CANARY", "/v1/sentiment")
    assert value(service, "nlp_requests_total", method="other") == before + 1
    assert "CANARY" not in service.get("/metrics").text


def test_request_times_are_observed(service: TestClient) -> None:
    before = value(service, "nlp_request_seconds_count", route="/v1/search")
    service.post("/v1/search", json={"query": "声音"})
    assert value(service, "nlp_request_seconds_count", route="/v1/search") == before + 1


@pytest.mark.parametrize("name", ["nlp_request_seconds", "nlp_database_seconds", "nlp_search_seconds"])
def test_times_are_told_apart_from_half_a_millisecond_to_ten_seconds(service: TestClient, name: str) -> None:
    service.post("/v1/search", json={"query": "声音"})
    bounds = sorted({float(labels["le"]) for labels in label_sets(service, f"{name}_bucket")})
    assert (bounds[0], bounds[-2:]) == (0.0005, [10.0, float("inf")])


def test_the_request_under_way_is_the_one_that_asks(service: TestClient) -> None:
    assert value(service, "nlp_requests_in_progress") == 1


def test_refusals_are_counted_by_reason(refusing: TestClient) -> None:
    before = value(refusing, "nlp_refused_total", reason="stopping")
    assert refusing.post("/v1/embeddings", json={"input": "声音"}).status_code == 429
    assert value(refusing, "nlp_refused_total", reason="stopping") == before + 1


@pytest.mark.parametrize("reason", ["queue_full", "stopping", "rate"])
def test_a_reason_is_there_before_the_first_refusal(service: TestClient, reason: str) -> None:
    assert {"reason": reason} in label_sets(service, "nlp_refused_total")


@pytest.mark.parametrize("outcome", ["found", "nothing"])
def test_searches_are_counted_by_what_they_find(client: TestClient, outcome: str) -> None:
    if outcome == "found":
        client.post("/v1/knowledge", json={"title": "声音卡顿", "problem": "声音卡顿", "solution": "重启"})
    before = value(client, "nlp_searches_total", mode="hybrid", outcome=outcome)
    client.post("/v1/search", json={"query": "声音"})
    assert value(client, "nlp_searches_total", mode="hybrid", outcome=outcome) == before + 1
