"""The threads of this process, as Linux counts them."""

import gc
import time
from pathlib import Path

PATIENCE = 10.0
"""Seconds that threads have to end, which nobody joins."""


def tasks() -> set[int]:
    """Their ids."""
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def left_of_new_tasks(before: set[int]) -> set[int]:
    """Those that were not there before and do not end."""
    give_up = time.monotonic() + PATIENCE
    gc.collect()
    while tasks() - before and time.monotonic() < give_up:
        time.sleep(0.01)
    return tasks() - before
