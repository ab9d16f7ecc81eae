"""Vectors of windows that were computed lately: customers and helpdesks send the same text again and again."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.windows import Window


class RecentVectors:
    """At most `size` vectors; the least recently used go first. Holds token ids, in memory only.

    Not safe for use by several threads at once.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()

    def of(self, windows: Sequence[Window]) -> dict[int, Vectors]:
        """The vectors that are known, shape (dimension), by row."""
        known: dict[int, Vectors] = {}
        if self._vectors:
            for row, window in enumerate(windows):
                if (vector := self._vectors.get(window.key)) is not None:
                    self._vectors.move_to_end(window.key)
                    known[row] = vector
        return known

    def keep(self, key: bytes, vector: Vectors) -> None:
        """Remember the vector of a window, shape (dimension), by its key."""
        if self._size:
            self._vectors[key] = np.array(vector)
            self._vectors.move_to_end(key)
            if len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
