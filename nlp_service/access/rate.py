"""How many requests a key may make: a bucket of tokens for each key, full after a minute without requests.

The generic cell rate algorithm keeps one moment for each key, at which its bucket will be full again. It lies in a
small SQLite file that all workers of a machine share while they run, so a limit is one for all of them.
"""

import math
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WINDOW_SECONDS = 60
_ROUNDING = 1e-6
"""Seconds that a sum of many steps may miss."""
_TAKE = """
INSERT INTO buckets VALUES (:key, :now + :step)
ON CONFLICT (key) DO UPDATE SET full_at = max(full_at, :now) + :step
WHERE max(full_at, :now) + :step <= :now + :window
RETURNING full_at
"""


@dataclass(frozen=True)
class Allowance:
    """Whether a request is within the limit of its key, and what is left."""

    limit: int
    """Requests a minute."""
    remaining: int
    full_after: int
    """Seconds until as many as the limit may be made at once again."""
    retry_after: int | None
    """Seconds until the next one may be made, when this one may not."""

    @property
    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy as in draft-ietf-httpapi-ratelimit-headers-10, and Retry-After."""
        named = {
            "RateLimit-Policy": f'"requests";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.remaining};t={self.full_after}',
        }
        return named if self.retry_after is None else {**named, "Retry-After": str(self.retry_after)}


class RateLimiter:
    """Counts the requests of each key, in `folder` with the other processes that use it, or in this one alone.

    To be used by one thread at a time.
    """

    def __init__(self, folder: Path | None, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer  # the monotonic clock is one for all processes of a machine
        name = ":memory:" if folder is None else str(folder / "rates.sqlite")
        self._buckets = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA busy_timeout=5000", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF"):
            self._buckets.execute(statement)
        self._buckets.execute(
            "CREATE TABLE IF NOT EXISTS buckets (key TEXT PRIMARY KEY, full_at REAL NOT NULL) WITHOUT ROWID"
        )

    def take(self, key: str, limit: int) -> Allowance:
        """One request of a key that may make `limit` a minute."""
        now, step = self._timer(), WINDOW_SECONDS / limit
        values = {"key": key, "now": now, "step": step, "window": WINDOW_SECONDS + _ROUNDING}
        taken = self._buckets.execute(_TAKE, values).fetchall()
        if taken:
            ((full_at,),) = taken
            left = math.floor((now + WINDOW_SECONDS + _ROUNDING - full_at) / step)
            return Allowance(limit, left, math.ceil(full_at - now), None)
        ((full_at,),) = self._buckets.execute("SELECT full_at FROM buckets WHERE key = ?", [key])
        wait = full_at + step - WINDOW_SECONDS - now
        return Allowance(limit, 0, math.ceil(full_at - now), max(1, math.ceil(wait)))

    def close(self) -> None:
        """Close the file."""
        self._buckets.close()
