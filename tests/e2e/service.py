"""Starts the real service as a process of its own, on loopback."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.observability.values import summed
from tests.ports import free_port

READY_SECONDS = 90
_TEXTS, _LINES = 16, 60


@contextmanager
def service(home: Path, command: Sequence[str], **environment: str) -> Iterator[httpx.Client]:
    """A client of the service once it is ready; the process is ended afterwards."""
    with running(home, command, **environment) as (_, client):
        yield client


@contextmanager
def running(
    home: Path, command: Sequence[str], **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The process of the service as well."""
    port = free_port()
    given = {**os.environ, "NLP_HOME": str(home), "NLP_PORT": str(port), "NLP_LOG_LEVEL": "error", **environment}
    process = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait_until_ready(client, process)
            yield process, client
    finally:
        process.terminate()
        process.communicate(timeout=60)


def long_request(number: int) -> dict[str, list[dict[str, str]]]:
    """The body of a classify request that keeps an encoder busy for a second or more; no two requests share a text."""
    texts = (
        "\n".join(f"第{number}台设备第{text}次导出第{line}张报表就闪退,重装也没有用" for line in range(_LINES))
        for text in range(_TEXTS)
    )
    return {"tickets": [{"text": text} for text in texts]}


def wait_until_accepted(client: httpx.Client, requests: int) -> None:
    """Return when the service is answering so many requests besides that for its metrics."""
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up:
        if summed(client.get("/metrics").text, "nlp_requests_in_progress") > requests:
            return
    raise AssertionError("the requests ended too early")


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output = process.stdout.read().decode() if process.stdout else ""
            raise AssertionError(f"the service ended with {process.returncode}:\n{output}")
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"not ready within {READY_SECONDS} s")
