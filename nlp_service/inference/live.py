"""The engine that answers now, replaced without a gap when the release changes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from nlp_service.errors import BundleError, Overloaded
from nlp_service.inference.engine import Engine
from nlp_service.inference.release import RELEASE_FILE

log = structlog.get_logger()
Load = Callable[[Engine | None], Engine]
"""Loads what the release names now, sharing encoders with the engine that is given."""


class LiveEngine:
    """Lends the current engine to requests, and replaces it when asked.

    A request keeps the engine that it began with. One that was replaced is closed when its last request has ended.
    """

    def __init__(self, engine: Engine, load: Load, bundles: Path) -> None:
        self._load = load
        self._file = bundles / RELEASE_FILE
        self._current = engine
        self._open = [engine]
        self._leases: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._seen = self._stamp()

    @classmethod
    def start(cls, load: Load, bundles: Path) -> "LiveEngine":
        """Load the first engine; raises BundleError."""
        return cls(load(None), load, bundles)

    @contextmanager
    def lease(self) -> Iterator[Engine]:
        """The current engine; it stays open until it is given back."""
        with self._lock:
            engine = self._current
            self._leases[id(engine)] += 1
        try:
            yield engine
        finally:
            with self._lock:
                self._leases[id(engine)] -= 1
            self._close_unused()

    @property
    def changed(self) -> bool:
        """Whether the release was replaced since the last reload, successful or not."""
        return self._stamp() != self._seen

    def reload(self) -> None:
        """Load what the release names now and let it answer from here on.

        Raises BundleError when it cannot be loaded or does not give its own test answers, and Overloaded, with
        `changed` as before, when a shared encoder has no time to check them; then the old engine goes on.
        """
        with self._loading:
            seen, self._seen = self._seen, self._stamp()
            try:
                engine = self._load(self._current)
            except Overloaded:
                self._seen = seen
                raise
            except BundleError:
                raise
            except Exception as error:
                raise BundleError(f"模型包无法加载 · cannot be loaded: {type(error).__name__}: {error}") from error
            with self._lock:
                self._current = engine
                self._open.append(engine)
            log.info("models reloaded", **{task: head.bundle.version for task, head in engine.heads.items()})
            self._close_unused()

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._loading, self._lock:  # what a reload under way opens is closed as well
            engines, self._open = self._open, []
        for engine in engines:
            engine.close()

    def _close_unused(self) -> None:
        with self._lock:
            unused = [engine for engine in self._open if engine is not self._current and not self._leases[id(engine)]]
            self._open = [engine for engine in self._open if engine not in unused]
            kept = [batcher for engine in self._open for batcher in engine.batchers.values()]
        for engine in unused:
            del self._leases[id(engine)]
            # Joining the encoder's thread may take a moment; the event loop does not wait for it.
            threading.Thread(target=engine.close, args=(kept,), name="close-engine", daemon=True).start()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns


def keep_engine(_: Engine | None) -> Engine:
    """A `Load` for an engine that was made elsewhere: it cannot be replaced."""
    raise BundleError("引擎由调用方提供,不能重载 · the engine was given by the caller and cannot be reloaded")
