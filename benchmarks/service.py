"""The service as a process of its own, to be measured."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from nlp_service.settings import Settings


@contextmanager
def running_service(settings: Settings, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """A service with a database of its own on a free port of the loopback address, as soon as it is ready."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        given = {
            **os.environ,
            "NLP_HOME": str(settings.home),
            "NLP_DATABASE_URL": f"sqlite:///{folder}/nlp.db",
            "NLP_LOG_LEVEL": "error",
            **environment,
        }
        command = [sys.executable, "-m", "nlp_service", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=given)  # noqa: S603 - our own service
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                _wait(client, process)
                yield client, process
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the service did not start")
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the service was not ready within two minutes")


def cpu_seconds_of(pid: int) -> float:
    """Seconds that a process has computed so far, on all cores, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> dict[str, float]:
    """Resident, proportional and own (anonymous) memory of a process in MB, from /proc."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return {"rss": kilobytes["Rss"] / 1000, "pss": kilobytes["Pss"] / 1000, "anonymous": kilobytes["Anonymous"] / 1000}
