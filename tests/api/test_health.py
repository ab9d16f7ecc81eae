"""What operators ask: alive, ready, metrics, documentation."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from nlp_service import __version__
from nlp_service.app import create_app
from nlp_service.inference.engine import TASKS, Engine
from nlp_service.settings import Settings
from tests.api.expectations import problem_of

ARTICLE = {"title": "声音卡顿", "problem": "声音卡顿", "solution": "重启"}


def _value(client: TestClient, name: str, **labels: str) -> float:
    """The sum of all samples with these labels, 0 where none has been counted yet."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return sum(float(sample.value) for sample in samples if labels.items() <= sample.labels.items())


def test_the_process_is_alive(service: TestClient) -> None:
    response = service.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_a_service_with_models_and_database_is_ready(service: TestClient) -> None:
    response = service.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ready")


def test_readiness_names_the_models(service: TestClient, engine: Engine) -> None:
    assert service.get("/readyz").json()["models"] == [
        *({"name": task, "version": engine.model(task).version} for task in TASKS),
        {"name": "search", "version": engine.search_model.version},
    ]


def test_readiness_counts_the_articles_of_the_indexes(client: TestClient) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    client.post("/v1/search", json={"query": "声音"})
    assert client.get("/readyz").json()["articles"] == 1


def test_a_service_that_has_not_loaded_its_models_is_alive_but_not_ready(settings: Settings) -> None:
    starting = TestClient(create_app(settings))
    assert starting.get("/livez").status_code == 200
    problem_of(starting.get("/readyz"), 503)


def test_a_service_without_its_database_is_not_ready(client: TestClient, settings: Settings) -> None:
    database = Path(settings.var_dir / "nlp.db")
    client.app.state.database.close()  # type: ignore[attr-defined]
    for file in settings.var_dir.glob("nlp.db*"):
        file.unlink()
    database.mkdir()
    problem_of(client.get("/readyz"), 503)


@pytest.mark.parametrize(
    "name",
    [
        "nlp_requests_total",
        "nlp_request_seconds",
        "nlp_queue_windows",
        "nlp_queue_seconds",
        "nlp_tokenise_seconds",
        "nlp_inference_seconds",
        "nlp_batch_windows",
        "nlp_answers_total",
        "nlp_articles",
    ],
)
def test_metrics_have_their_names(service: TestClient, name: str) -> None:
    assert f"# HELP {name} " in service.get("/metrics").text


def test_metrics_are_text_that_prometheus_reads(service: TestClient) -> None:
    assert service.get("/metrics").headers["content-type"].startswith("text/plain")


def test_requests_are_counted_by_route_and_status(service: TestClient) -> None:
    labels = {"method": "POST", "route": "/v1/sentiment", "status": "422"}
    before = _value(service, "nlp_requests_total", **labels)
    service.post("/v1/sentiment", json={"texts": []})
    assert _value(service, "nlp_requests_total", **labels) == before + 1


def test_the_route_of_an_article_is_counted_without_its_number(service: TestClient) -> None:
    labels = {"method": "GET", "route": "/v1/knowledge/{article_id}", "status": "404"}
    before = _value(service, "nlp_requests_total", **labels)
    service.get("/v1/knowledge/77")
    assert _value(service, "nlp_requests_total", **labels) == before + 1


def test_unknown_paths_are_counted_together(service: TestClient) -> None:
    service.get("/canary-path-1")
    assert "canary-path-1" not in service.get("/metrics").text


def test_answers_are_counted_by_label(service: TestClient) -> None:
    label = service.post("/v1/sentiment", json={"texts": ["好用"]}).json()["results"][0]["label"]
    before = _value(service, "nlp_answers_total", task="sentiment", label=label)
    service.post("/v1/sentiment", json={"texts": ["好用"]})
    assert _value(service, "nlp_answers_total", task="sentiment", label=label) == before + 1


def test_request_times_are_observed(service: TestClient) -> None:
    before = _value(service, "nlp_request_seconds_count", route="/v1/search")
    service.post("/v1/search", json={"query": "声音"})
    assert _value(service, "nlp_request_seconds_count", route="/v1/search") == before + 1


def test_articles_are_counted(client: TestClient) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    client.post("/v1/search", json={"query": "声音"})
    assert _value(client, "nlp_articles") == 1


def test_the_documentation_is_served(service: TestClient) -> None:
    response = service.get("/docs")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_schema_is_served_with_the_version(service: TestClient) -> None:
    assert service.get("/openapi.json").json()["info"]["version"] == __version__
