"""An encoder that computes when it is told."""

import threading
from collections.abc import Sequence

from nlp_service.inference.encoder import Encoder, Side, Vectors
from nlp_service.inference.windows import Window


class Gate(Encoder):
    """The real encoder, which computes nothing until `go` is set; notes what it computed, and in which thread.

    `entered` counts the batches that were begun.
    """

    def __init__(self, encoder: Encoder, *, streams: int = 1) -> None:
        super().__init__(encoder.bundle, encoder._windower, encoder._session, streams=streams)
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

    def run(self, windows: Sequence[Window]) -> Vectors:
        self.begun.set()
        self.entered.release()
        self.go.wait(60)
        self.batches.append(list(windows))
        self.threads.append(threading.current_thread().name)
        if self.failure is not None:
            raise self.failure
        return super().run(windows)
