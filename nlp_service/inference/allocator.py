"""How the C library (glibc) keeps memory; nothing is done where it is another one."""

import ctypes
import sys
from collections.abc import Callable

ARENAS = 2
"""Heaps that threads share. With eight for each core, as many as glibc makes, what one thread frees is of no use to
another: after an overload a service held 40 MB more (docs/decisions/0001)."""
M_ARENA_MAX = -8


def use_few_arenas() -> None:
    """Let threads that begin from now on share their heaps."""
    if limit := _function("mallopt"):
        limit(M_ARENA_MAX, ARENAS)


def give_back_freed() -> None:
    """Let the system have what was freed: after a load, what comes next is much smaller."""
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    return found
