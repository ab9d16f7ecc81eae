"""Batches that an encoder computes side by side."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress

import numpy as np
import pytest

from nlp_service.errors import Overloaded
from nlp_service.inference.batching import AHEAD, Batcher, Limits
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.engine import Engine
from nlp_service.inference.opening import streams_of
from tests.gate import WAYS, Gate
from tests.inference.kernel.compiled import compiled

STREAMS = 2
LONG = "登录失败，请稍后再试。" * 30
"""As many tokens as a window has."""


@pytest.fixture(params=WAYS)
def beside(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def gate(engine: Engine, beside: bool) -> Gate:
    return Gate(engine.search.encoder, streams=STREAMS, beside=beside)


@pytest.fixture
def batcher(gate: Gate) -> Iterator[Batcher]:
    made = Batcher(gate, limits=Limits(interactive=60, batch=600))
    yield made
    gate.go.set()
    made.close()


@pytest.fixture
def begun(gate: Gate) -> Callable[[], int]:
    """Counts the batches that are begun before nothing happens any more."""

    def count() -> int:
        found = 0
        while gate.entered.acquire(timeout=0.5):
            found += 1
        return found

    return count


def _texts_of(batches: int, batcher: Batcher) -> list[str]:
    """Long ones that fill so many batches."""
    windows = batches * batcher.encoder.packing.tokens // batcher.encoder.bundle.window_tokens
    return [f"{LONG}{number}" for number in range(windows)]


def _short_ones(batcher: Batcher) -> list[str]:
    """Of more than two batches."""
    return [f"导出第 {number} 页的时候又闪退了" for number in range(3 * batcher.encoder.packing.tokens // 8)]


def _ask(batcher: Batcher, texts: list[str]) -> list[Future[Vectors]]:
    return [batcher.submit([text]).vectors for text in texts]


def test_as_many_as_there_are_streams_are_begun(batcher: Batcher, begun: Callable[[], int]) -> None:
    _ask(batcher, _texts_of(STREAMS, batcher))
    assert begun() == STREAMS
    _ask(batcher, ["短一点的"])
    assert begun() == 0


def test_one_request_of_several_batches_has_all_streams(batcher: Batcher, begun: Callable[[], int]) -> None:
    batcher.submit(_texts_of(3 * STREAMS, batcher))
    assert begun() == STREAMS


@pytest.mark.parametrize(("threads", "streams"), [(0, 1), (1, 1), (2, 2), (4, 4), (5, 1), (6, 3), (7, 1), (16, 4)])
def test_streams_leave_no_thread_over(threads: int, streams: int) -> None:
    assert streams_of(threads) == streams


def test_closing_ends_when_a_caller_computes_and_what_waits_is_cancelled(engine: Engine, beside: bool) -> None:
    gate = Gate(engine.search.encoder, beside=beside)
    batcher = Batcher(gate)
    with ThreadPoolExecutor(2) as pool:
        computed = pool.submit(batcher.encode_windows, batcher.windows(["这一个"]), 1)
        assert gate.entered.acquire(timeout=60)
        waits = batcher.submit(["还在排队"]).vectors
        closes = pool.submit(batcher.close)
        while not batcher._closed:
            time.sleep(0.001)
        time.sleep(0.1)  # for the threads to look, and to sleep again
        waits.cancel()
        gate.go.set()
        computed.result(60)
        with suppress(TimeoutError):
            closes.result(20)
        ended = closes.done()
        with batcher._condition:  # or a failure would wait for ever
            batcher._condition.notify_all()
    assert ended


def test_more_are_begun_while_full_ones_wait(batcher: Batcher, gate: Gate, begun: Callable[[], int]) -> None:
    _ask(batcher, _texts_of(STREAMS, batcher))
    assert begun() == STREAMS
    asked = _ask(batcher, _short_ones(batcher))
    assert batcher._waiting.full
    assert begun() == AHEAD
    gate.go.set()
    assert all(future.result(60).shape == (1, gate.bundle.dimension) for future in asked)


def test_a_single_stream_begins_nothing_ahead(engine: Engine, beside: bool) -> None:
    gate = Gate(engine.search.encoder, beside=beside)
    with closing(Batcher(gate, limits=Limits(interactive=60, batch=600))) as batcher:
        _ask(batcher, _short_ones(batcher))
        full, first = batcher._waiting.full, gate.entered.acquire(timeout=60)
        second = gate.entered.acquire(timeout=0.5)
        gate.go.set()
    assert (full, first, second) == (True, True, False)


def test_batch_work_alone_is_not_begun_ahead(batcher: Batcher, begun: Callable[[], int]) -> None:
    for number in range(2 * STREAMS):
        batcher.submit([f"{LONG}{number}{row}" for row in range(40)])
    assert begun() == STREAMS


def test_windows_of_one_request_are_put_together(batcher: Batcher, gate: Gate) -> None:
    gate.go.set()
    texts = [f"{LONG[: 40 * (number % 9) + 5]}{number}" for number in range(60)]
    expected = gate.encode(texts)
    found = batcher.encode(texts)
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999


def test_closing_finishes_what_waits(gate: Gate) -> None:
    batcher = Batcher(gate)
    asked = _ask(batcher, [f"{LONG}{number}" for number in range(5)])
    gate.go.set()
    batcher.close()
    assert all(future.result(0).shape == (1, gate.bundle.dimension) for future in asked)
    assert not batcher.alive
    with pytest.raises(Overloaded):
        batcher.submit(["太晚了"])


def test_a_batch_that_fails_leaves_its_stream_free(batcher: Batcher, gate: Gate) -> None:
    gate.failure = RuntimeError("the graph failed")
    gate.go.set()
    for future in _ask(batcher, [f"{LONG}{number}" for number in range(2 * STREAMS)]):
        with pytest.raises(RuntimeError, match="the graph failed"):
            future.result(60)
    gate.failure = None
    assert all(future.result(60).shape for future in _ask(batcher, [f"{LONG}again {n}" for n in range(2 * STREAMS)]))


@compiled
class TestComputedBeside:
    """What only an encoder does that batches are handed to."""

    @pytest.fixture
    def beside(self) -> bool:
        return True

    def test_what_cannot_begin_fails_and_is_all_answered(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise MemoryError

        with closing(Batcher(gate, limits=Limits(interactive=6000))) as batcher:
            asked = _ask(batcher, _texts_of(sys.getrecursionlimit() // 2, batcher))
            monkeypatch.setattr(gate, "begin", fails)
            gate.go.set()
            assert {type(future.exception(60)) for future in asked[-100:]} == {MemoryError}
            monkeypatch.undo()
            assert len(batcher.encode(["之后的请求"])) == 1
            assert batcher.alive

    def test_one_that_could_not_answer_is_not_alive(
        self, gate: Gate, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError("nobody can be answered")

        monkeypatch.setattr(batcher, "_finish", fails)
        asked = batcher.submit(["没有回答"])
        gate.go.set()
        give_up = time.monotonic() + 60
        while batcher.alive and time.monotonic() < give_up:
            time.sleep(0.01)
        assert not batcher.alive
        assert not asked.vectors.done()

    def test_closing_ends_when_the_last_that_waits_is_cancelled_between_two_batches(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batcher = Batcher(gate)
        freed, go_on = threading.Event(), threading.Event()
        begins = batcher._go_on

        def pauses() -> None:
            if threading.current_thread().name.startswith("caller"):
                freed.set()
                assert go_on.wait(60)
            begins()

        with ThreadPoolExecutor(1, "caller") as callers, ThreadPoolExecutor(2) as pool:
            first = callers.submit(batcher.encode_windows, batcher.windows(["正在计算"]), 1)
            assert gate.entered.acquire(timeout=60)
            monkeypatch.setattr(gate, "streams", 1)
            second = batcher.submit(["还在排队"]).vectors
            closers = [pool.submit(batcher.close) for _ in range(2)]
            while not batcher._closed:
                time.sleep(0.001)
            monkeypatch.setattr(batcher, "_go_on", pauses)
            gate.go.set()
            assert freed.wait(60)
            time.sleep(0.1)  # for those that close to look, and to sleep again
            second.cancel()
            go_on.set()
            assert len(first.result(60)) == 1
            _, not_closed = wait(closers, 20)
            with batcher._condition:  # or a failure would wait for ever
                batcher._condition.notify_all()
        assert not not_closed
