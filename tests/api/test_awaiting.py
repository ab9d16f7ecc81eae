"""Waiting in the event loop for what a thread, or the loop itself, completes."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

import pytest

from nlp_service.api.awaiting import awaited
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.inference.kernel.completions import told_in
from tests.gate import Gate
from tests.inference.kernel.compiled import compiled

PATIENCE = 60
Completed = Callable[[Callable[[], object]], object]


def _in_a_thread(complete: Callable[[], object]) -> None:
    thread = threading.Thread(target=complete)
    thread.start()


def _in_the_loop(complete: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(complete)


def _before(complete: Callable[[], object]) -> None:
    complete()


@pytest.fixture(params=[_in_a_thread, _in_the_loop, _before])
def done(request: pytest.FixtureRequest) -> Completed:
    """Where the future is completed."""
    completed: Completed = request.param
    return completed


def test_a_result_is_given(done: Completed) -> None:
    async def ask() -> int:
        future: Future[int] = Future()
        done(lambda: future.set_result(7))
        return await asyncio.wait_for(awaited(future), PATIENCE)

    assert asyncio.run(ask()) == 7


def test_a_failure_is_raised(done: Completed) -> None:
    async def ask() -> int:
        future: Future[int] = Future()
        done(lambda: future.set_exception(LookupError("nothing")))
        return await asyncio.wait_for(awaited(future), PATIENCE)

    with pytest.raises(LookupError, match="nothing"):
        asyncio.run(ask())


def test_who_waits_for_what_is_cancelled_is_cancelled(done: Completed) -> None:
    async def ask() -> int:
        future: Future[int] = Future()
        done(future.cancel)
        return await asyncio.wait_for(awaited(future), PATIENCE)

    with pytest.raises((CancelledError, asyncio.CancelledError)):
        asyncio.run(ask())


def test_who_no_longer_waits_cancels_it() -> None:
    async def ask() -> bool:
        future: Future[int] = Future()
        task = asyncio.ensure_future(awaited(future))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        return future.cancelled()

    assert asyncio.run(ask())


def test_who_waits_is_told_in_the_turn_in_which_the_loop_completes_it() -> None:
    async def ask() -> bool:
        future: Future[int] = Future()
        own = awaited(future)
        future.set_result(1)
        return own.done()

    assert asyncio.run(ask())


def test_nobody_is_told_when_the_loop_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    future: Future[int] = Future()

    async def ask() -> None:
        awaited(future)

    asyncio.run(ask())
    future.set_result(1)  # which logs what its callbacks raise
    assert not caplog.records


def test_what_was_answered_is_freed_without_the_garbage_collector(done: Completed) -> None:
    async def ask() -> "weakref.ref[Future[int]]":
        future: Future[int] = Future()
        done(lambda: future.set_result(7))
        await awaited(future)
        return weakref.ref(future)

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert asyncio.run(ask())() is None
    finally:
        gc.enable()


@compiled
def test_an_encoder_that_computes_beside_answers_in_the_loop(engine: Engine) -> None:
    gate = Gate(engine.search.encoder, beside=True)
    batcher = Batcher(gate)

    async def ask() -> set[threading.Thread]:
        told = set()
        with told_in(asyncio.get_running_loop()):
            asked = [batcher.submit([f"第 {number} 次闪退"]).vectors for number in range(50)]
            for future in asked:
                future.add_done_callback(lambda _: told.add(threading.current_thread()))
            gate.go.set()
            assert all(len(vectors) == 1 for vectors in await asyncio.gather(*map(awaited, asked)))
            await asyncio.to_thread(batcher.close)
        return told

    assert asyncio.run(asyncio.wait_for(ask(), PATIENCE)) == {threading.main_thread()}
