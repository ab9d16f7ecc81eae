"""The text that Prometheus reads, over all worker processes.

Workers write their values to files of their own in the folder PROMETHEUS_MULTIPROC_DIR; `nlp-service serve` makes one.
Counters and histograms of a worker that has ended go on counting; its gauges, which say how things are now, are
forgotten. Nothing tells when a worker was killed, so that is looked up before the files are read.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from nlp_service.observability.metrics import INFOS

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(_Shown())


class _Shown:
    def collect(self) -> Iterator[Metric]:
        for metric in _collected():
            if metric.name in INFOS:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def _collected() -> Iterable[Metric]:
    folder = os.environ.get(FOLDER)
    if folder is None:
        return REGISTRY.collect()
    forget_ended(Path(folder))
    collected: Iterable[Metric] = MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
    return collected


def forget_ended(folder: Path) -> None:
    """Delete the gauges of workers that have ended."""
    workers = {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}
    for worker in workers:
        if not _runs(worker):
            with suppress(FileNotFoundError):  # another worker was faster
                mark_process_dead(worker, folder)  # type: ignore[no-untyped-call]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
