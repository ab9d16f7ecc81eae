"""Several workers are counted together, also when one of them has ended."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.observability.values import samples, summed

WORKER = """
import sys
from nlp_service.observability import metrics

windows, records, version = sys.argv[1:]
metrics.REQUESTS.labels("GET", "/livez", 200).inc(10)
metrics.QUEUE_SECONDS.labels("search", "batch").observe(0.3)
metrics.QUEUE.labels("search", "batch").inc(int(windows))
metrics.RECORDS.labels("article").set(int(records))
metrics.WORKERS.set(1)
metrics.MODEL_INFO.labels("classify", "older", "feedback").set(1)
metrics.MODEL_INFO.labels("classify", "older", "feedback").set(0)
metrics.MODEL_INFO.labels("classify", version, "feedback").set(1)
print("done", flush=True)
sys.stdin.read()
"""
READER = """
from nlp_service.observability.exposition import exposition
print(exposition().decode())
"""


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "PATH": ""}
    command = [sys.executable, "-c", *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What is read while two workers run and a third was killed."""
    folder = tmp_path_factory.mktemp("workers")
    workers = [_start(folder, WORKER, *given) for given in (("7", "3", "gone"), ("1", "5", "new"), ("2", "6", "new"))]
    assert [worker.stdout.readline() for worker in workers if worker.stdout] == ["done\n"] * 3
    workers[0].kill()
    workers[0].wait()
    yield _start(folder, READER).communicate(timeout=60)[0]
    for worker in workers:
        worker.communicate(timeout=60)


def test_requests_of_a_worker_that_ended_still_count(shown: str) -> None:
    assert summed(shown, "nlp_requests_total", route="/livez") == 30


def test_times_of_a_worker_that_ended_still_count(shown: str) -> None:
    counted = [summed(shown, "nlp_queue_seconds_bucket", le=bound) for bound in ("0.25", "0.5", "+Inf")]
    assert counted == [0, 3, 3]


def test_the_queues_of_the_workers_that_run_are_added(shown: str) -> None:
    assert summed(shown, "nlp_queue_windows") == 3


def test_the_worker_with_the_fewest_records_is_told(shown: str) -> None:
    assert summed(shown, "nlp_index_records") == 5


def test_workers_that_run_are_counted(shown: str) -> None:
    assert summed(shown, "nlp_workers") == 2


def test_only_models_that_serve_are_named(shown: str) -> None:
    versions = [sample.labels["version"] for sample in samples(shown) if sample.name == "nlp_model_info"]
    assert versions == ["new"]
