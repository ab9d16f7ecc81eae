"""The batcher: many callers, one encoder, and nobody waits in vain."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import numpy as np
import pytest

from nlp_service.errors import Overloaded
from nlp_service.inference.batching import Batcher, Limits
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.engine import Engine
from tests.gate import WAYS, Gate

TEXTS = [
    "又闪退了😡",
    "能不能支持深色模式",
    "ＡＢＣ 報錯 0x80070005",
    "invoice is wrong",
    "登录失败，请稍后再试。" * 200,
]


@pytest.fixture(params=WAYS)
def gate(engine: Engine, request: pytest.FixtureRequest) -> Gate:
    return Gate(engine.search.encoder, beside=request.param)


@pytest.fixture
def batcher(gate: Gate) -> Iterator[Batcher]:
    made = Batcher(gate, limits=Limits(interactive=60, batch=600, recent=8))
    yield made
    gate.go.set()
    made.close()


@pytest.fixture
def narrow(gate: Gate) -> Iterator[Batcher]:
    """One that accepts only what waits for half a second."""
    made = Batcher(gate, limits=Limits(interactive=0.5, batch=5.0))
    yield made
    gate.go.set()
    made.close()


def _occupy(batcher: Batcher, gate: Gate) -> Future[Vectors]:
    """A request that is being computed until the gate opens."""
    first = batcher.submit(["第一个请求"]).vectors
    assert gate.begun.wait(60)
    return first


def _fill(batcher: Batcher) -> list[Future[Vectors]]:
    """Requests of one text until no more are accepted."""
    accepted = []
    for number in range(100_000):
        try:
            accepted.append(batcher.submit([f"排队的请求 {number}"]).vectors)
        except Overloaded:
            return accepted
    raise AssertionError("the queue has no bound")


class TestAnswers:
    def test_vectors_are_those_of_the_encoder(self, batcher: Batcher, gate: Gate, engine: Engine) -> None:
        gate.go.set()
        expected = engine.search.encoder.encode(TEXTS)
        found = batcher.encode(TEXTS)
        cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
        assert cosines.min() > 0.999

    def test_many_callers_at_once_get_their_own(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda number: batcher.encode([TEXTS[number % 5]])[0], range(80)))
        alone = batcher.encode(TEXTS)
        errors = [np.abs(vector - alone[number % 5]).max() for number, vector in enumerate(found)]
        assert max(errors) < 0.05 * np.abs(alone).max()

    def test_a_failure_reaches_those_that_wait_and_nobody_else(self, batcher: Batcher, gate: Gate) -> None:
        gate.failure = RuntimeError("the graph failed")
        first = _occupy(batcher, gate)
        gate.go.set()
        with pytest.raises(RuntimeError, match="the graph failed"):
            first.result(60)
        gate.failure = None
        assert len(batcher.encode(["之后的请求"])) == 1


class TestCallersThatWait:
    def test_one_computes_itself_while_nobody_else_does(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        alone = batcher.encode_windows(batcher.windows(["没有别人"]), 1)
        assert gate.threads == [threading.current_thread().name]
        assert np.allclose(alone, gate.encode(["没有别人"]), atol=0.02 * np.abs(alone).max())

    def test_of_many_windows_the_encoder_computes_the_rest(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        texts = [f"{TEXTS[4]}{number}" for number in range(4)]
        assert len(batcher.encode_windows(batcher.windows(texts), len(texts))) == len(texts)
        own = threading.current_thread().name
        assert gate.threads[0] == own
        assert own not in gate.threads[1:]
        assert len(gate.threads) > 1

    def test_one_waits_while_somebody_else_computes(self, batcher: Batcher, gate: Gate) -> None:
        _occupy(batcher, gate)
        windows = batcher.windows(["还有别人"])
        with ThreadPoolExecutor(1, thread_name_prefix="caller") as pool:
            second = pool.submit(batcher.encode_windows, windows, 1)
            while not batcher.waiting:
                time.sleep(0.001)
            gate.go.set()
            assert second.result(60).shape == (1, gate.bundle.dimension)
        assert not any(name.startswith("caller") for name in gate.threads)

    def test_others_wait_for_one_that_computes_itself(self, batcher: Batcher, gate: Gate) -> None:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(batcher.encode_windows, batcher.windows(["正在计算"]), 1)
            assert gate.begun.wait(60)
            assert not batcher.idle
            second = batcher.submit(["之后的请求"]).vectors
            assert not gate.batches
            gate.go.set()
            assert len(first.result(60)) == len(second.result(60)) == 1
        assert batcher.encode(["再之后的请求"]).shape == (1, gate.bundle.dimension)

    def test_a_failure_of_ones_own_computing_is_raised_and_leaves_the_encoder_free(
        self, batcher: Batcher, gate: Gate
    ) -> None:
        gate.go.set()
        gate.failure = RuntimeError("the graph failed")
        with pytest.raises(RuntimeError, match="the graph failed"):
            batcher.encode_windows(batcher.windows(["失败"]), 1)
        gate.failure = None
        assert batcher.idle
        assert len(batcher.encode(["之后的请求"])) == 1

    def test_what_is_remembered_is_not_computed_again(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        first = batcher.encode_windows(batcher.windows(["同一条反馈"]), 1)
        assert np.array_equal(batcher.encode_windows(batcher.windows(["同一条反馈"]), 1), first)
        assert len(gate.batches) == 1

    def test_closing_waits_for_one_that_computes_itself(self, gate: Gate) -> None:
        closing = Batcher(gate)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(closing.encode_windows, closing.windows(["正在计算"]), 1)
            assert gate.begun.wait(60)
            closed = pool.submit(closing.close)
            gate.go.set()
            assert len(first.result(60)) == 1
            closed.result(60)


class TestEqualTexts:
    def test_in_flight_they_share_one_computation(self, batcher: Batcher, gate: Gate) -> None:
        _occupy(batcher, gate)
        waiting = [batcher.submit(["同一条反馈"]).vectors for _ in range(20)]
        gate.go.set()
        vectors = [future.result(60)[0] for future in waiting]
        assert sum(map(len, gate.batches)) == 2
        assert all(np.array_equal(vector, vectors[0]) for vector in vectors)

    def test_what_was_computed_lately_is_not_computed_again(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        first = batcher.encode(["同一条反馈"])
        again = batcher.encode(["同一条反馈"])
        assert sum(map(len, gate.batches)) == 1
        assert np.array_equal(first, again)

    def test_only_so_many_are_remembered(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        batcher.encode(["最早的反馈"])
        batcher.encode([f"第 {number} 条反馈" for number in range(8)])
        batcher.encode(["最早的反馈"])
        assert sum(map(len, gate.batches)) == 10

    def test_a_caller_that_changes_its_vectors_changes_nobody_elses(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        first = batcher.encode(["同一条反馈"])
        kept = first.copy()
        first[:] = 0
        assert np.array_equal(batcher.encode(["同一条反馈"]), kept)

    def test_a_query_is_not_a_passage(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        assert not np.array_equal(batcher.encode(["同一条"], "query"), batcher.encode(["同一条"], "passage"))


class TestOverload:
    def test_a_full_queue_refuses_and_says_when_to_come_back(self, narrow: Batcher, gate: Gate) -> None:
        _occupy(narrow, gate)
        _fill(narrow)
        with pytest.raises(Overloaded, match=r"0\.5 s may") as refused:
            narrow.submit(["再来一条"])
        assert refused.value.retry_after >= 1

    def test_a_refused_text_is_not_even_tokenised(self, narrow: Batcher, gate: Gate) -> None:
        _occupy(narrow, gate)
        _fill(narrow)
        before = gate.tokenised
        with pytest.raises(Overloaded):
            narrow.submit(["再来一条"])
        assert gate.tokenised == before

    def test_batch_work_may_wait_longer(self, narrow: Batcher, gate: Gate) -> None:
        _occupy(narrow, gate)
        _fill(narrow)
        narrow.submit([f"批量 {number}" for number in range(20)])

    def test_less_may_wait_when_the_queue_has_stood_for_long(self, gate: Gate) -> None:
        batcher = Batcher(gate, limits=Limits(interactive=0.5, standing=0.001))
        _occupy(batcher, gate)
        batcher.submit(["还有位置"])
        time.sleep(0.6)
        with pytest.raises(Overloaded) as refused:
            batcher.submit(["站着的队伍"])
        assert "0.001" in str(refused.value)
        gate.go.set()
        batcher.close()

    def test_a_queue_that_was_empty_takes_a_burst_again(self, gate: Gate) -> None:
        batcher = Batcher(gate, limits=Limits(interactive=0.5, standing=0.001))
        first = _occupy(batcher, gate)
        batcher.submit(["还有位置"])
        time.sleep(0.6)
        gate.go.set()
        first.result(60)
        for number in range(3):
            batcher.encode([f"队伍空了 {number}"])
        gate.go.clear()
        gate.begun.clear()
        batcher.submit(["又在计算"])
        assert gate.begun.wait(60)
        batcher.submit(["又可以多等一会儿"])
        batcher.submit(["排在它后面的也一样"])
        gate.go.set()
        batcher.close()

    def test_what_waits_too_long_is_given_up(self, gate: Gate) -> None:
        limit = 0.1
        batcher = Batcher(gate, limits=Limits(interactive=limit))
        batcher.submit([f"批量 {number}" for number in range(8)])
        assert gate.begun.wait(60)
        late = batcher.submit(["等不到了"]).vectors
        time.sleep(limit)  # what is computed now takes longer than was to be expected
        gate.go.set()
        with pytest.raises(Overloaded):
            late.result(60)
        batcher.close()

    def test_all_that_was_accepted_is_answered(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        accepted = [batcher.submit([f"请求 {number}"]).vectors for number in range(50)]
        assert all(len(future.result(60)) == 1 for future in accepted)


class TestCancelled:
    def test_nothing_is_computed_for_a_caller_that_left(self, batcher: Batcher, gate: Gate) -> None:
        _occupy(batcher, gate)
        left = batcher.submit(["调用方已离开"]).vectors
        stays = batcher.submit(["还在等"]).vectors
        left.cancel()
        gate.go.set()
        stays.result(60)
        assert sum(map(len, gate.batches)) == 2

    def test_it_makes_room(self, batcher: Batcher, gate: Gate) -> None:
        _occupy(batcher, gate)
        for accepted in _fill(batcher):
            accepted.cancel()
        batcher.submit(["有位置了"])

    def test_the_caller_sees_that_it_was_cancelled(self, batcher: Batcher, gate: Gate) -> None:
        _occupy(batcher, gate)
        left = batcher.submit(["调用方已离开"]).vectors
        left.cancel()
        with pytest.raises(CancelledError):
            left.result(0)


class TestClosing:
    def test_what_was_accepted_is_finished(self, batcher: Batcher, gate: Gate) -> None:
        first = _occupy(batcher, gate)
        second = batcher.submit(["停止前收到"]).vectors
        closing = threading.Thread(target=batcher.close)
        closing.start()
        gate.go.set()
        closing.join(60)
        assert len(first.result(0)) == len(second.result(0)) == 1

    def test_afterwards_nothing_is_accepted(self, batcher: Batcher, gate: Gate) -> None:
        gate.go.set()
        batcher.close()
        with pytest.raises(Overloaded, match="stopping"):
            batcher.submit(["太晚了"])


def test_what_was_answered_is_freed_without_the_garbage_collector(batcher: Batcher, gate: Gate) -> None:
    gate.go.set()
    gc.collect()
    gc.disable()
    try:
        pending = batcher.submit(["答完就忘"])
        pending.vectors.result()
        answered = weakref.ref(pending.vectors)
        del pending
        give_up = time.monotonic() + 10
        while answered() is not None and time.monotonic() < give_up:
            time.sleep(0.01)  # its thread has not let go of it yet
        assert answered() is None
    finally:
        gc.enable()
