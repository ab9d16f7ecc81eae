"""What operators ask: alive, ready, documentation."""

import sys
from pathlib import Path

from fastapi.testclient import TestClient

from nlp_service import __version__
from nlp_service.app import create_app
from nlp_service.inference.engine import TASKS, Engine
from nlp_service.settings import Settings
from tests.api.expectations import problem_of

ARTICLE = {"title": "声音卡顿", "problem": "声音卡顿", "solution": "重启"}


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


def test_threads_that_compute_get_their_turn_within_a_millisecond(client: TestClient) -> None:
    assert client.get("/livez").status_code == 200
    assert sys.getswitchinterval() <= 0.001


def test_the_documentation_is_served(service: TestClient) -> None:
    response = service.get("/docs")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_schema_is_served_with_the_version(service: TestClient) -> None:
    assert service.get("/openapi.json").json()["info"]["version"] == __version__
