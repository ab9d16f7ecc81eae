"""The engine that answers now, replaced without a gap when the release changes.

Heads are taken at once. A new search encoder has to wait for its index: until that is complete the new heads answer
beside the old search encoder.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog

from nlp_service.errors import BundleError, Overloaded
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.inference.release import RELEASE_FILE
from nlp_service.tracebacks import described

PATIENCE_SECONDS = 10.0
"""What is prepared in vain ends before; a merge of a large index is not waited for."""
log = structlog.get_logger()
Load = Callable[[Engine | None], Engine]
"""Loads what the release names now, sharing encoders with the engine that is given."""


class Index(Protocol):
    """What searches with the vectors of search encoders."""

    def prepare(self, engine: Engine, cancelled: Callable[[], bool]) -> None:
        """Return when the engine can search, or when it need not any more; raise what keeps it from searching."""
        ...

    def keep_only(self, in_use: Callable[[], Collection[str]]) -> None:
        """Forget the vectors of encoders whose fingerprints are not in use."""
        ...


class LiveEngine:
    """Lends the current engine to requests, and replaces it when asked.

    A request keeps the engine that it began with. One that was replaced is closed when its last request has ended.
    """

    def __init__(self, engine: Engine, load: Load, bundles: Path) -> None:
        self.index: Index | None = None
        """What has to be ready before a new search encoder serves."""
        self.search_failures = 0
        """How many search encoders could not be prepared, so that the old one went on."""
        self._load = load
        self._file = bundles / RELEASE_FILE
        self._current = engine
        self._next: Engine | None = None
        self._preparing: threading.Thread | None = None
        self._not_wanted = threading.Event()
        self._open = [engine]
        self._leases: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._seen = _stamp(self._file)

    @classmethod
    def start(cls, load: Load, bundles: Path) -> "LiveEngine":
        """Load the first engine; raises BundleError. What is promoted meanwhile is a change."""
        before = _stamp(bundles / RELEASE_FILE)
        live = cls(load(None), load, bundles)
        live._seen = before
        return live

    @contextmanager
    def lease(self) -> Iterator[Engine]:
        """The current engine; it stays open until it is given back."""
        with self._lock:
            engine = self._current
            self._leases[id(engine)] += 1
        try:
            yield engine
        finally:
            self._give_back(engine)

    @property
    def lent(self) -> int:
        """How many requests have an engine now."""
        return self._leases.total()

    @property
    def changed(self) -> bool:
        """Whether the release was replaced since the last reload, successful or not."""
        return _stamp(self._file) != self._seen

    def reload(self) -> None:
        """Load what the release names now and let it answer from here on, its search encoder once that has its index.

        Raises BundleError when it cannot be loaded or does not give its own test answers, and Overloaded, with
        `changed` as before, when a shared encoder has no time to check them; then the old engine goes on.
        """
        with self._loading:
            seen, self._seen = self._seen, _stamp(self._file)
            with self._to_share() as loaded:
                try:
                    engine = self._load(loaded)
                except Overloaded:
                    self._seen = seen
                    raise
                except BundleError:
                    raise
                except Exception as error:
                    raise BundleError(f"模型包无法加载 · cannot be loaded: {type(error).__name__}: {error}") from error
                self._stop_preparing()
                self._take(engine)
            log.info("models reloaded", **{task: head.bundle.version for task, head in engine.heads.items()})

    def wait_for_search(self, timeout: float) -> None:
        """Wait up to so many seconds for a new search encoder that is being prepared, if there is one."""
        preparing = self._preparing
        if preparing is not None:
            preparing.join(timeout)

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._loading:  # what a reload under way opens is closed as well
            self._stop_preparing()
            with self._lock:
                engines, self._open = self._open, []
            for engine in engines:
                engine.close()

    @contextmanager
    def _to_share(self) -> Iterator[Engine]:
        """An engine with every encoder that is loaded; they stay open, though what is prepared may take over now."""
        with self._lock:
            held = [engine for engine in (self._current, self._next) if engine is not None]
            self._leases.update(map(id, held))
        try:
            yield held[0].sharing(held[-1])
        finally:
            for engine in held:
                self._give_back(engine)

    def _give_back(self, engine: Engine) -> None:
        with self._lock:
            self._leases[id(engine)] -= 1
        self._close_unused()

    def _take(self, engine: Engine) -> None:
        """Let an engine answer, or its heads alone until its index is prepared."""
        with self._lock:
            if self.index is None or engine.search is self._current.search:
                self._current, self._next = engine, None
                self._open.append(engine)
                return
            self._next, self._current = engine, engine.searching_with(self._current.search, self._current.queries)
            self._open += [engine, self._current]
            self._not_wanted = threading.Event()
        arguments = (self.index, engine, self._not_wanted)
        self._preparing = threading.Thread(target=self._prepare, args=arguments, name="prepare-search", daemon=True)
        self._preparing.start()

    def _prepare(self, index: Index, engine: Engine, not_wanted: threading.Event) -> None:
        model = engine.search_model
        log.info("search encoder is prepared", encoder=model.name, version=model.version)
        failure = None
        try:
            index.prepare(engine, not_wanted.is_set)
        except Exception as error:  # noqa: BLE001 - whatever fails, the old encoder goes on
            failure = described(error)
        with self._lock:
            if not_wanted.is_set():
                return
            self._next = None
            if failure is None:
                self._current = engine
            else:
                self.search_failures += 1
        if failure is None:
            log.info("search encoder taken", encoder=model.name, version=model.version)
        else:
            log.error("search encoder not taken, the old one goes on", version=model.version, reason=failure)
        self._close_unused()

    def _stop_preparing(self) -> None:
        with self._lock:
            self._not_wanted.set()
        self.wait_for_search(PATIENCE_SECONDS)

    def _search_encoders(self) -> set[str]:
        """Fingerprints of those that serve, that a request still needs, or that are being prepared."""
        with self._lock:
            return {engine.search_model.fingerprint for engine in self._open}

    def _close_unused(self) -> None:
        with self._lock:
            if self._open == [self._current]:  # nearly always
                return
            used = [one for one in self._open if one in (self._current, self._next) or self._leases[id(one)]]
            unused = [engine for engine in self._open if engine not in used]
            self._open = used
            kept = [batcher for engine in self._open for batcher in engine.batchers.values()]
        for engine in unused:
            del self._leases[id(engine)]
            # What waits for the encoder is finished first, which the event loop itself may have to tell of.
            threading.Thread(target=self._close, args=(engine, kept), name="close-engine", daemon=True).start()

    def _close(self, engine: Engine, kept: list[Batcher]) -> None:
        if self.index is not None:
            self.index.keep_only(self._search_encoders)
        engine.close(kept)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Another one when a file was replaced; None without it."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def keep_engine(_: Engine | None) -> Engine:
    """A `Load` for an engine that was made elsewhere: it cannot be replaced."""
    raise BundleError("引擎由调用方提供,不能重载 · the engine was given by the caller and cannot be reloaded")
