"""Dynamic batching: an encoder computes a batch in each of its streams at a time, for all requests that wait.

Nothing waits for a batch to fill. `waiting.py` says what is computed next. Requests that were cancelled are dropped.
An encoder that computes beside (`Encoder.computes_beside`) is given the next batch by whoever asks for one, or is told
that one has ended: no thread of Python's waits for it. Any other is run by threads of the batcher's. A caller that
would wait for nobody but them computes itself. While full batches wait, a few more than there are streams, if several,
are begun, so that these go on without waiting for the interpreter.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from weakref import ReferenceType, ref

import numpy as np

from nlp_service.errors import Overloaded
from nlp_service.inference.encoder import Encoder, Side, Vectors, merge
from nlp_service.inference.observer import Observer, SilentObserver
from nlp_service.inference.recent import RecentVectors
from nlp_service.inference.waiting import Job, Lane, Request, Taken, Waiting
from nlp_service.inference.windows import Window
from nlp_service.patience import Patience

INTERACTIVE_TEXTS = 4
"""Requests of more texts are batch work."""
AHEAD = 2
"""Full batches that are begun before one of several streams is free; a single one shares its core with all else."""
SECONDS_PER_TOKEN = 1 / 4000
"""Assumed until the first batches were computed."""


@dataclass(frozen=True)
class Limits:
    """How long requests may wait, in seconds, and how many vectors are remembered."""

    interactive: float = 2.0
    batch: float = 30.0
    standing: float = 0.25
    """As `interactive`, in an overload that lasts (`patience.py`). Batch work comes from those who wait for its end."""
    recent: int = 4096

    def patience(self) -> dict[Lane, Patience]:
        """That of each lane."""
        return {"interactive": Patience(self.interactive, self.standing), "batch": Patience(self.batch)}

    @property
    def all_interactive(self) -> "Limits":
        """For an encoder whose requests of many texts somebody waits for as well."""
        return replace(self, batch=self.interactive)


@dataclass(frozen=True)
class Pending:
    """Texts that are being encoded: mean token states, shape (texts, dimension), later; and their tokens."""

    vectors: Future[Vectors]
    tokens: int


class Batcher:
    """Encodes texts for many callers at once. Close it when done.

    What waits for a result must not be called in an event loop that tells of it (`told_in`).
    """

    def __init__(self, encoder: Encoder, *, limits: Limits | None = None, observer: Observer | None = None) -> None:
        self.encoder = encoder
        limits = limits or Limits()
        self._patience = limits.patience()
        self._observer: Observer = observer or SilentObserver()
        self._waiting = Waiting(encoder.packing)
        self._recent = RecentVectors(limits.recent)
        self._seconds_per_token = SECONDS_PER_TOKEN  # a running mean
        self._closed = False
        self._begun = 0  # batches that have not ended
        self._ending = 0  # those that have, and whose callers are being answered
        self._broken = False  # some could not be answered
        self._ended = 0.0  # when the last one did
        self._condition = threading.Condition()
        self._ahead = AHEAD if encoder.streams > 1 else 0
        name, count = f"encoder-{encoder.bundle.name}", 0 if encoder.computes_beside else encoder.streams + self._ahead
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for _ in range(count)]
        self._observer.streams(encoder.streams)
        for thread in self._threads:
            thread.start()

    def check_room(self, texts: int) -> None:
        """Raise Overloaded when a request of so many texts would wait too long; costs microseconds."""
        lane = _lane_of(texts)
        if self._closed:
            raise Overloaded("服务正在停止 · the service is stopping", retry_after=5, reason="stopping")
        seconds = self._waiting.tokens_before(lane) * self._seconds_per_token
        self._patience[lane].check(seconds, time.perf_counter(), empty=self._waiting.empty(lane))

    def windows(self, texts: Sequence[str], side: Side = "query") -> list[Window]:
        """The token windows of texts, for `submit_windows`."""
        started = time.perf_counter()
        windows = self.encoder.windows(texts, side)
        self._observer.tokenised(time.perf_counter() - started)
        return windows

    def submit(self, texts: Sequence[str], side: Side = "query") -> Pending:
        """Begin to encode texts, one or more; raises Overloaded when they would wait too long."""
        self.check_room(len(texts))
        return self.submit_windows(self.windows(texts, side), len(texts))

    def submit_windows(self, windows: Sequence[Window], texts: int) -> Pending:
        """As `submit`, with the windows of so many texts; those of another encoder with the same tokenizer will do."""
        _prepare(windows)
        with self._condition:
            request, known = self._admit(windows, texts)
        self._go_on()
        self._recall(request, known)
        return Pending(request.future, sum(len(window.ids) for window in windows))

    def encode_windows(self, windows: Sequence[Window], texts: int) -> Vectors:
        """As `submit_windows`, and wait for the result.

        While the encoder has nothing else to do, this thread computes the first batch itself: handing it over and back
        costs as much as a short text's pass.
        """
        taken = None
        _prepare(windows)
        with self._condition:
            idle = self.idle
            request, known = self._admit(windows, texts)
            if idle and request.lacking:
                taken = self._take(time.perf_counter())
        self._go_on()
        self._recall(request, known)
        if taken is not None:
            self._compute(taken, taken.at)
        return request.future.result()

    def encode(self, texts: Sequence[str], side: Side = "query") -> Vectors:
        """As `submit`, and wait for the result."""
        return self.submit(texts, side).vectors.result()

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._condition:
            before, self._closed = self._closed, True
            self._condition.notify_all()
            while not self._threads and not (self.idle and not self._ending):
                self._condition.wait()
            self._condition.notify()  # somebody else who closes it
        for thread in self._threads:
            thread.join()
        if not before:
            self._observer.streams(-self.encoder.streams)

    @property
    def waiting(self) -> int:
        """Windows that wait now."""
        return self._waiting.windows

    @property
    def idle(self) -> bool:
        """Whether nothing is computed and nothing waits."""
        return not self._begun and not self._waiting

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        return not self._closed and not self._broken and all(thread.is_alive() for thread in self._threads)

    def _admit(self, windows: Sequence[Window], texts: int) -> tuple[Request, int]:
        """Let a request wait, unless it would for too long; and how many of its vectors were known."""
        arrived, lane = time.perf_counter(), _lane_of(texts)
        patience = self._patience[lane]
        self.check_room(texts)
        patience.comes(arrived, first=self._waiting.empty(lane))
        pooled = np.empty((len(windows), self.encoder.bundle.dimension), dtype=np.float32)
        request = Request(windows, texts, lane, arrived, arrived + patience.longest, pooled, copy_context())
        request.future.add_done_callback(partial(self._drop_cancelled, ref(request)))
        known = self._recent.of(windows)
        self._waiting.add(request, known)
        self._observer.queued(self._waiting.windows_by_lane)
        return request, len(known)

    def _recall(self, request: Request, known: int) -> None:
        """Answer a request whose vectors are all known; if they are known or computed already, it waits for no turn."""
        if known:
            self._observer.recalled(known)
        if request.begun == request.arrived:
            self._observer.waited(0.0, request.lane)
        if known == len(request.windows):
            self._finish(request)

    def _go_on(self) -> None:
        """Begin the next batches, or have a thread do it, if that may be."""
        if self._threads:
            with self._condition:
                if self._waiting:
                    self._condition.notify()
            return
        while self._waiting:
            with self._condition:
                if not (self._waiting and self._may_begin):
                    return
                taken = self._take(time.perf_counter())
            self._begin(taken)

    def _begin(self, taken: Taken) -> None:
        """Have a batch computed beside; one that cannot be has ended."""
        try:
            self._tell(taken)
            if taken.jobs:
                self.encoder.begin([job.window for job in taken.jobs], partial(self._end, taken))
                return
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the callers that wait
            self._give(taken.jobs, error, taken.at, taken.at, time.perf_counter())
        self._free()

    def _end(self, taken: Taken, result: Vectors | Exception) -> None:
        """The next batch begins before those are answered that waited for this one."""
        ended = time.perf_counter()
        with self._condition:
            self._ending += 1
        try:
            self._free()
            self._go_on()
            self._give(taken.jobs, result, taken.at, taken.at, ended)
        except BaseException:
            self._broken = True
            raise
        finally:
            with self._condition:
                self._ending -= 1
                self._condition.notify()

    def _serve(self) -> None:
        finished: float | None = None  # of this thread's batch before, while there is one after the other
        while True:
            with self._condition:
                while not (self._may_begin if self._waiting else self._closed):
                    self._condition.wait()
                    finished = None
                if not self._waiting:
                    self._condition.notify()  # the next one, which may have slept when all were told of the closing
                    return
                taken = self._take(time.perf_counter())
            self._compute(taken, finished or taken.at)
            del taken  # or what was answered last would be kept for as long as nothing is asked
            finished = time.perf_counter()

    @property
    def _may_begin(self) -> bool:
        return self._begun < self.encoder.streams + (self._ahead if self._waiting.full else 0)

    def _take(self, now: float) -> Taken:
        taken = self._waiting.take(now)
        self._begun += 1
        if self._waiting and self._may_begin:  # a request may bring several batches
            self._condition.notify()
        self._observer.queued(self._waiting.windows_by_lane)
        return taken

    def _free(self) -> None:
        """A batch has ended: another may begin, and a batcher that is closing may be done."""
        with self._condition:
            self._begun -= 1
            self._condition.notify()

    def _compute(self, taken: Taken, since: float) -> None:
        """Compute a batch in this thread; who waits has waited for it `since`, which may be before it could begin."""
        result: Vectors | Exception
        try:
            self._tell(taken)
            if taken.jobs:
                started = time.perf_counter()
                try:
                    result = self.encoder.run([job.window for job in taken.jobs])
                except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the callers that wait
                    result = error
                self._give(taken.jobs, result, started, since, time.perf_counter())
        finally:
            self._free()
            if not self._threads:
                self._go_on()

    def _tell(self, taken: Taken) -> None:
        """Tell of those whose turn has come, and answer those whose time has passed."""
        for request in taken.begun:
            request.context.run(self._observer.waited, taken.at - request.arrived, request.lane)
        for request in taken.expired:
            longest = self._patience[request.lane].longest
            _fail(request, Overloaded.queue_full(taken.at - request.arrived, longest))

    def _give(self, jobs: list[Job], result: Vectors | Exception, started: float, since: float, ended: float) -> None:
        """Answer those whose vectors are complete now, or who lack what failed."""
        if isinstance(result, Exception):
            self._observer.failed(len(jobs))
            with self._condition:
                failed = [request for job in jobs for request in self._waiting.failed(job)]
            for request in dict.fromkeys(failed):
                _fail(request, result)
            return
        self._observer.batch(len(jobs), sum(len(job.window.ids) for job in jobs), ended - started)
        tokens = sum(self.encoder.packing.size(len(job.window.ids)) for job in jobs)
        with self._condition:
            passed = max(0.0, ended - max(since, self._ended))  # since any stream gave something
            self._seconds_per_token += 0.1 * (passed / tokens - self._seconds_per_token)
            self._ended = max(ended, self._ended)
            complete: list[Request] = []
            for job, vector in zip(jobs, result, strict=True):
                self._recent.keep(job.window.key, vector)
                complete += self._waiting.done(job, vector)
        for request in complete:
            self._finish(request)

    def _finish(self, request: Request) -> None:
        """Answer whoever waits; nobody does when the future was cancelled."""
        request.context.run(self._observer.encoded, time.perf_counter() - request.begun)
        try:
            vectors = merge(request.windows, request.pooled, request.texts)
        except MemoryError as error:
            _fail(request, error)
            return
        with suppress(InvalidStateError):
            request.future.set_result(vectors)

    def _drop_cancelled(self, of: "ReferenceType[Request]", future: Future[Vectors]) -> None:
        """Drop the request of a future; one that holds its request is left to the garbage collector, in bursts."""
        request = of()
        if request is None or not future.cancelled():
            return
        with self._condition:
            self._waiting.drop(request)
            self._observer.queued(self._waiting.windows_by_lane)
            self._condition.notify()  # who closes it, if nothing is left


def _prepare(windows: Sequence[Window]) -> None:
    """Make the keys, which takes milliseconds for thousands, before anybody has to wait for the batcher."""
    for window in windows:
        _ = window.key


def _lane_of(texts: int) -> Lane:
    return "interactive" if texts <= INTERACTIVE_TEXTS else "batch"


def _fail(request: Request, error: Exception) -> None:
    with suppress(InvalidStateError):
        request.future.set_exception(error)
