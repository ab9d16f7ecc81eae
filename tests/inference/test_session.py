"""The runtime's threads."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nlp_service.inference.engine import Engine
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import OpenVinoSession
from tests.conftest import BUNDLES
from tests.tasks import tasks

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)
BATCHES = 20
POLICY = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else 0
"""Of this thread, before anything was opened."""


@pytest.fixture(params=[1, 2], ids=["one stream", "two streams"])
def opened(engine: Engine, request: pytest.FixtureRequest) -> tuple[OpenVinoSession, set[int]]:
    """A session, and the threads that it made."""
    folder = BUNDLES / encoder_folder(engine.search_model.name, engine.search_model.fingerprint)
    before = tasks()
    session = OpenVinoSession(folder, request.param, "int8-dynamic", streams=request.param)
    python = {thread.native_id for thread in threading.enumerate()}
    return session, tasks() - before - python


def test_who_computes_may_do_so_on_every_core(opened: tuple[OpenVinoSession, set[int]]) -> None:
    session, made = opened
    watched = made | {threading.get_native_id()}  # a single stream computes in the thread that asks
    ids = np.ones((4, 64), np.int64)
    seen: set[frozenset[int]] = set()
    begun, ended = threading.Event(), threading.Event()

    def look() -> None:
        begun.set()
        while not ended.is_set():
            seen.update(frozenset(os.sched_getaffinity(task)) for task in watched)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        begun.wait()
        for _ in range(BATCHES):
            session.run(ids, ids)
        ended.set()
        looking.result()
    assert seen == {frozenset(os.sched_getaffinity(0))}


def test_who_computes_gives_way_unless_callers_compute_themselves(
    opened: tuple[OpenVinoSession, set[int]], request: pytest.FixtureRequest
) -> None:
    _, made = opened
    streams = request.node.callspec.params["opened"]
    assert made
    assert {os.sched_getscheduler(task) for task in made} == {POLICY if streams == 1 else os.SCHED_IDLE}
    assert os.sched_getscheduler(0) == POLICY


def test_threads_at_once_get_what_each_would_get_alone(opened: tuple[OpenVinoSession, set[int]]) -> None:
    session, _ = opened
    shapes = [(1, 16), (4, 32), (2, 64), (8, 24)] * 8
    batches = [np.random.default_rng(seed).integers(5, 9000, shape) for seed, shape in enumerate(shapes)]
    alone = [session.run(ids, np.ones_like(ids)) for ids in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda ids: session.run(ids, np.ones_like(ids)), batches))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
