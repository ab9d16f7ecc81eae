"""Searches wait for a few threads, in order, and never for long."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nlp_service.api.search_queue import MARGIN, MOST_THREADS, SECONDS_PER_SEARCH, Result, SearchQueue
from nlp_service.errors import Overloaded
from nlp_service.observability.metrics import SEARCH_QUEUE
from nlp_service.patience import Patience

PATIENCE = 60.0


@pytest.fixture
def go() -> threading.Event:
    return threading.Event()


@pytest.fixture
def queue(go: threading.Event) -> Iterator[SearchQueue]:
    """One thread, and room for hours."""
    made = SearchQueue(1, Patience(3600))
    yield made
    go.set()
    made.close()


@pytest.fixture
def narrow(go: threading.Event) -> Iterator[SearchQueue]:
    """One thread, and room for three searches of the time that is assumed at first."""
    made = SearchQueue(1, Patience(2.5 * MARGIN * SECONDS_PER_SEARCH))
    yield made
    go.set()
    made.close()


async def _run(queue: SearchQueue, search: Callable[[], Result]) -> Result:
    """What a search gives that takes its place and runs at once."""
    with queue.place() as place:
        return await place.run(search)


async def _occupied(queue: SearchQueue, go: threading.Event) -> asyncio.Task[bool]:
    """A search that runs until `go`."""
    begun = threading.Event()

    def search() -> bool:
        begun.set()
        return go.wait(PATIENCE)

    running = asyncio.create_task(_run(queue, search))
    await asyncio.to_thread(begun.wait, PATIENCE)
    return running


async def _begun(*coroutines: Coroutine[None, None, int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


def _noting(found: list[int], number: int) -> Callable[[], int]:
    def search() -> int:
        found.append(number)
        return number

    return search


def test_searches_are_made_in_the_order_in_which_they_came(queue: SearchQueue, go: threading.Event) -> None:
    found: list[int] = []

    async def ask() -> list[int]:
        await _occupied(queue, go)
        tasks = await _begun(*(_run(queue, _noting(found, number)) for number in range(5)))
        go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(ask()) == found == [0, 1, 2, 3, 4]


def test_one_that_would_wait_too_long_is_refused_at_once(narrow: SearchQueue, go: threading.Event) -> None:
    async def ask() -> tuple[int, Overloaded]:
        await _occupied(narrow, go)
        tasks = await _begun(*(_run(narrow, int) for _ in range(4)))
        refused = [task for task in tasks if task.done()]
        error = refused[0].exception()
        for task in tasks:
            task.cancel()
        assert isinstance(error, Overloaded)
        return len(refused), error

    refused, error = asyncio.run(ask())
    assert refused == 1
    assert error.retry_after >= 1


def test_what_waits_for_its_encoder_alone_fills_no_queue() -> None:
    """However long queries take to be encoded, searches that take no time leave room for others."""
    queue = SearchQueue(1, Patience(1.0, standing=0.05))

    async def ask() -> None:
        with queue.place() as place:
            await asyncio.sleep(0.2)
            await place.run(int)

    async def ask_for(seconds: float) -> None:
        asked = []
        while seconds > 0:
            asked.append(asyncio.create_task(ask()))
            await asyncio.sleep(0.02)
            seconds -= 0.02
        await asyncio.gather(*asked)

    asyncio.run(ask_for(2.0))
    queue.close()


def test_fewer_may_wait_when_the_queue_has_stood_for_long(go: threading.Event) -> None:
    longest = 20 * MARGIN * SECONDS_PER_SEARCH
    queue = SearchQueue(1, Patience(longest, standing=longest / 1000))

    async def ask() -> None:
        running = await _occupied(queue, go)
        early, second = await _begun(_run(queue, int), _run(queue, int))
        await asyncio.sleep(longest)
        with pytest.raises(Overloaded, match="排队已满"):
            await _run(queue, int)
        early.cancel()
        second.cancel()
        await asyncio.wait([early, second])
        await asyncio.sleep(longest)  # nobody is refused
        burst = await _begun(_run(queue, int), _run(queue, int))
        go.set()
        assert [await running, *[await one for one in burst]] == [True, 0, 0]

    asyncio.run(ask())
    queue.close()


def test_one_that_has_waited_too_long_is_given_up(narrow: SearchQueue, go: threading.Event) -> None:
    found: list[int] = []

    async def ask() -> None:
        await _occupied(narrow, go)
        (late,) = await _begun(_run(narrow, _noting(found, 1)))
        await asyncio.sleep(5 * MARGIN * SECONDS_PER_SEARCH)
        go.set()
        with pytest.raises(Overloaded, match="最多"):
            await late

    asyncio.run(ask())
    assert not found


def test_one_whose_caller_has_gone_is_not_begun(queue: SearchQueue, go: threading.Event) -> None:
    found: list[int] = []
    before = SEARCH_QUEUE._value.get()

    async def ask() -> None:
        running = await _occupied(queue, go)
        gone, stays = await _begun(_run(queue, _noting(found, 1)), _run(queue, _noting(found, 2)))
        assert SEARCH_QUEUE._value.get() == before + 2
        gone.cancel()
        await asyncio.wait([gone])
        go.set()
        await asyncio.gather(running, stays)

    asyncio.run(ask())
    assert found == [2]
    assert SEARCH_QUEUE._value.get() == before


def test_a_search_that_fails_fails_alone(queue: SearchQueue) -> None:
    def broken() -> int:
        raise ValueError("damaged")

    async def ask() -> int:
        with pytest.raises(ValueError, match="damaged"):
            await _run(queue, broken)
        return await _run(queue, lambda: 7)

    assert asyncio.run(ask()) == 7


def test_the_time_of_searches_is_learnt(narrow: SearchQueue, go: threading.Event) -> None:
    """After slow ones less room is seen than the time assumed at first would leave."""

    async def ask() -> int:
        for _ in range(3):
            await _run(narrow, lambda: time.sleep(10 * SECONDS_PER_SEARCH))
        await _occupied(narrow, go)
        tasks = await _begun(*(_run(narrow, int) for _ in range(4)))
        refused = sum(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        return refused

    assert asyncio.run(ask()) > 1


def test_closing_finishes_what_waits(go: threading.Event) -> None:
    closing = SearchQueue(1, Patience(3600))
    found: list[int] = []

    async def ask() -> None:
        await _occupied(closing, go)
        tasks = await _begun(*(_run(closing, _noting(found, number)) for number in range(3)))
        go.set()
        await asyncio.to_thread(closing.close)
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    assert found == [0, 1, 2]


def test_many_cores_bring_few_threads() -> None:
    queue = SearchQueue(64, Patience(3600))
    threads: set[str] = set()
    together = threading.Barrier(MOST_THREADS)

    def search() -> None:
        threads.add(threading.current_thread().name)
        together.wait(PATIENCE)

    async def ask() -> None:
        await asyncio.gather(*(_run(queue, search) for _ in range(2 * MOST_THREADS)))

    asyncio.run(ask())
    queue.close()
    assert len(threads) == MOST_THREADS


def test_over_http_a_full_queue_is_429_and_other_calls_go_on(client: TestClient, go: threading.Event) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    service, full = app.state.search_queue, SearchQueue(1, Patience(SECONDS_PER_SEARCH / 2))
    app.state.search_queue = full
    begun = threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(PATIENCE)

    holding = full._pool.submit(hold)
    assert begun.wait(PATIENCE)
    full._count(1)
    try:
        answer = client.post("/v1/search", json={"query": "登录不了"})
        lexical = client.post("/v1/search", json={"query": "登录不了", "mode": "lexical"})
        assert client.post("/v1/sentiment", json={"texts": ["登录不了"]}).status_code == 200
    finally:
        full._count(-1)
        go.set()
        holding.result(PATIENCE)
        app.state.search_queue = service
        full.close()
    assert [answer.status_code, lexical.status_code] == [429, 429]
    assert int(answer.headers["retry-after"]) >= 1
    assert "排队已满" in answer.json()["detail"]
    assert client.post("/v1/search", json={"query": "登录不了"}).status_code == 200
