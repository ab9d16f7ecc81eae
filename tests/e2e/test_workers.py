"""Two worker processes on one database agree at once."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import service

ARTICLE = {
    "title": "投屏后手机没有声音",
    "problem": "投屏到电视以后画面正常，手机和电视都没有声音",
    "solution": "在电视的音频输出里选择电视扬声器，再重新投屏。",
}
QUERY = {"query": "投屏没声音", "top_k": 3}
SEARCHES = 24


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    with service(home, [sys.executable, "-m", "nlp_service", "serve", "--workers", "2"], NLP_THREADS="1") as client:
        yield client


def _search_on_new_connections(client: httpx.Client) -> list[list[int]]:
    """The ids that searches find, each over a connection of its own, so that both workers are asked."""

    def search(_: int) -> list[int]:
        answer = httpx.post(f"{client.base_url}/v1/search", json=QUERY, timeout=60).raise_for_status().json()
        return [hit["id"] for hit in answer["hits"]]

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(search, range(SEARCHES)))


def test_every_worker_finds_a_new_article_at_once(two_workers: httpx.Client) -> None:
    created = two_workers.post("/v1/knowledge", json=ARTICLE).raise_for_status().json()
    assert all(created["id"] in found for found in _search_on_new_connections(two_workers))


def test_no_worker_finds_a_deleted_article(two_workers: httpx.Client) -> None:
    created = two_workers.post("/v1/knowledge", json=ARTICLE).raise_for_status().json()
    two_workers.delete(f"/v1/knowledge/{created['id']}").raise_for_status()
    assert not any(created["id"] in found for found in _search_on_new_connections(two_workers))


def test_metrics_count_the_requests_of_all_workers(two_workers: httpx.Client) -> None:
    _search_on_new_connections(two_workers)
    counts = [
        float(line.rsplit(" ", 1)[1])
        for line in two_workers.get("/metrics").text.splitlines()
        if line.startswith("nlp_requests_total") and "/v1/search" in line
    ]
    assert sum(counts) >= SEARCHES


def test_a_taken_port_is_named(two_workers: httpx.Client, home: Path) -> None:
    import subprocess

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
