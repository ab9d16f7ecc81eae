"""Opens encoders beside one another: most of what it takes is compiled code, which lets other threads run."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol

from nlp_service.inference.allocator import give_back_freed
from nlp_service.inference.batching import Batcher, Limits
from nlp_service.inference.bundle import QUERY, WHOLE, GraphFiles
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.observer import Observer

AT_ONCE = 2
"""Encoders that are opened at a time."""
MOST_STREAMS = 4
"""Each takes memory."""
QUERIES = "queries"


class Observe(Protocol):
    """Makes the observer of an encoder."""

    def __call__(self, encoder: str) -> Observer:
        """The observer of the encoder of this name."""
        ...


class Opening:
    """The encoders of an engine that is being loaded, by keys of the caller's. Those that serve already are shared.

    A context: when it is left by an exception, what was opened is closed.
    """

    def __init__(self, known: Mapping[str, Batcher], *, threads: int, observe: Observe | None) -> None:
        """Beside encoders that serve, others are opened one after the other: requests need the processors."""
        self._known = known
        self._threads = threads
        self._observe = observe
        self._pool = ThreadPoolExecutor(1 if known else AT_ONCE, "open-encoder")
        self._begun: dict[str, Future[Batcher]] = {}

    def begin(
        self, key: str, folder: Path, limits: Limits | None, files: GraphFiles = WHOLE, *, busy: bool = False
    ) -> None:
        """Begin to open an encoder, unless that was done; a `busy` one has several streams.

        That of queries has one thread, which is sooner done with a short text than several.
        """
        if key not in self._known and key not in self._begun:
            threads = 1 if files is QUERY else self._threads
            streams = streams_of(threads) if busy else 1
            self._begun[key] = self._pool.submit(self._open, folder, limits, files, threads, streams)

    def opened(self, key: str) -> Batcher:
        """The encoder, once it is there; raises what kept it from being opened, BundleError for one."""
        return self._known.get(key) or self._begun[key].result()

    def __enter__(self) -> "Opening":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is not None:
            for begun in self._begun.values():
                if not begun.cancelled() and begun.exception() is None:
                    begun.result().close()
        if self._begun:
            give_back_freed()

    def _open(self, folder: Path, limits: Limits | None, files: GraphFiles, threads: int, streams: int) -> Batcher:
        encoder = Encoder.load(folder, threads=threads, files=files, streams=streams)
        name = f"{encoder.bundle.name}-{QUERIES}" if files is QUERY else encoder.bundle.name
        return Batcher(encoder, limits=limits, observer=self._observe(name) if self._observe else None)


def streams_of(threads: int) -> int:
    """The most streams that divide the threads among them evenly: what would be left over would compute nothing."""
    return max(streams for streams in range(1, MOST_STREAMS + 1) if max(threads, 1) % streams == 0)
