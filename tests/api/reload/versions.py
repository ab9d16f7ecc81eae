"""What the tests of promoted models ask of the service."""

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.release import Release
from nlp_service.settings import Settings

FAULT = {"tickets": [{"text": "点击提交后一直报错 500，数据全丢了"}]}


def service_of(bundles: Path, *, watch_models: bool) -> TestClient:
    """A service that loads these bundles."""
    return TestClient(create_app(Settings(home=bundles.parents[1], watch_models=watch_models)))


def reload_models(client: TestClient, task: str = "classify") -> Any:
    """The answer to a reload."""
    return client.post(f"/v1/models/{task}/reload")


def classified(client: TestClient) -> tuple[str, str]:
    """Version and label of the answer for an obvious fault."""
    response = client.post("/v1/classify", json=FAULT)
    assert response.status_code == 200, response.text
    return response.json()["model"]["version"], response.json()["results"][0]["label"]


def ready_version(client: TestClient) -> str:
    """The version that readiness names for tickets."""
    models: dict[str, str] = {model["name"]: model["version"] for model in client.get("/readyz").json()["models"]}
    return models["classify"]


def version_of(release: Release) -> str:
    """The version that the release names for tickets."""
    return Path(release.serving["classify"]).name.removeprefix("classify-")
