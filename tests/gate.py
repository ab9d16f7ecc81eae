"""An encoder that computes when it is told."""

import threading
from collections.abc import Callable, Sequence

import pytest

from nlp_service.inference.encoder import Encoder, Side, Vectors
from nlp_service.inference.windows import Window
from tests.inference.kernel.compiled import compiled

WAYS = [pytest.param(False, id="threads"), pytest.param(True, id="beside", marks=compiled)]
"""How a batcher has its batches computed, for `Gate`'s `beside`."""


class Gate(Encoder):
    """The real encoder, which computes nothing until `go` is set; notes what it computed, and in which thread.

    `entered` counts the batches that were begun. One that computes `beside` does so as the compiled forward pass.
    """

    def __init__(self, encoder: Encoder, *, streams: int = 1, beside: bool = False) -> None:
        super().__init__(encoder.bundle, encoder._windower, encoder._session, streams=streams)
        self.beside = beside
        self.go = threading.Event()
        self.begun = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[Window]] = []
        self.threads: list[str] = []
        self.tokenised = 0
        self.failure: Exception | None = None

    def windows(self, texts: Sequence[str], side: Side) -> list[Window]:
        self.tokenised += len(texts)
        return super().windows(texts, side)

    @property
    def computes_beside(self) -> bool:
        return self.beside

    def begin(self, windows: Sequence[Window], done: Callable[[Vectors | Exception], None]) -> None:
        self._enter()
        threading.Thread(target=self._begin_later, args=(windows, done), name="gate").start()

    def run(self, windows: Sequence[Window]) -> Vectors:
        self._enter()
        self._pass(windows)
        return super().run(windows)

    def _enter(self) -> None:
        self.begun.set()
        self.entered.release()

    def _pass(self, windows: Sequence[Window]) -> None:
        self.go.wait(60)
        self.batches.append(list(windows))
        self.threads.append(threading.current_thread().name)
        if self.failure is not None:
            raise self.failure

    def _begin_later(self, windows: Sequence[Window], done: Callable[[Vectors | Exception], None]) -> None:
        try:
            self._pass(windows)
            super().begin(windows, done)
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits gets it
            done(error)
