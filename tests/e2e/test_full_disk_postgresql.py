"""The service with PostgreSQL, its tables and its log, on a small disk of its own that fills up and has room again."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.api.expectations import problem_of
from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import running
from tests.e2e.small_disk import SmallDisk
from tests.postgres import SECONDS, UNPRIVILEGED, PostgresMissing, PostgresServer, running_postgres

SIZE = "80m"
FOLDER = Path("/mnt")
MOUNT = """
mount -t tmpfs -o size="$1" tmpfs "$2" && chmod 0777 "$2" && exec setpriv --reuid "$3" --regid "$4" --keep-groups cat
"""
"""Nobody else sees the disk, which is gone with this process; PostgreSQL, run by the same user, reaches it by /proc."""
LASTING = "options=-c%20synchronous_commit%3Don"
"""A commit outlasts a crash of the server; the tests' own settings do without."""
QUERY = {"query": "投屏没声音"}
TICKETS = {"tickets": [{"text": "投屏没有声音"}]}
IDEOGRAPHS = range(0x4E00, 0x9FA0)
Running = tuple[httpx.Client, SmallDisk, PostgresServer]


@contextmanager
def _mounted() -> Iterator[SmallDisk]:
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    arguments = [SIZE, str(FOLDER), *map(str, _owner())]
    command = ["unshare", "--mount", *rights, "sh", "-c", MOUNT, "sh", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        with suppress(BrokenPipeError):
            process.stdin.write(b"\n")
            process.stdin.flush()
        if not process.stdout.readline():
            pytest.skip("no disk can be mounted here without rights")
        yield SmallDisk(process.pid, FOLDER)
        process.stdin.close()


def _owner() -> tuple[int, int]:
    """Who runs PostgreSQL, as the new namespace numbers users and groups."""
    if os.geteuid() != 0:
        return 0, 0
    import pwd  # not on Windows

    entry = pwd.getpwnam(UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    if shutil.which("unshare") is None:
        pytest.skip("no disk can be mounted here: unshare is missing")
    with _mounted() as disk:
        yield disk


@pytest.fixture(scope="module")
def server(disk: SmallDisk) -> Iterator[PostgresServer]:
    """With all its files on the disk."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(disk.seen_from_here))
            try:
                server = stack.enter_context(running_postgres())
            except PostgresMissing as error:
                pytest.skip(f"PostgreSQL cannot run here: {error}")
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, disk: SmallDisk, server: PostgresServer) -> Iterator[Running]:
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    command = [sys.executable, "-m", "nlp_service", "serve"]
    with (
        server.database("service") as url,
        running(home, command, NLP_DATABASE_URL=f"{url}&{LASTING}", NLP_THREADS="1") as (_, client),
    ):
        yield client, disk, server


@contextmanager
def _full(disk: SmallDisk) -> Iterator[None]:
    disk.fill()
    try:
        yield
    finally:
        disk.empty()


def _store(client: httpx.Client) -> httpx.Response:
    """Ask for an article to be stored that is larger than a page and cannot be compressed."""
    solution = "".join(map(chr, random.choices(IDEOGRAPHS, k=9000)))
    article = {"title": "投屏没有声音", "problem": "投屏到电视以后没有声音", "solution": solution}
    return client.post("/v1/knowledge", json=article)


def _total(client: httpx.Client) -> int:
    total: int = client.get("/v1/knowledge").raise_for_status().json()["total"]
    return total


def _runs(server: PostgresServer) -> bool:
    try:
        server.call("status")
    except PostgresMissing:
        return False
    return True


def _begin_another_log_file(server: PostgresServer) -> None:
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(host=str(server.folder), user="postgres", dbname="postgres", autocommit=True) as connection,
    ):
        connection.execute("SELECT pg_switch_wal()")


def test_a_full_disk_is_named_stores_nothing_and_costs_no_restart(service: Running) -> None:
    client, disk, _ = service
    before = _total(client)
    _store(client).raise_for_status()
    with _full(disk):  # before the search has taken the article in
        assert client.post("/v1/search", json=QUERY).json()["hits"]
        for _ in range(3):
            assert "no room" in problem_of(_store(client), 503)["detail"]
        assert _total(client) == before + 1
        assert client.post("/v1/classify", json=TICKETS).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert _store(client).status_code == 201
    assert _total(client) == before + 2


def test_a_server_that_ended_for_want_of_room_for_its_log_goes_on_once_it_is_started(service: Running) -> None:
    client, disk, server = service
    _store(client).raise_for_status()
    before = _total(client)
    with _full(disk):
        give_up = time.monotonic() + SECONDS
        while _runs(server) and time.monotonic() < give_up:
            _begin_another_log_file(server)
            problem_of(_store(client), 503)
        assert "does not answer" in problem_of(_store(client), 503)["detail"]
        for path in ("/readyz", "/v1/knowledge"):
            problem_of(client.get(path), 503)
        assert client.post("/v1/classify", json=TICKETS).status_code == 200
    server.start()
    assert _total(client) == before
    assert _store(client).status_code == 201
    assert client.post("/v1/search", json=QUERY).json()["hits"]
    assert _total(client) == before + 1
