"""Gauges of how things are: what serves, how far the indexes are, the process itself.

They are set every few seconds, not when Prometheus asks: it asks one worker, and each has indexes of its own.
"""

import platform
from collections.abc import Iterable

from prometheus_client import Gauge, ProcessCollector

from nlp_service import __version__
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.index_state import IndexState
from nlp_service.knowledge.searches import Searches
from nlp_service.observability import metrics
from nlp_service.observability.reloads import FAILED

Labels = tuple[str, ...]


class StateMetrics:
    """Of one process."""

    def __init__(self, live: LiveEngine, searches: Searches) -> None:
        self._live = live
        self._searches = searches
        self._process = ProcessCollector(registry=None)
        self._failures = 0
        self._shown: dict[str, set[Labels]] = {}
        metrics.WORKERS.set(1)
        metrics.BUILD_INFO.labels(__version__, platform.python_version()).set(1)

    def update(self) -> None:
        """Set all of them; raises what the database raises."""
        self._set_process()
        with self._live.lease() as engine:
            self._set_models(engine)
            self._count_failures()
            _set_indexes(self._searches.state(engine))

    def close(self) -> None:
        """The process serves no longer."""
        metrics.WORKERS.set(0)
        for info, name in ((metrics.MODEL_INFO, "models"), (metrics.ENCODER_INFO, "encoders")):
            self._show(info, name, ())

    def _set_models(self, engine: Engine) -> None:
        heads = (head.bundle for head in engine.heads.values())
        self._show(metrics.MODEL_INFO, "models", ((head.task, head.version, head.encoder.name) for head in heads))
        encoders = ((one.name, one.version, one.fingerprint[:12]) for one in engine.encoders)
        self._show(metrics.ENCODER_INFO, "encoders", encoders)

    def _count_failures(self) -> None:
        """A search encoder is prepared after its reload has ended."""
        failures = self._live.search_failures
        FAILED.inc(failures - self._failures)
        self._failures = failures

    def _show(self, info: Gauge, name: str, labels: Iterable[Labels]) -> None:
        """Set an info metric to 1 for these labels alone."""
        now = set(labels)
        for gone in self._shown.get(name, set()) - now:
            info.labels(*gone).set(0)
        for there in now:
            info.labels(*there).set(1)
        self._shown[name] = now

    def _set_process(self) -> None:
        gauges = {
            "process_start_time_seconds": metrics.STARTED,
            "process_resident_memory_bytes": metrics.MEMORY,
        }
        for family in self._process.collect():
            if family.name in gauges:
                gauges[family.name].set(family.samples[0].value)


def _set_indexes(state: IndexState) -> None:
    for kind, records in state.records.items():
        metrics.RECORDS.labels(kind).set(records)
        metrics.FOLLOWED.labels(kind).set(state.followed[kind])
        metrics.LAG.labels(kind).set(state.lag[kind])
    metrics.BUILDING.set(state.building)
    metrics.MISSING.labels("serving").set(state.missing)
    metrics.MISSING.labels("preparing").set(state.missing_prepared)
    metrics.UNSAVED.set(state.unsaved)
    metrics.KEPT.set(state.kept_at or 0)
    metrics.SNAPSHOT.set(state.saved_at or 0)
