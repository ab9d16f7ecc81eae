"""What does not load, or does not give its own test answers, is refused; the old version goes on."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.release import RELEASE_FILE, Release, write_release
from tests.api.expectations import problem_of
from tests.api.reload.damages import DAMAGES, promote_damaged
from tests.api.reload.versions import classified, reload_models, version_of


@pytest.fixture(params=DAMAGES, ids=lambda damage: damage.__name__.strip("_").replace("_", " "))
def refused(request: pytest.FixtureRequest, client: TestClient, bundles: Path) -> Any:
    """The answer to a reload after a damaged bundle was promoted."""
    promote_damaged(bundles, request.param)
    return reload_models(client)


def test_the_problem_says_which_version_stays(refused: Any, first: Release) -> None:
    assert f"{version_of(first)} stays" in problem_of(refused, 409)["detail"]


def test_the_old_version_still_answers(refused: Any, client: TestClient, first: Release) -> None:
    assert refused.status_code == 409
    assert classified(client) == (version_of(first), "fault")


def test_the_service_is_ready(refused: Any, client: TestClient) -> None:
    assert refused.status_code == 409
    assert client.get("/readyz").status_code == 200


def test_the_next_good_version_is_taken(refused: Any, client: TestClient, bundles: Path, second: Release) -> None:
    assert refused.status_code == 409
    write_release(bundles, second)
    assert reload_models(client).json()["after"] == "second"


def test_a_broken_release_is_refused(client: TestClient, bundles: Path, first: Release) -> None:
    (bundles / RELEASE_FILE).write_text("{", "utf-8")
    problem_of(reload_models(client), 409)
    assert classified(client) == (version_of(first), "fault")
