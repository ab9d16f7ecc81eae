"""POST /v1/models/{task}/reload takes what was promoted."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import TASKS
from nlp_service.inference.release import Release, write_release
from tests.api.reload.versions import classified, ready_version, reload_models, version_of


def test_a_promoted_version_answers_after_a_reload(
    client: TestClient, bundles: Path, first: Release, second: Release
) -> None:
    assert classified(client) == (version_of(first), "fault")
    write_release(bundles, second)
    assert reload_models(client).status_code == 200
    assert classified(client) == ("second", "feature_request")


def test_a_reload_tells_what_it_did(client: TestClient, bundles: Path, first: Release, second: Release) -> None:
    write_release(bundles, second)
    assert reload_models(client).json() == {
        "task": "classify",
        "before": version_of(first),
        "after": "second",
        "changed": True,
    }


@pytest.mark.parametrize("task", TASKS)
def test_a_reload_without_a_change_says_so(client: TestClient, task: str) -> None:
    told = reload_models(client, task).json()
    assert told["before"] == told["after"]
    assert told["changed"] is False


def test_a_reload_of_one_task_takes_the_whole_release(client: TestClient, bundles: Path, second: Release) -> None:
    write_release(bundles, second)
    assert reload_models(client, "sentiment").json()["changed"] is False
    assert classified(client)[0] == "second"


def test_without_a_call_nothing_changes_where_releases_are_not_watched(
    client: TestClient, bundles: Path, first: Release, second: Release
) -> None:
    write_release(bundles, second)
    assert classified(client)[0] == version_of(first)


def test_readiness_and_the_list_of_models_name_the_new_version(
    client: TestClient, bundles: Path, second: Release
) -> None:
    write_release(bundles, second)
    reload_models(client)
    listed = {task["task"]: task["version"] for task in client.get("/v1/models").json()["tasks"]}
    assert (ready_version(client), listed["classify"]) == ("second", "second")


def test_a_rollback_is_taken_as_well(client: TestClient, bundles: Path, first: Release, second: Release) -> None:
    write_release(bundles, second)
    reload_models(client)
    write_release(bundles, second.rolled_back("classify"))
    reload_models(client)
    assert classified(client) == (version_of(first), "fault")
