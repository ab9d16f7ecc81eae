"""Requests while models are replaced: none is refused, each is answered by one version from beginning to end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nlp_service.api.deps import EngineDep
from nlp_service.inference.release import Release, write_release
from tests.api.reload.versions import FAULT, classified, reload_models, version_of
from tests.releases import wait_for_closing

THREADS, REQUESTS = 4, 60


def test_a_request_under_way_keeps_its_engine_and_its_encoder(
    client: TestClient, bundles: Path, own: Release, first: Release
) -> None:
    begun, reloaded = threading.Event(), threading.Event()

    def held(engine: EngineDep) -> list[str]:
        begun.set()
        reloaded.wait(60)
        return [kind.label for _, kind in engine.analyse([FAULT["tickets"][0]["text"]])]

    assert isinstance(client.app, FastAPI)
    client.app.add_api_route("/held", held)
    write_release(bundles, own)
    reload_models(client)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, "/held")
        begun.wait(60)
        write_release(bundles, first)
        reload_models(client)
        assert classified(client) == (version_of(first), "fault")
        wait_for_closing()
        reloaded.set()
        assert asked.result().json() == ["feature_request"]


@pytest.fixture(scope="module")
def answers(
    unwatched: TestClient, bundles: Path, first: Release, second: Release, own: Release
) -> set[tuple[str, str]]:
    """Versions and labels of hundreds of answers from four threads while models are replaced six times."""
    reloaded = threading.Event()

    def ask(_: int) -> list[tuple[str, str]]:
        answers: list[tuple[str, str]] = []
        while len(answers) < REQUESTS or not reloaded.is_set():
            answers.append(classified(unwatched))
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(ask, number) for number in range(THREADS)]
        try:
            for release in (second, own, first, own, second, first):
                write_release(bundles, release)
                assert reload_models(unwatched).json()["changed"] is True
        finally:
            reloaded.set()
        return {answer for future in asked for answer in future.result()}


def test_every_answer_is_that_of_a_version_that_served(answers: set[tuple[str, str]], first: Release) -> None:
    turned = {(version, "feature_request") for version in ("second", "own")}
    assert answers <= {(version_of(first), "fault"), *turned}


def test_every_version_answered(answers: set[tuple[str, str]]) -> None:
    assert len({version for version, _ in answers}) == 3
