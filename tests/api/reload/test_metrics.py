"""Operators see which models serve, and how attempts to replace them ended."""

from pathlib import Path

from fastapi.testclient import TestClient

from nlp_service.inference.release import RELEASE_FILE, Release, write_release
from tests.api.reload.versions import reload_models, version_of
from tests.observability.values import label_sets, value


def _shown_versions(client: TestClient) -> list[str]:
    client.app.state.observed.update()  # type: ignore[attr-defined]
    return [labels["version"] for labels in label_sets(client, "nlp_model_info") if labels["task"] == "classify"]


def test_the_version_that_is_named_changes_with_a_reload(
    client: TestClient, bundles: Path, first: Release, second: Release
) -> None:
    assert _shown_versions(client) == [version_of(first)]
    write_release(bundles, second)
    reload_models(client)
    assert _shown_versions(client) == ["second"]


def test_a_reload_that_succeeds_is_counted(client: TestClient, bundles: Path, second: Release) -> None:
    before = value(client, "nlp_model_reloads_total", result="taken")
    write_release(bundles, second)
    reload_models(client)
    assert value(client, "nlp_model_reloads_total", result="taken") == before + 1


def test_a_reload_that_fails_is_counted(client: TestClient, bundles: Path) -> None:
    before = value(client, "nlp_model_reloads_total", result="failed")
    (bundles / RELEASE_FILE).write_text("{", "utf-8")
    reload_models(client)
    assert value(client, "nlp_model_reloads_total", result="failed") == before + 1
