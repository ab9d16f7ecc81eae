"""Garbage is looked for while few requests are under way.

Most leave none (docs/decisions/0020). To find that out the collector looks through all that is young: with thousands
of requests waiting for a quarter of a second, in which nothing is answered.
"""

import asyncio
import gc
from collections.abc import Callable

ENOUGH = 50_000
"""New objects, less those that were freed, for which garbage is looked for when there is little else to do."""
TOO_MANY = 1_000_000
"""The same, for which it is looked for at once. Some four hundred belong to each request that waits."""
OLDER = (20, 100)
"""How often the young are looked through before those that outlived one, and two, of these."""
FEW = 4
LOOK_SECONDS = 0.5


def collect_seldom() -> None:
    """Leave this process's garbage to `collect_when_few` as long as that can be."""
    gc.set_threshold(TOO_MANY, *OLDER)


async def collect_when_few(requests: Callable[[], int]) -> None:
    """Collect for ever, while there are few `requests`."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        collect_if_few(requests)


def collect_if_few(requests: Callable[[], int]) -> None:
    """Collect if there may be enough, and few requests wait meanwhile."""
    young, _, since_all = gc.get_count()
    if young > ENOUGH and requests() <= FEW:
        gc.collect(2 if since_all > OLDER[1] else 1)
