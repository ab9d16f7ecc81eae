"""Who is told, and where, that a batch has ended."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.kernel import completions as module
from nlp_service.inference.kernel import session as session_module
from nlp_service.inference.kernel.completions import Completions, completions, told_in
from nlp_service.inference.kernel.session import KernelSession
from tests.inference.kernel.compiled import compiled
from tests.inference.kernel.small import LONGEST, VOCABULARY, SmallEncoder

pytestmark = compiled
PATIENCE = 60


class Told(NamedTuple):
    """What came of a batch, and the thread in which that was told."""

    vectors: NDArray[np.float32]
    thread: threading.Thread


@pytest.fixture(scope="module")
def small() -> SmallEncoder:
    return SmallEncoder(5)


@pytest.fixture(params=[1, 2, 5])
def session(small: SmallEncoder, request: pytest.FixtureRequest) -> KernelSession:
    return KernelSession(small.weights(), request.param)


def _rows(count: int, seed: int = 0) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(0, VOCABULARY, random.integers(1, LONGEST)).tolist() for _ in range(count)]


def _begin(session: KernelSession, rows: list[list[int]]) -> Future[Told]:
    ended: Future[Told] = Future()

    def tell(result: NDArray[np.float32] | Exception) -> None:
        assert not isinstance(result, Exception)
        ended.set_result(Told(result, threading.current_thread()))

    session.begin(rows, tell)
    return ended


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@contextmanager
def _listening(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Meanwhile the loop, which runs in a thread, tells."""
    listening = told_in(loop)

    async def enter() -> None:
        listening.__enter__()

    async def leave() -> None:
        listening.__exit__(None, None, None)

    asyncio.run_coroutine_threadsafe(enter(), loop).result(PATIENCE)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(leave(), loop).result(PATIENCE)


class TestWithoutALoop:
    def test_what_is_begun_gives_what_running_gives(self, session: KernelSession) -> None:
        batches = [_rows(1 + number % 7, number) for number in range(40)]
        begun = [_begin(session, batch) for batch in batches]
        for batch, ended in zip(batches, begun, strict=True):
            assert np.array_equal(ended.result(PATIENCE).vectors, session.run(batch))

    def test_a_thread_of_its_own_tells(self, session: KernelSession) -> None:
        told = {_begin(session, _rows(2)).result(PATIENCE).thread.name for _ in range(10)}
        assert told == {"completions"}

    def test_many_threads_may_begin_at_once(self, session: KernelSession) -> None:
        found: list[bool] = []

        def ask(seed: int) -> None:
            rows = _rows(3, seed)
            vectors = (_begin(session, rows).result(PATIENCE).vectors for _ in range(20))
            found.extend(np.array_equal(one, expected[seed]) for one in vectors)

        expected = [session.run(_rows(3, seed)) for seed in range(8)]
        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert (len(found), all(found)) == (160, True)

    def test_one_that_fails_to_hear_of_its_batch_keeps_nobody_else_from_it(self, session: KernelSession) -> None:
        def fails(_: object) -> None:
            raise RuntimeError("nobody is interested")

        session.begin(_rows(1), fails)
        assert len(_begin(session, _rows(2)).result(PATIENCE).vectors) == 2

    def test_a_session_that_nobody_has_any_more_ends_what_it_began(self, small: SmallEncoder) -> None:
        session = KernelSession(small.weights(), 2)
        rows = _rows(30)
        expected, ended = session.run(rows), _begin(session, rows)
        del session
        assert np.array_equal(ended.result(PATIENCE).vectors, expected)


class TestInALoop:
    def test_it_tells_while_it_listens(self, session: KernelSession) -> None:
        with _running_loop() as loop:
            with _listening(loop):
                inside = {_begin(session, _rows(2)).result(PATIENCE).thread.name for _ in range(10)}
            after = _begin(session, _rows(2)).result(PATIENCE).thread.name
        assert (inside, after) == ({"loop"}, "completions")

    def test_what_ends_after_it_listened_is_told_all_the_same(self, session: KernelSession) -> None:
        for _ in range(20):
            with _running_loop() as loop:
                with _listening(loop):
                    begun = [_begin(session, _rows(2)) for _ in range(5)]
                assert all(len(ended.result(PATIENCE).vectors) == 2 for ended in begun)

    def test_what_was_begun_before_is_told_in_it_or_before(self, session: KernelSession) -> None:
        for _ in range(20):
            begun = [_begin(session, _rows(2)) for _ in range(5)]
            with _running_loop() as loop, _listening(loop):
                assert all(len(ended.result(PATIENCE).vectors) == 2 for ended in begun)

    def test_one_loop_may_listen_for_two(self, session: KernelSession) -> None:
        with _running_loop() as loop, _listening(loop):
            with _listening(loop):
                assert _begin(session, _rows(1)).result(PATIENCE).thread.name == "loop"
            assert _begin(session, _rows(1)).result(PATIENCE).thread.name == "loop"

    def test_when_one_of_two_loops_leaves_the_other_tells(self, session: KernelSession) -> None:
        with _running_loop() as first, _listening(first):
            with _running_loop() as second, _listening(second):
                for _ in range(20):
                    assert _begin(session, _rows(1)).result(PATIENCE).thread.name == "loop"
            assert _begin(session, _rows(1)).result(PATIENCE).thread.name == "loop"

    def test_its_turns_are_not_held_up_by_what_is_computed(self, session: KernelSession) -> None:
        async def turns() -> int:
            with told_in(asyncio.get_running_loop()):
                begun, count = _begin(session, _rows(200)), 0
                give_up = time.monotonic() + PATIENCE
                while not begun.done() and time.monotonic() < give_up:
                    await asyncio.sleep(0)
                    count += 1
                assert len(begun.result(0).vectors) == 200
            return count

        assert asyncio.run(turns()) > 10


def test_where_nothing_was_compiled_no_loop_is_asked_to_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp_service.inference.kernel.completions.library", lambda: None)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "add_reader", pytest.fail)
        with told_in(loop):
            await asyncio.sleep(0)

    asyncio.run(listen())


def test_threads_that_ask_for_it_first_at_the_same_time_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    monkeypatch.setattr(module, "_made", cache(make))
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: completions(), range(8)))
    assert len(made) == len(set(map(id, given))) == 1


class TestWhatDoesNotBegin:
    @pytest.mark.parametrize("row", [[], [VOCABULARY], [-1], [0] * (LONGEST + 1)])
    def test_ids_and_lengths_that_are_not_known_are_refused_at_once(
        self, session: KernelSession, row: list[int]
    ) -> None:
        with pytest.raises(ValueError, match="tokens"):
            _begin(session, [[1, 2], row])

    def test_of_nothing_nobody_would_be_told(self, session: KernelSession) -> None:
        with pytest.raises(ValueError, match="rows"):
            _begin(session, [])

    def test_without_a_thread_nobody_is_told_later_and_the_next_one_may_begin(
        self, session: KernelSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def none(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        fresh = Completions()
        monkeypatch.setattr(session_module, "completions", lambda: fresh)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none)
            with pytest.raises(RuntimeError, match="thread"):
                _begin(session, _rows(1))
        assert not fresh._expected
        assert len(_begin(session, _rows(2)).result(PATIENCE).vectors) == 2

    def test_without_memory_nobody_is_told_later(self, session: KernelSession, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "_library", SimpleNamespace(pool_begin=lambda *_: -1, pool_close=lambda _: None))
        before = dict(completions()._expected)
        with pytest.raises(MemoryError):
            _begin(session, _rows(1))
        assert completions()._expected == before
