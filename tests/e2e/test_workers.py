"""Two worker processes on one database agree at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Event

import httpx
import pytest

from nlp_service.access.keys import NewKey
from nlp_service.settings import Settings
from tests.access.keys import SECRET, bearer, make_keys, revoke
from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import READY_SECONDS, long_request, running, wait_until_accepted
from tests.observability.values import summed

ARTICLE = {
    "title": "投屏后手机没有声音",
    "problem": "投屏到电视以后画面正常，手机和电视都没有声音",
    "solution": "在电视的音频输出里选择电视扬声器，再重新投屏。",
}
QUERY = {"query": "投屏没声音", "top_k": 3}
SEARCHES, CALLERS = 24, 2
REQUESTS = 6


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the service."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a folder of the module's own; in development, where a key that is given counts."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    return Settings(home=home, secret=SECRET)


@pytest.fixture(scope="module")
def keys(settings: Settings) -> list[str]:
    """A key for one request a minute, and one to be revoked."""
    limited = NewKey("有限", ["models"], 1, requests_per_minute=1)
    return make_keys(settings, limited, NewKey("将吊销", ["models"], 1))


@pytest.fixture(scope="module")
def started(
    settings: Settings, keys: list[str], temporary: Path
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The process that has the workers, and a client; the last test stops it."""
    assert keys  # before the workers read them
    environment = {"NLP_SECRET": SECRET.get_secret_value(), "NLP_THREADS": "1", "TMPDIR": str(temporary)}
    environment["NLP_MAX_BATCH_WAIT_SECONDS"] = "600"
    command = [sys.executable, "-m", "nlp_service", "serve", "--workers", "2"]
    with running(settings.home, command, **environment) as both:
        yield both


@pytest.fixture(scope="module")
def two_workers(started: tuple[subprocess.Popen[bytes], httpx.Client]) -> httpx.Client:
    return started[1]


def _connecting_anew(client: httpx.Client) -> httpx.Client:
    """A client that makes a connection for each request, so that both workers are asked."""
    return httpx.Client(base_url=client.base_url, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


def _search_on_new_connections(client: httpx.Client) -> list[list[int]]:
    """The ids that searches find."""

    def search(_: int) -> list[int]:
        answer = anew.post("/v1/search", json=QUERY).raise_for_status().json()
        return [hit["id"] for hit in answer["hits"]]

    with _connecting_anew(client) as anew, ThreadPoolExecutor(8) as pool:
        return list(pool.map(search, range(SEARCHES)))


def _statuses_on_new_connections(client: httpx.Client, key: str) -> list[int]:
    """What requests with the key are answered."""

    def ask(_: int) -> int:
        return anew.get("/v1/models", headers=bearer(key)).status_code

    with _connecting_anew(client) as anew, ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, range(SEARCHES)))


def test_a_revoked_key_is_refused_by_every_worker(
    two_workers: httpx.Client, settings: Settings, keys: list[str]
) -> None:
    assert set(_statuses_on_new_connections(two_workers, keys[1])) == {200}
    revoke(settings, keys[1])
    deadline = time.monotonic() + READY_SECONDS
    while set(_statuses_on_new_connections(two_workers, keys[1])) != {401}:
        assert time.monotonic() < deadline


def test_the_workers_count_the_requests_of_a_key_together(two_workers: httpx.Client, keys: list[str]) -> None:
    statuses = _statuses_on_new_connections(two_workers, keys[0])
    assert sorted(statuses) == [200] + [429] * (SEARCHES - 1)


def test_every_worker_finds_a_new_article_at_once(two_workers: httpx.Client) -> None:
    created = two_workers.post("/v1/knowledge", json=ARTICLE).raise_for_status().json()
    assert all(created["id"] in found for found in _search_on_new_connections(two_workers))


def test_no_worker_finds_a_deleted_article(two_workers: httpx.Client) -> None:
    created = two_workers.post("/v1/knowledge", json=ARTICLE).raise_for_status().json()
    two_workers.delete(f"/v1/knowledge/{created['id']}").raise_for_status()
    assert not any(created["id"] in found for found in _search_on_new_connections(two_workers))


def _workers(temporary: Path) -> set[int]:
    """The processes whose gauges count."""
    return {int(file.stem.rpartition("_")[2]) for file in temporary.glob("nlp-*/metrics/gauge_livesum_*.db")}


def _wait_until_replaced(client: httpx.Client, temporary: Path, worker: int) -> None:
    """Wait for a worker that serves in the place of the one that ended."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):  # a connection to the worker that ended
            if _gauge(client, "nlp_workers") == 2 and worker not in _workers(temporary):
                return
        time.sleep(0.1)
    raise AssertionError(f"not replaced within {READY_SECONDS} s")


def _gauge(client: httpx.Client, name: str) -> float:
    return summed(client.get("/metrics").text, name)


def _counted_searches(client: httpx.Client) -> float:
    return summed(client.get("/metrics").text, "nlp_requests_total", route="/v1/search")


def test_metrics_count_the_requests_of_all_workers(two_workers: httpx.Client) -> None:
    before = _counted_searches(two_workers)
    _search_on_new_connections(two_workers)
    assert _counted_searches(two_workers) == before + SEARCHES


@dataclass(frozen=True)
class Killed:
    """What became of the searches of some callers while a worker was killed and replaced."""

    statuses: list[int]
    """0 for a connection that broke."""
    counted: tuple[float, float]
    """By the metrics, before and afterwards."""


@pytest.fixture(scope="module")
def killed(two_workers: httpx.Client, temporary: Path) -> Killed:
    begun, dead = Barrier(CALLERS + 1), Event()

    def search(_: int) -> int:
        try:
            return anew.post("/v1/search", json=QUERY).status_code
        except httpx.TransportError:
            return 0

    def search_before_and_after(_: int) -> list[int]:
        statuses = [search(0)]
        begun.wait(READY_SECONDS)
        while not dead.is_set():
            statuses.append(search(0))
        return [*statuses, *map(search, range(SEARCHES))]

    before = _counted_searches(two_workers)
    with _connecting_anew(two_workers) as anew, ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(search_before_and_after, number) for number in range(CALLERS)]
        begun.wait(READY_SECONDS)
        worker = max(_workers(temporary))
        os.kill(worker, signal.SIGKILL)
        dead.set()
        statuses = [status for caller in callers for status in caller.result()]
    _wait_until_replaced(two_workers, temporary, worker)
    return Killed(statuses, (before, _counted_searches(two_workers)))


def test_a_worker_that_is_killed_costs_no_more_than_what_it_was_doing(killed: Killed) -> None:
    assert set(killed.statuses) <= {0, 200}
    assert killed.statuses.count(0) <= CALLERS


def test_metrics_add_up_when_a_worker_was_replaced(killed: Killed, two_workers: httpx.Client) -> None:
    before, after = killed.counted
    answered, lost = (killed.statuses.count(status) for status in (200, 0))
    uncounted = CALLERS  # at most: a request is counted after its answer has left, and the kill may come between
    assert before + answered - uncounted <= after <= before + answered + lost
    _search_on_new_connections(two_workers)
    assert _counted_searches(two_workers) == after + SEARCHES
    assert (_gauge(two_workers, "nlp_workers"), _gauge(two_workers, "nlp_queue_windows")) == (2, 0)


def test_a_taken_port_is_named(two_workers: httpx.Client, home: Path) -> None:
    port = str(two_workers.base_url.port)
    done = subprocess.run(
        [sys.executable, "-m", "nlp_service", "serve", "--port", port],
        env={"NLP_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert port in done.stderr


def test_what_was_accepted_is_answered_when_the_workers_are_told_to_stop(
    started: tuple[subprocess.Popen[bytes], httpx.Client], temporary: Path
) -> None:
    process, client = started

    def ask(number: int) -> int:
        return anew.post("/v1/classify", json=long_request(number)).status_code

    with _connecting_anew(client) as anew, ThreadPoolExecutor(REQUESTS) as pool:
        asked = [pool.submit(ask, number) for number in range(REQUESTS)]
        wait_until_accepted(client, REQUESTS)
        process.send_signal(signal.SIGTERM)
        assert [request.result() for request in asked] == [200] * REQUESTS
    process.wait(READY_SECONDS)
    assert not list(temporary.iterdir())
