"""Searches wait for a few threads of their own; who would wait too long is refused at once.

A search is mostly Python and holds the indexes for most of its time: more threads would only keep the event loop from
its turn.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from nlp_service.errors import Overloaded
from nlp_service.observability.metrics import SEARCH_QUEUE, SEARCH_QUEUE_SECONDS
from nlp_service.observability.tracing import past_span
from nlp_service.patience import Patience

MOST_THREADS = 4
SECONDS_PER_SEARCH = 0.01
"""From the end of one search to that of the next, while there is one; assumed until the first were made."""
MARGIN = 1.4
"""A full queue stands at its limit: without a margin half of those that enter it would be given up late."""
NEWEST = 0.05
"""The weight of the newest search in the running mean."""
Result = TypeVar("Result")


class SearchQueue:
    """Runs searches in the order in which they come. Close it when done."""

    def __init__(self, threads: int, patience: Patience) -> None:
        """At most MOST_THREADS of the `threads` that the process computes with."""
        self.longest = patience.longest
        self._patience = patience
        self._pool = ThreadPoolExecutor(min(threads, MOST_THREADS), thread_name_prefix="search")
        self._lock = threading.Lock()
        self._waiting = 0
        self._seconds = SECONDS_PER_SEARCH
        self._ended = 0.0

    def check_room(self) -> None:
        """Raise Overloaded when a search that comes now would wait too long; costs microseconds."""
        seconds = MARGIN * self._waiting * self._seconds
        self._patience.check(seconds, time.perf_counter(), empty=not self._waiting)

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """A place among those that wait, also while the query is still being encoded; for one search.

        Raises Overloaded when it would wait too long.
        """
        self.check_room()
        place = Place(self, self._pool)
        self._patience.comes(place.arrived, first=not self._waiting)
        self._count(1)
        try:
            yield place
        finally:
            self.leave(place)

    def leave(self, place: "Place") -> None:
        """Count a place no longer, if it still is."""
        with self._lock:
            counted, place.counted = place.counted, False
        if counted:
            self._count(-1)

    def ended(self, place: "Place") -> None:
        """Note that a search has ended: how long it took since the one before, or since it wanted a thread.

        What waits for the encoder of queries alone is that one's to refuse.
        """
        with self._lock:
            now = time.perf_counter()
            self._seconds += NEWEST * (now - max(self._ended, place.encoded) - self._seconds)
            self._ended = now

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._pool.shutdown()

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change
        SEARCH_QUEUE.inc(change)


class Place:
    """That of a request in a queue."""

    def __init__(self, queue: SearchQueue, pool: ThreadPoolExecutor) -> None:
        self.counted = True
        self._queue = queue
        self._pool = pool
        self.arrived = self.encoded = time.perf_counter()

    async def run(self, search: Callable[[], Result]) -> Result:
        """What `search` gives when its turn has come; raises Overloaded when that is too late.

        One that is cancelled is not begun.
        """
        self.encoded = time.perf_counter()
        return await asyncio.wrap_future(self._pool.submit(copy_context().run, self._begin, search))

    def _begin(self, search: Callable[[], Result]) -> Result:
        self._queue.leave(self)
        waited = time.perf_counter() - self.arrived
        SEARCH_QUEUE_SECONDS.observe(waited)
        past_span("queue", waited, queue="search")
        if waited > self._queue.longest:
            raise Overloaded.queue_full(waited, self._queue.longest)
        try:
            return search()
        finally:
            self._queue.ended(self)
