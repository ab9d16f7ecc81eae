"""A result is made by one run at a time, whatever processes want to make it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlp_service.errors import ServiceError

if sys.platform != "win32":
    import fcntl


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Have the result `target` for oneself; raises ServiceError when another run makes it now.

    A run that was killed keeps nobody out. Between machines it holds where the file system they share has locks for all
    of them. On Windows nobody is kept out.
    """
    if sys.platform == "win32":
        yield
        return
    lock = target.with_name(f".{target.name}.lock")
    with lock.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = lock.exists() and os.path.samestat(os.fstat(stream.fileno()), lock.stat())
        except BlockingIOError:
            mine = False
        if not mine:  # or it was finished, and its lock removed, between the two steps
            raise ServiceError(f"{target}: 另一次运行正在写此结果 · another run is making this result")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
