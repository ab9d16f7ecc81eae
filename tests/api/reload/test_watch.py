"""A service that watches the release takes what was promoted without a call."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.release import Release, write_release
from tests.api.reload.damages import DAMAGES, Damage, promote_damaged
from tests.api.reload.versions import classified, ready_version, service_of, version_of

SECONDS = 60


def _wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"not within {SECONDS} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def watching(bundles: Path, first: Release) -> Iterator[TestClient]:
    write_release(bundles, first)
    with service_of(bundles, watch_models=True) as started:
        yield started


@pytest.fixture
def watched(watching: TestClient, bundles: Path, first: Release) -> Iterator[TestClient]:
    """The service, which watches the release; afterwards what served at first serves again."""
    yield watching
    write_release(bundles, first)
    _wait_until(lambda: ready_version(watching) == version_of(first))


def test_a_promoted_version_is_taken_without_a_call(watched: TestClient, bundles: Path, second: Release) -> None:
    write_release(bundles, second)
    _wait_until(lambda: ready_version(watched) == "second")
    assert classified(watched) == ("second", "feature_request")


def test_a_rollback_is_taken_without_a_call(
    watched: TestClient, bundles: Path, first: Release, second: Release
) -> None:
    write_release(bundles, second)
    _wait_until(lambda: ready_version(watched) == "second")
    write_release(bundles, second.rolled_back("classify"))
    _wait_until(lambda: ready_version(watched) == version_of(first))
    assert classified(watched)[1] == "fault"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_version_that_does_not_load_is_passed_over_and_the_next_one_taken(
    watched: TestClient, bundles: Path, first: Release, second: Release, damage: Damage
) -> None:
    promote_damaged(bundles, damage)
    _wait_until(lambda: not watched.app.state.live.changed)  # type: ignore[attr-defined]
    assert classified(watched) == (version_of(first), "fault")
    write_release(bundles, second)
    _wait_until(lambda: ready_version(watched) == "second")
