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

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)
BATCHES = 20


def test_who_computes_may_do_so_on_every_core(engine: Engine) -> None:
    bundle = engine.search_model
    session = OpenVinoSession(BUNDLES / encoder_folder(bundle.name, bundle.fingerprint), 1, "int8-dynamic")
    ids = np.ones((4, 64), np.int64)
    thread = threading.get_native_id()
    seen: set[frozenset[int]] = set()
    begun, ended = threading.Event(), threading.Event()

    def look() -> None:
        begun.set()
        while not ended.is_set():
            seen.add(frozenset(os.sched_getaffinity(thread)))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        begun.wait()
        for _ in range(BATCHES):
            session.run(ids, ids)
        ended.set()
        looking.result()
    assert seen == {frozenset(os.sched_getaffinity(0))}
