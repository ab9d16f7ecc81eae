"""What was put lately: few vectors, all of them looked at, changed in place."""

from collections.abc import Iterable

import numpy as np

from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.index.rows import meant_by
from nlp_service.knowledge.keys import Mask

INITIAL_ROOM = 64


class Recent:
    """Keys with float32 vectors of one dimension."""

    def __init__(self, dimension: int) -> None:
        self._keys = np.empty(INITIAL_ROOM, dtype=np.int64)
        self._vectors = np.empty((INITIAL_ROOM, dimension), dtype=np.float32)
        self._slot_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._slot_of)

    @property
    def keys(self) -> Keys:
        """All keys, in the order of `vectors`; a view, good until the next change."""
        return self._keys[: len(self)]

    @property
    def vectors(self) -> Vectors:
        """All vectors, shape (keys, dimension); a view, good until the next change."""
        return self._vectors[: len(self)]

    def put(self, keys: Keys, vectors: Vectors) -> None:
        """Add vectors, shape (keys, dimension); a key that is already there, or comes twice, keeps the last."""
        self._make_room(len(self) + len(keys))
        for key, vector in zip(keys.tolist(), vectors, strict=True):
            slot = self._slot_of.setdefault(key, len(self._slot_of))
            self._keys[slot] = key
            self._vectors[slot] = vector

    def remove(self, keys: Iterable[int]) -> None:
        """Take keys out; unknown ones are ignored. The last vector moves into the gap."""
        for key in keys:
            slot = self._slot_of.pop(key, None)
            last = len(self._slot_of)
            if slot is None or slot == last:
                continue
            moved = int(self._keys[last])
            self._keys[slot], self._vectors[slot] = moved, self._vectors[last]
            self._slot_of[moved] = slot

    def search(self, vector: Vectors, allowed: Mask | None) -> tuple[Keys, Vectors]:
        """The allowed keys with their cosines, in no order."""
        cosines: Vectors = self.vectors @ vector
        if allowed is None:
            return self.keys, cosines
        meant = meant_by(allowed, self.keys)
        return self.keys[meant], cosines[meant]

    def cosines(self, vector: Vectors, keys: Iterable[int]) -> dict[int, float]:
        """The cosines of those of the keys that are there."""
        slots = self._slots_of(keys)
        cosines = self._vectors[list(slots.values())] @ vector
        return dict(zip(slots, cosines.tolist(), strict=True))

    def vectors_of(self, keys: Iterable[int]) -> dict[int, Vectors]:
        """Copies of the vectors of those of the keys that are there."""
        slots = self._slots_of(keys)
        return dict(zip(slots, self._vectors[list(slots.values())], strict=True))

    def copy(self) -> "Recent":
        """The same keys and vectors; changes of one do not show in the other."""
        other = Recent(self._vectors.shape[1])
        other.put(self.keys, self.vectors)
        return other

    def _slots_of(self, keys: Iterable[int]) -> dict[int, int]:
        return {key: slot for key in keys if (slot := self._slot_of.get(key)) is not None}

    def _make_room(self, wanted: int) -> None:
        if wanted <= len(self._keys):
            return
        room = max(wanted, 2 * len(self._keys))
        keys, vectors = np.empty(room, dtype=np.int64), np.empty((room, self._vectors.shape[1]), dtype=np.float32)
        keys[: len(self)], vectors[: len(self)] = self.keys, self.vectors
        self._keys, self._vectors = keys, vectors
