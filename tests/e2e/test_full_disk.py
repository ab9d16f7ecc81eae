"""The service with its database on a small disk of its own, which fills up and has room again."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.expectations import problem_of
from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import running
from tests.e2e.small_disk import SmallDisk

SIZE = "8m"
ARTICLE = {"title": "投屏没有声音", "problem": "投屏到电视以后没有声音", "solution": "选择电视扬声器。" * 400}
QUERY = {"query": "投屏没声音"}
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" || exit 1; shift 2; exec "$@"'
"""In namespaces of its own: nobody else sees the disk, and it is gone with the last process."""


def _mounting(folder: Path, *command: str) -> list[str]:
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh", SIZE, str(folder), *command]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, SmallDisk]]:
    folder: Path = tmp_path_factory.mktemp("disk")
    if shutil.which("unshare") is None or subprocess.run(_mounting(folder, "true"), check=False).returncode:
        pytest.skip("no disk can be mounted here without rights")
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    command = _mounting(folder, sys.executable, "-m", "nlp_service", "serve")
    url = f"sqlite:///{folder / 'nlp.db'}"
    with running(home, command, NLP_DATABASE_URL=url, NLP_THREADS="1") as (process, client):
        yield client, SmallDisk(process.pid, folder)


def test_a_full_disk_is_named_stores_nothing_and_costs_no_restart(service: tuple[httpx.Client, SmallDisk]) -> None:
    client, disk = service
    client.post("/v1/knowledge", json=ARTICLE).raise_for_status()
    assert len(client.post("/v1/search", json=QUERY).json()["hits"]) == 1
    disk.fill()
    refusals = [client.post("/v1/knowledge", json=ARTICLE) for _ in range(3)]
    stored = sum(answer.status_code == 201 for answer in refusals)  # what still fits into the pages that are there
    assert "no room" in problem_of(refusals[-1], 503)["detail"]
    assert client.get("/v1/knowledge").json()["total"] == 1 + stored
    assert client.post("/v1/classify", json={"tickets": [{"text": "投屏没有声音"}]}).status_code == 200
    assert client.post("/v1/search", json=QUERY).json()["hits"]
    disk.empty()
    assert client.post("/v1/knowledge", json=ARTICLE).status_code == 201
    assert client.get("/v1/knowledge").json()["total"] == 2 + stored
