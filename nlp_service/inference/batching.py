"""Dynamic batching: one thread owns an encoder and serves all requests that wait, in turn.

Every batch takes windows from the waiting requests one by one in rotation, so a request of 256 long texts does not hold
up a single short one. Nothing waits for a batch to fill. Requests that were cancelled are dropped.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nlp_service.errors import Overloaded
from nlp_service.inference.encoder import BATCH_TOKENS, Encoder, Side, Vectors, merge, padded_length
from nlp_service.inference.windows import Window


class Observer(Protocol):
    """Is told what the batcher does; all times in seconds.

    What concerns one request is told in the context (`contextvars`) in which it was submitted, in any thread.
    """

    def queued(self, windows: int) -> None:
        """`windows` wait now."""
        ...

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """A batch was computed; `tokens` without padding."""
        ...

    def failed(self, windows: int) -> None:
        """A batch was not computed: the runtime raised an error, which its requests get."""
        ...

    def tokenised(self, seconds: float) -> None:
        """The texts of a request were cut into windows, just now."""
        ...

    def waited(self, seconds: float) -> None:
        """A request waited this long until its first batch, which begins now."""
        ...

    def encoded(self, seconds: float) -> None:
        """A request has all its vectors now, so long after its first batch began."""
        ...


class SilentObserver:
    """Ignores everything."""

    def queued(self, windows: int) -> None:
        """Ignore."""

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """Ignore."""

    def failed(self, windows: int) -> None:
        """Ignore."""

    def tokenised(self, seconds: float) -> None:
        """Ignore."""

    def waited(self, seconds: float) -> None:
        """Ignore."""

    def encoded(self, seconds: float) -> None:
        """Ignore."""


@dataclass(frozen=True)
class Pending:
    """Texts that are being encoded: mean token states, shape (texts, dimension), later; and their tokens."""

    vectors: Future[Vectors]
    tokens: int


@dataclass
class _Request:
    windows: list[Window]
    texts: int
    future: Future[Vectors]
    arrived: float
    order: list[int]
    pooled: Vectors
    context: Context
    begun: float = 0.0
    next: int = 0
    open: int = field(init=False)

    def __post_init__(self) -> None:
        self.open = len(self.windows)


class Batcher:
    """Encodes texts for many callers at once. Close it when done."""

    def __init__(self, encoder: Encoder, *, max_waiting: int = 8192, observer: Observer | None = None) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self._observer: Observer = observer or SilentObserver()
        self._requests: deque[_Request] = deque()
        self._waiting = 0
        self._seconds_per_window = 0.01  # a running mean, for Retry-After
        self._closed = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name=f"encoder-{encoder.bundle.name}", daemon=True)
        self._thread.start()

    def submit(self, texts: Sequence[str], side: Side = "query") -> Pending:
        """Begin to encode texts, one or more; raises Overloaded when too much waits."""
        started = time.perf_counter()
        windows = self.encoder.windows(texts, side)
        arrived = time.perf_counter()
        self._observer.tokenised(arrived - started)
        order = sorted(range(len(windows)), key=lambda index: len(windows[index].ids))
        pooled = np.empty((len(windows), self.encoder.bundle.dimension), dtype=np.float32)
        request = _Request(windows, len(texts), Future(), arrived, order, pooled, copy_context())
        with self._condition:
            if self._closed:
                raise Overloaded("服务正在停止 · the service is stopping", retry_after=5, reason="stopping")
            if self._waiting + len(windows) > self._max_waiting and self._waiting:
                raise Overloaded(
                    f"排队已满({self._waiting} 段) · queue is full ({self._waiting} windows waiting)",
                    retry_after=max(1, round(self._waiting * self._seconds_per_window)),
                )
            self._requests.append(request)
            self._count(len(windows))
            self._condition.notify()
        return Pending(request.future, sum(len(window.ids) for window in windows))

    def encode(self, texts: Sequence[str], side: Side = "query") -> Vectors:
        """As `submit`, and wait for the result."""
        return self.submit(texts, side).vectors.result()

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._condition:
                while not self._requests and not self._closed:
                    self._condition.wait()
                if not self._requests:
                    return
                picked = self._pick()
            if picked:
                self._run(picked)

    def _pick(self) -> list[tuple[_Request, int]]:
        """Windows of the next batch, one from each request in turn, up to the token budget of their padded size."""
        picked: list[tuple[_Request, int]] = []
        width = 0
        while self._requests:
            request = self._requests.popleft()
            if request.future.done():  # cancelled, or another of its batches failed
                self._count(-(len(request.windows) - request.next))
                continue
            index = request.order[request.next]
            widened = max(width, padded_length(len(request.windows[index].ids)))
            if picked and (len(picked) + 1) * widened > BATCH_TOKENS:
                self._requests.appendleft(request)
                break
            if request.next == 0:
                request.begun = time.perf_counter()
                request.context.run(self._observer.waited, request.begun - request.arrived)
            width = widened
            picked.append((request, index))
            request.next += 1
            self._count(-1)
            if request.next < len(request.windows):
                self._requests.append(request)
        return picked

    def _run(self, picked: list[tuple[_Request, int]]) -> None:
        started = time.perf_counter()
        try:
            pooled = self.encoder.run([request.windows[index] for request, index in picked])
            seconds = time.perf_counter() - started
            self._seconds_per_window += 0.1 * (seconds / len(picked) - self._seconds_per_window)
            tokens = sum(len(request.windows[index].ids) for request, index in picked)
            self._observer.batch(len(picked), tokens, seconds)
            for (request, index), vector in zip(picked, pooled, strict=True):
                request.pooled[index] = vector
                request.open -= 1
                if request.open == 0:
                    request.context.run(self._observer.encoded, time.perf_counter() - request.begun)
                    _finish(request.future, merge(request.windows, request.pooled, request.texts))
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the callers that wait
            self._observer.failed(len(picked))
            for request, _ in picked:
                _finish(request.future, error)

    @property
    def alive(self) -> bool:
        """Whether the encoder's thread runs."""
        return self._thread.is_alive()

    def _count(self, change: int) -> None:
        self._waiting += change
        self._observer.queued(self._waiting)


def _finish(future: Future[Vectors], outcome: Vectors | Exception) -> None:
    """Answer whoever waits; nobody does when the future was cancelled or failed before."""
    with suppress(InvalidStateError):
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
