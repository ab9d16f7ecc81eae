"""A service that takes promoted models when it is called, and versions to promote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.release import Release, read_release, write_release
from tests.api.reload.versions import ready_version, reload_models, service_of, version_of
from tests.releases import copy_bundles, move_to_own_encoder, turn_head


@pytest.fixture(scope="package")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles with two more heads for tickets, which give each label the probability of the one before.

    The head `own` has an encoder of its own.
    """
    copied = copy_bundles(tmp_path_factory.mktemp("home"))
    turn_head(copied, "classify", "second")
    move_to_own_encoder(copied, turn_head(copied, "classify", "own"))
    return copied


@pytest.fixture(scope="package")
def first(bundles: Path) -> Release:
    return read_release(bundles)


@pytest.fixture(scope="package")
def second(first: Release) -> Release:
    return first.changed("promote", "classify", {"classify": "heads/classify-second"})


@pytest.fixture(scope="package")
def own(second: Release) -> Release:
    return second.changed("promote", "classify", {"classify": "heads/classify-own"})


@pytest.fixture(scope="package")
def unwatched(bundles: Path) -> Iterator[TestClient]:
    with service_of(bundles, watch_models=False) as started:
        yield started


@pytest.fixture
def client(unwatched: TestClient, bundles: Path, first: Release) -> Iterator[TestClient]:
    """The service, which takes a release only when it is called; afterwards what served at first serves again."""
    yield unwatched
    write_release(bundles, first)
    if ready_version(unwatched) != version_of(first):
        assert reload_models(unwatched).status_code == 200
