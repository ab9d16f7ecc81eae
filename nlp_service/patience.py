"""How long those may wait who come to a queue: long in a burst, briefly while more comes than can be done.

A queue that absorbs a burst is good; one that stands for as long as more comes than can be done makes everybody wait
and answers nobody more. They are told apart by when the queue was last empty (B. Maurer, "Fail at Scale", ACM Queue
13(8), 2015, after the controlled delay of Nichols and Jacobson, RFC 8289): what fills it at once is gone after its
longest wait, so a queue that something has waited in for longer gets more than it can do. It does until nobody was
refused for as long, since a short queue is empty for a moment now and then; or until it was for more than a moment.
"""

from math import inf

from nlp_service.errors import Overloaded


class Patience:
    """That of one queue. Times are of one clock, in seconds; with several threads `comes` needs a lock."""

    def __init__(self, longest: float, standing: float | None = None) -> None:
        """What may be waited: at the most, and in a queue that stands (as long as ever, unless told or longer)."""
        self.longest = longest
        self._standing = longest if standing is None else min(standing, longest)
        self._since = self._refused = self._came = -inf

    def comes(self, now: float, *, first: bool) -> None:
        """Note that something comes to wait; `first` when nothing else waits."""
        if first:
            self._since = now
            if now - self._came > 2 * self._standing:  # longer than what was accepted in a queue that stands may take
                self._refused = -inf
        self._came = now

    def check(self, seconds: float, now: float, *, empty: bool) -> None:
        """Raise Overloaded when what comes now, to a queue that is empty or not, would wait for too many seconds."""
        if seconds <= self._standing:
            return
        stands = now - self._since > self.longest or now - self._refused <= self.longest
        if empty or not stands:
            if seconds > self.longest:
                raise Overloaded.queue_full(seconds, self.longest)
            return
        self._refused = now
        raise Overloaded.queue_full(seconds, self._standing)
