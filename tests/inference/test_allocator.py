"""Memory of the C library."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAPS = """
import ctypes, sys, threading
from nlp_service.inference.allocator import use_few_arenas
if sys.argv[2] == "few":
    use_few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
together = threading.Barrier(6)
def allocate():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
stream = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, stream)
libc.fclose(stream)
"""


def _heaps(told: Path, how: str) -> int:
    subprocess.run([sys.executable, "-c", HEAPS, str(told), how], check=True)
    return told.read_text("ascii").count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_threads_share_few_heaps(tmp_path: Path) -> None:
    assert _heaps(tmp_path / "many", "many") > 2
    assert _heaps(tmp_path / "few", "few") <= 2
