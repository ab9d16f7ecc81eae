"""Who is told what an encoder's batcher does."""

from collections.abc import Mapping
from typing import Protocol

from nlp_service.inference.waiting import Lane


class Observer(Protocol):
    """Is told what the batcher does; all times in seconds.

    What concerns one request is told in the context (`contextvars`) in which it was submitted, in any thread.
    """

    def queued(self, windows: Mapping[Lane, int]) -> None:
        """So many windows wait in each lane now."""
        ...

    def streams(self, change: int) -> None:
        """So many more batches are computed at a time; fewer when it is negative."""
        ...

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """A batch was computed, in a time that includes its wait for a stream; `tokens` without padding."""
        ...

    def failed(self, windows: int) -> None:
        """A batch was not computed: the runtime raised an error, which its requests get."""
        ...

    def tokenised(self, seconds: float) -> None:
        """The texts of a request were cut into windows, just now."""
        ...

    def recalled(self, windows: int) -> None:
        """So many windows of a request need no computation: their vectors were computed lately."""
        ...

    def waited(self, seconds: float, lane: Lane) -> None:
        """A request waited this long until its first batch, which begins now; no time when it needs none of its own."""
        ...

    def encoded(self, seconds: float) -> None:
        """A request has all its vectors now, so long after its first batch began."""
        ...


class SilentObserver:
    """Ignores everything."""

    def queued(self, windows: Mapping[Lane, int]) -> None:
        """Ignore."""

    def streams(self, change: int) -> None:
        """Ignore."""

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """Ignore."""

    def failed(self, windows: int) -> None:
        """Ignore."""

    def tokenised(self, seconds: float) -> None:
        """Ignore."""

    def recalled(self, windows: int) -> None:
        """Ignore."""

    def waited(self, seconds: float, lane: Lane) -> None:
        """Ignore."""

    def encoded(self, seconds: float) -> None:
        """Ignore."""
