"""A reranker is taken, and taken back, while the service runs."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.release import RERANKER, Release, read_release, write_release
from tests.api.reload.versions import reload_models


@pytest.fixture
def reranking(bundles: Path, first: Release, reranking_bundles: Path) -> Release:
    """The release with a reranker."""
    folder = read_release(reranking_bundles).serving[RERANKER]
    if not (bundles / folder).exists():
        (bundles / folder).symlink_to(reranking_bundles / folder)
    return first.changed("promote", RERANKER, {RERANKER: folder})


def _encoders(client: TestClient, bundles: Path, release: Release) -> set[str]:
    """The names of the encoders once this release is taken."""
    write_release(bundles, release)
    assert reload_models(client).status_code == 200
    return {encoder["name"] for encoder in client.get("/v1/models").json()["encoders"]}


def test_a_reranker_serves_once_it_is_promoted_and_until_it_is_taken_back(
    client: TestClient, bundles: Path, reranking: Release
) -> None:
    promoted = _encoders(client, bundles, reranking)
    assert promoted - _encoders(client, bundles, reranking.rolled_back(RERANKER)) == {RERANKER}
