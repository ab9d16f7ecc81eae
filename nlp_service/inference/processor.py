"""What the processor multiplies fastest, and how many cores there are, as the system tells it."""

import os
from pathlib import Path

CPU_FLAGS = Path("/proc/cpuinfo")


def has_matrix_units() -> bool:
    """Whether the processor multiplies matrices of bf16 in units of their own (Intel AMX)."""
    return bool({"amx_bf16"} & _flags())


def multiplies_bytes() -> bool:
    """Whether its vectors multiply numbers of 8 bits and add up the products in one step (VNNI)."""
    return bool({"avx512_vnni", "avx_vnni"} & _flags())


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _flags() -> set[str]:
    """All of the words; none where another system keeps them elsewhere."""
    try:
        return set(CPU_FLAGS.read_text("ascii", errors="replace").split())
    except OSError:
        return set()
