"""The service with SQLite on a disk of its own that becomes read-only while the service has files open on it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.expectations import problem_of
from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import running
from tests.e2e.small_disk import SmallDisk

BYTES = 16 << 20
ARTICLE = {"title": "投屏没有声音", "problem": "投屏到电视以后没有声音", "solution": "选择电视扬声器。"}
QUERY = {"query": "投屏没声音"}
TICKETS = {"tickets": [{"text": "投屏没有声音"}]}
MOUNT = 'mount -o loop,errors=remount-ro "$1" "$2" || exit 1; shift 2; exec "$@"'
"""In a namespace of its own: nobody else sees the disk, and it is gone with the last process."""
PROGRAMS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
ARRIVAL_SECONDS = 0.3
AT_ONCE, ROUNDS, WRITES = 16, 40, 70
"""Of so many writes, one after another, every connection of the service gets its turn."""


class Disk(SmallDisk):
    """One with ext4. Linux mounts none read-only by request while a file on it is open for writing."""

    @contextmanager
    def protected(self) -> Iterator[None]:
        """No file of the database may be written, not even by who has it open."""
        self._change_attributes("+i")
        try:
            yield
        finally:
            self._change_attributes("-i")

    def fail(self) -> None:
        """Have an error, upon which Linux makes the disk read-only until it is unmounted."""
        device = self.seen_from_here.stat().st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")

    @contextmanager
    def user_stopped(self) -> Iterator[None]:
        """The service answers nothing, and then all that has arrived."""
        os.kill(self.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process, signal.SIGCONT)

    def connections(self) -> int:
        """How many the service has opened to the database."""
        opened = Path(f"/proc/{self.process}/fd").iterdir()
        return sum(file.resolve().name == "nlp.db" for file in opened)

    def _change_attributes(self, change: str) -> None:
        # Without nlp.db-shm: it is mapped, and who locks something in a mapped file that is protected ends by SIGBUS.
        files = [self.seen_from_here / name for name in ("nlp.db", "nlp.db-wal")]
        subprocess.run(["chattr", change, *files], check=True)


def _mounting(image: Path, folder: Path, *command: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(image), str(folder), *command]


def _formatted(image: Path) -> Path:
    with image.open("wb") as file:
        file.truncate(BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, env={"PATH": PROGRAMS})
    return image


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[httpx.Client, Disk]]:
    missing = [name for name in ("unshare", "mkfs.ext4", "chattr") if shutil.which(name, path=PROGRAMS) is None]
    if missing:
        pytest.skip(f"no disk can be made here without {', '.join(missing)}")
    image, folder, home = _formatted(tmp_path / "image"), tmp_path / "disk", tmp_path / "home"
    folder.mkdir()
    if subprocess.run(_mounting(image, folder, "true"), check=False).returncode:
        pytest.skip("no disk with ext4 can be mounted here: that takes the rights of root, and a loop device")
    (home / "var").mkdir(parents=True)
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    command = _mounting(image, folder, sys.executable, "-m", "nlp_service", "serve")
    url = f"sqlite:///{folder / 'nlp.db'}"
    with running(home, command, NLP_DATABASE_URL=url, NLP_THREADS="1") as (process, client):
        client.post("/v1/knowledge", json=ARTICLE).raise_for_status()
        yield client, Disk(process.pid, folder)


def _open_connections(client: httpx.Client, disk: Disk) -> None:
    """Search and list articles, so many at once that it takes another connection."""
    before = disk.connections()
    with ThreadPoolExecutor(2 * AT_ONCE) as threads:
        for _ in range(ROUNDS):
            with disk.user_stopped():
                found = [threads.submit(_finds, client) for _ in range(AT_ONCE)]
                listed = [threads.submit(_lists, client) for _ in range(AT_ONCE)]
                time.sleep(ARRIVAL_SECONDS)
            assert all(answer.result() for answer in (*found, *listed))
            if disk.connections() > before:
                return
    raise AssertionError(f"no connection was opened beside {before}")


def _finds(client: httpx.Client) -> bool:
    return bool(client.post("/v1/search", json=QUERY).raise_for_status().json()["hits"])


def _lists(client: httpx.Client) -> bool:
    return bool(client.get("/v1/knowledge").raise_for_status().json()["total"] == 1)


def _expect_all_but_writing(client: httpx.Client, disk: Disk) -> None:
    """By connections that were opened before, and by those that are opened now."""
    assert "read-only" in problem_of(client.post("/v1/knowledge", json=ARTICLE), 503)["detail"]
    _open_connections(client, disk)
    for _ in range(WRITES):
        assert "read-only" in problem_of(client.post("/v1/knowledge", json=ARTICLE), 503)["detail"]
    assert client.get("/v1/knowledge").json()["total"] == 1
    assert client.post("/v1/classify", json=TICKETS).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_files_that_may_not_be_written_are_read_and_written_again_without_a_restart(
    service: tuple[httpx.Client, Disk],
) -> None:
    client, disk = service
    with disk.protected():
        _expect_all_but_writing(client, disk)
    assert {client.post("/v1/knowledge", json=ARTICLE).status_code for _ in range(WRITES)} == {201}
    assert client.get("/v1/knowledge").json()["total"] == 1 + WRITES


def test_a_disk_that_the_system_made_read_only_after_an_error_is_read(service: tuple[httpx.Client, Disk]) -> None:
    client, disk = service
    disk.fail()
    _expect_all_but_writing(client, disk)
