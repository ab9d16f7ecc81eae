"""Replicas come and go with the requests, and whoever sends half of one keeps nobody out."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from nlp_service.scale.cluster import LOCAL, ray_cluster
from nlp_service.scale.serving import APPLICATION, Scaling, ServeOptions, served
from nlp_service.settings import Settings
from tests.conftest import BUNDLES
from tests.ports import free_port
from tests.scale.callers import PATH, PATIENCE, TICKET, Callers, half_requests

CPUS = 8
"""As Ray counts them; the replicas share what there is."""
SOON = Scaling(requests=4, window_seconds=2, report_seconds=0.5, up_seconds=1, down_seconds=2)
MANY, FEW = 10, 2
"""Callers: too many for a replica, and few enough."""
HALF = 150
SECONDS = 90
MEANWHILE = 5
"""Seconds in which replicas would be started, if the half requests counted."""


@dataclass(frozen=True)
class Running:
    """A service with one replica, or two under load."""

    port: int
    folder: Path
    """Where the folder lies that the replicas share."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def replicas(self) -> dict[str, int]:
        """How many there are, by state."""
        from ray import serve

        states = serve.status().applications[APPLICATION].deployments[APPLICATION].replica_states
        return {str(state): number for state, number in states.items()}

    def answered(self) -> list[int]:
        """How many requests each process has answered so far, also one that has ended."""
        return [_answered(file) for file in self.folder.glob("nlp-shared-*/metrics/counter_*.db")]


def _answered(file: Path) -> int:
    metrics = MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    samples = (sample for metric in metrics for sample in metric.samples)
    return sum(int(sample.value) for sample in samples if sample.labels.get("route") == PATH)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    port = free_port()
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {"NLP_HOME": str(home), "NLP_LOG_LEVEL": "error"}))
        stack.enter_context(patch.object(tempfile, "tempdir", str(home)))
        machines = stack.enter_context(ray_cluster(LOCAL, cpus=CPUS))
        stack.enter_context(served(Settings(port=port), ServeOptions(1, 2, SOON), machines))
        yield Running(port, home)


@pytest.fixture(scope="module")
def unfinished(running: Running) -> Iterator[list[socket.socket]]:
    """Callers who never send the rest."""
    with half_requests(running.port, HALF) as connections:
        yield connections


@pytest.mark.usefixtures("unfinished")
def test_half_requests_take_no_place_of_a_replica(running: Running) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < MEANWHILE:
        assert httpx.post(running.url + PATH, json=TICKET, timeout=MEANWHILE).status_code == 200
        time.sleep(0.2)
    assert running.replicas() == {"RUNNING": 1}


def test_a_second_replica_comes_with_the_load_and_goes_with_it_and_no_request_fails(running: Running) -> None:
    callers = Callers(running.url)
    with callers.calling(FEW):
        with callers.calling(MANY):
            _wait(lambda: running.replicas() == {"RUNNING": 2})
            _wait(lambda: sum(number > MANY for number in running.answered()) == 2)
        before = callers.answers.total()
        _wait(lambda: running.replicas() == {"RUNNING": 1})
        after = callers.answers.total()
        _wait(lambda: callers.answers.total() > after + FEW)
    assert after > before
    assert callers.answers.keys() <= {200, 429}
    assert "\nnlp_workers 1.0\n" in httpx.get(running.url + "/metrics", timeout=PATIENCE).text


def test_half_requests_are_told_that_they_are_too_slow(unfinished: list[socket.socket]) -> None:
    assert {connection.recv(12) for connection in unfinished} == {b"HTTP/1.1 408"}


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)
