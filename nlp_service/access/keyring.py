"""The keys as one process knows them, read again when they are half a second old."""

import hmac
import threading
import time
from collections.abc import Callable

from nlp_service.access.credential import digest_of, prefix_of
from nlp_service.access.keys import KeyStore, is_usable
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.storage.access_tables import ApiKey

LIFE_SECONDS = 0.5
"""A key that was made or revoked is taken so by every process this much later at most, plus the time of a query."""
_NOBODY = "0" * 64


class KeyRing:
    """Finds the key that a credential belongs to. May be used by several threads."""

    def __init__(
        self, store: KeyStore, secret: bytes, clock: Clock = utc_now, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._read_at: float | None = None

    @property
    def stale(self) -> bool:
        """Whether the keys must be read before the next one is looked for."""
        return self._read_at is None or self._timer() - self._read_at >= LIFE_SECONDS

    def refresh(self) -> None:
        """Read the keys, unless another thread just did."""
        with self._lock:
            if self.stale:
                begun = self._timer()
                self._keys = {key.prefix: key for key in self._store.usable()}
                self._read_at = begun

    def find(self, credential: str) -> ApiKey | None:
        """The key, or none when it is wrong, revoked or expired. All wrong ones take the same steps."""
        key = self._keys.get(prefix_of(credential) or "")
        expected = _NOBODY if key is None else key.digest
        if not hmac.compare_digest(digest_of(credential, self._secret), expected) or key is None:
            return None
        return key if is_usable(key, self._clock()) else None
