"""Who is told, and in which thread, that a batch of the compiled forward pass has ended."""

import asyncio
import ctypes
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count

import structlog

from nlp_service.inference.kernel.library import library
from nlp_service.tracebacks import described

log = structlog.get_logger()
MANY = 4096
"""Bytes that are read from the pipe at a time; there is mostly one."""
_MAKING = threading.Lock()
NO_QUEUE = "没有内存可用 · no memory to be had"


class Completions:
    """Tells those that began a batch that it has ended: in an event loop that listens, or else in a thread of its own.

    A loop that has to wait for a thread of Python's is told later, and once for all that have ended meanwhile, so that
    it and those that compute work in turns instead of side by side (docs/decisions/0027).
    """

    def __init__(self) -> None:
        """Raises OSError where there is no pipe or memory to be had."""
        self._library = library()
        self._pipe, end = os.pipe()
        os.set_blocking(self._pipe, False)
        os.set_blocking(end, False)
        self.queue: int | None = self._library.completions_open(end)
        """That of `completions.h`."""
        if self.queue is None:
            raise OSError(NO_QUEUE)
        self._expected: dict[int, Callable[[bool], None]] = {}
        self._numbers = count(1)
        self._loops: Counter[asyncio.AbstractEventLoop] = Counter()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def expect(self, ended: Callable[[bool], None]) -> int:
        """The number of a batch that is about to begin; `ended` is called with whether it failed.

        Raises RuntimeError where there is no thread to be had.
        """
        number = next(self._numbers)
        self._expected[number] = ended
        if not self._loops and self._thread is None:
            try:
                self._serve()
            except RuntimeError:  # no thread is to be had
                del self._expected[number]
                raise
        return number

    def forget(self, number: int) -> None:
        """A batch did not begin."""
        del self._expected[number]

    @contextmanager
    def told_in(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Meanwhile this event loop tells, which has to run. To be entered and left in the loop's thread."""
        self._listen(loop)
        try:
            yield
        finally:
            self._listen_no_more(loop)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if not self._loops[loop]:
                loop.add_reader(self._pipe, self._read)
            self._loops[loop] += 1
            self._library.completions_listen(self.queue, 1)

    def _listen_no_more(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loops[loop] -= 1
            if not self._loops[loop]:
                del self._loops[loop]
                loop.remove_reader(self._pipe)
            self._library.completions_listen(self.queue, int(bool(self._loops)))
        if not self._loops and self._expected:
            self._serve()

    def _read(self) -> None:
        with suppress(BlockingIOError):  # another loop was sooner
            os.read(self._pipe, MANY)
        while self._tell(self._library.completions_take, waits=False):
            pass

    def _serve(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._tell_here, name="completions", daemon=True)
                thread.start()
                self._thread = thread

    def _tell_here(self) -> None:
        while True:
            while self._tell(self._library.completions_wait, waits=True):
                pass
            with self._lock:
                if self._loops:
                    self._thread = None
                    return

    def _tell(self, take: Callable[..., int], *, waits: bool) -> bool:
        """Whether there was something to tell."""
        number, failed = ctypes.c_uint64(), ctypes.c_int()
        if not take(self.queue, waits, ctypes.byref(number), ctypes.byref(failed)):
            return False
        try:
            self._expected.pop(number.value)(bool(failed.value))
        except Exception as error:  # noqa: BLE001 - nobody else is to wait for ever
            log.error("a batch could not be told of", reason=described(error))
        return True


def completions() -> Completions:
    """Those of this process; raises OSError where there is no pipe or memory to be had."""
    with _MAKING:
        return _made()


@cache
def _made() -> Completions:
    return Completions()


@contextmanager
def told_in(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """See `Completions.told_in`; nothing where the forward pass was not compiled."""
    if library() is None:
        yield
        return
    with completions().told_in(loop):
        yield
