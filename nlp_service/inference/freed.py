"""Memory that was freed, which the C library keeps for what comes next."""

import ctypes
import sys


def give_back_freed() -> None:
    """Let the system have it: after a load, what comes next is much smaller. Does nothing where it is not glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
