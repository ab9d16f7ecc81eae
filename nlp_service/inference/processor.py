"""What the processor multiplies fastest, as the kernel of the operating system tells it."""

from pathlib import Path

CPU_FLAGS = Path("/proc/cpuinfo")


def has_matrix_units() -> bool:
    """Whether the processor multiplies matrices of bf16 in units of their own (Intel AMX)."""
    return bool({"amx_bf16"} & _flags())


def multiplies_bytes() -> bool:
    """Whether its vectors multiply numbers of 8 bits and add up the products in one step (VNNI)."""
    return bool({"avx512_vnni", "avx_vnni"} & _flags())


def _flags() -> set[str]:
    """All of the words; none where another system keeps them elsewhere."""
    try:
        return set(CPU_FLAGS.read_text("ascii", errors="replace").split())
    except OSError:
        return set()
