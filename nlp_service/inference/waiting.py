"""What waits for an encoder, and which windows it computes next.

Requests of a few texts and requests of many wait in lanes of their own. When both wait, computed tokens are divided
among the lanes by LANE_SHARES (stride scheduling, Waldspurger and Weihl 1995), so neither starves. In a lane, requests
take turns. A batch is formed around the next window of the request whose turn it is; where windows are padded to equal
length, from those of similar length.

A window that several requests ask for at the same time is computed once.
"""

from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import Future
from contextvars import Context
from dataclasses import dataclass, field
from typing import Literal

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.padding import PADDED, Packing
from nlp_service.inference.windows import Window

Lane = Literal["interactive", "batch"]
LANE_SHARES: dict[Lane, float] = {"interactive": 0.8, "batch": 0.2}
PADDED_AT_MOST = 2
"""A window joins a batch, if padded, whose windows are at most so many times as long."""
WORTH_FILLING = 1 / 8
"""A batch that has room for less than this part of it is not filled up: all that wait would be looked through."""

OVERTAKEN = 1.25
"""What waits is computed after so many times its tokens at most, in a full queue (docs/decisions/0020)."""


@dataclass(eq=False)
class Job:
    """A window, and the requests that wait for its vector, each with the row that it goes to."""

    window: Window
    lane: Lane
    waiters: list[tuple["Request", int]] = field(default_factory=list)
    taken: bool = False


@dataclass(eq=False)
class Request:
    """Windows that one caller waits for; times as of `time.perf_counter`."""

    windows: Sequence[Window]
    texts: int
    lane: Lane
    arrived: float
    latest: float
    """It is given up when none of its windows was taken by then."""
    pooled: Vectors
    context: Context
    future: Future[Vectors] = field(default_factory=Future)
    jobs: list[Job] = field(default_factory=list)
    """Those that were not taken when it was last looked at, the shortest first."""
    lacking: int = 0
    """Windows without a vector."""
    begun: float = 0.0
    """When the first of its windows was taken; 0 before."""


@dataclass(frozen=True)
class Taken:
    """The windows of a batch, taken at a time, and the requests of which they are the first."""

    at: float
    jobs: list[Job]
    begun: list[Request]
    expired: list[Request]


class Waiting:
    """Not safe for use by several threads at once."""

    def __init__(self, packing: Packing = PADDED) -> None:
        self.packing = packing
        self._lanes: dict[Lane, dict[Request, None]] = {lane: {} for lane in LANE_SHARES}
        self._open: dict[bytes, Job] = {}
        self._tokens: dict[Lane, int] = dict.fromkeys(LANE_SHARES, 0)
        self._computing = 0
        self._windows: dict[Lane, int] = dict.fromkeys(LANE_SHARES, 0)
        self._passes: dict[Lane, float] = dict.fromkeys(LANE_SHARES, 0.0)

    def __bool__(self) -> bool:
        """Whether a request waits."""
        return any(self._lanes.values())

    def empty(self, lane: Lane) -> bool:
        """Whether no request waits in a lane."""
        return not self._lanes[lane]

    @property
    def windows(self) -> int:
        """How many windows wait."""
        return sum(self._windows.values())

    @property
    def windows_by_lane(self) -> dict[Lane, int]:
        """How many windows wait in each lane."""
        return dict(self._windows)

    @property
    def full(self) -> bool:
        """Whether interactive requests alone wait for as many tokens as a batch has."""
        return self._tokens["interactive"] >= self.packing.tokens

    def tokens_before(self, lane: Lane) -> float:
        """Tokens that will be computed before everything is, that waits in the lane now.

        With those that are computed now, and those that come later and fill up batches.
        """
        own, others = self._tokens[lane], sum(self._tokens.values()) - self._tokens[lane]
        waiting = own + min(others, own * (1 - LANE_SHARES[lane]) / LANE_SHARES[lane])
        return self._computing + OVERTAKEN * waiting

    def add(self, request: Request, known: dict[int, Vectors]) -> None:
        """Let a request wait for its windows, except those of the rows in `known`."""
        for row, vector in known.items():
            request.pooled[row] = vector
        for row, window in enumerate(request.windows):
            if row not in known:
                self._ask(request, row, window)
        request.jobs.sort(key=lambda job: len(job.window.ids))
        if request.jobs:
            self._enter(request)
        else:
            request.begun = request.arrived

    def take(self, now: float) -> Taken:
        """The windows to compute next, as many as a batch holds, at least one unless all requests have expired."""
        taken = Taken(now, [], [], [])
        lane = self._next_lane()
        width = used = 0
        asked = list(self._lanes[lane])
        while asked and self._room(width, used):
            gave: list[Request] = []
            for request in asked:
                if not request.begun and now > request.latest:
                    self.drop(request)
                    taken.expired.append(request)
                    continue
                job = self._fitting(request, width, used)
                if job is None:
                    continue
                size = self.packing.size(len(job.window.ids))
                width = width or size
                used += width if self.packing.padded else size
                self._take(job, request, taken, now)
                gave.append(request)
                if not self._room(width, used):
                    break
            asked = [request for request in gave if request in self._lanes[lane]]
        self._passes[lane] += used / LANE_SHARES[lane]
        return taken

    def done(self, job: Job, vector: Vectors) -> list[Request]:
        """Give a vector to those that wait for it; the requests that now have all of theirs."""
        del self._open[job.window.key]
        self._computing -= self.packing.size(len(job.window.ids))
        for request, row in job.waiters:
            request.pooled[row] = vector
            request.lacking -= 1
        return [request for request in dict.fromkeys(request for request, _ in job.waiters) if not request.lacking]

    def failed(self, job: Job) -> list[Request]:
        """Forget a window that could not be computed; the requests that asked for it, which are dropped."""
        self._open.pop(job.window.key, None)
        self._computing -= self.packing.size(len(job.window.ids))
        requests = list(dict.fromkeys(request for request, _ in job.waiters))
        for request in requests:
            self.drop(request)
        return requests

    def drop(self, request: Request) -> None:
        """Compute nothing more for a request alone."""
        self._lanes[request.lane].pop(request, None)
        for job in request.jobs:
            job.waiters = [waiter for waiter in job.waiters if waiter[0] is not request]
            if not job.taken and not job.waiters and self._open.get(job.window.key) is job:
                del self._open[job.window.key]
                self._count(job, -1)
        request.jobs.clear()

    def _ask(self, request: Request, row: int, window: Window) -> None:
        job = self._open.get(window.key)
        if job is None:
            job = self._open[window.key] = Job(window, request.lane)
            self._count(job, 1)
        if not job.taken and all(waiter is not request for waiter, _ in job.waiters):
            request.jobs.append(job)
        job.waiters.append((request, row))
        request.lacking += 1

    def _enter(self, request: Request) -> None:
        lane = self._lanes[request.lane]
        if not lane:  # what was idle has saved up nothing
            active = [self._passes[other] for other, requests in self._lanes.items() if requests]
            self._passes[request.lane] = max(self._passes[request.lane], *active, 0.0)
        lane[request] = None

    def _next_lane(self) -> Lane:
        return min((lane for lane, requests in self._lanes.items() if requests), key=self._passes.__getitem__)

    def _room(self, width: int, used: int) -> int:
        """The longest window that may join a batch of which so many tokens are used, the first one with `width`."""
        room = self.packing.tokens - used
        if self.packing.padded and used:
            return width if width <= room else 0
        return room if room >= self.packing.tokens * WORTH_FILLING else 0

    def _fitting(self, request: Request, width: int, used: int) -> Job | None:
        """The longest window of a request that fits into a batch; the shortest when there is none in it yet."""
        request.jobs = [job for job in request.jobs if not job.taken]
        if not request.jobs:
            del self._lanes[request.lane][request]
            return None
        if not used:
            return request.jobs[0]
        index = bisect_right(request.jobs, self._room(width, used), key=lambda job: len(job.window.ids)) - 1
        job = request.jobs[index]
        if index < 0 or (self.packing.padded and self.packing.size(len(job.window.ids)) * PADDED_AT_MOST < width):
            return None
        return job

    def _take(self, job: Job, request: Request, taken: Taken, now: float) -> None:
        job.taken = True
        self._count(job, -1)
        self._computing += self.packing.size(len(job.window.ids))
        taken.jobs.append(job)
        request.jobs.remove(job)
        lane = self._lanes[request.lane]
        del lane[request]
        if request.jobs:
            lane[request] = None  # at the end
        for waiter in dict.fromkeys(waiter for waiter, _ in job.waiters):
            if not waiter.begun:
                waiter.begun = now
                taken.begun.append(waiter)

    def _count(self, job: Job, change: int) -> None:
        self._windows[job.lane] += change
        self._tokens[job.lane] += change * self.packing.size(len(job.window.ids))
