"""The runtime's threads."""

import os
from pathlib import Path

import numpy as np
import pytest

from nlp_service.inference.engine import Engine
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import OpenVinoSession
from tests.conftest import BUNDLES

TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir() or len(os.sched_getaffinity(0)) < 2, reason="needs /proc and two cores")
def test_each_may_run_on_every_core(engine: Engine) -> None:
    bundle = engine.search_model
    allowed = os.sched_getaffinity(0)
    session = OpenVinoSession(BUNDLES / encoder_folder(bundle.name, bundle.fingerprint), 1, "int8-dynamic")
    session.run(np.ones((4, 32), np.int64), np.ones((4, 32), np.int64))
    assert {frozenset(os.sched_getaffinity(int(task.name))) for task in TASKS.iterdir()} == {frozenset(allowed)}
