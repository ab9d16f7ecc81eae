"""What every vector index can do."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.keys import Mask

Vectors = NDArray[np.float32]
Keys = NDArray[np.int64]


class VectorIndex(Protocol):
    """Keys with normalised vectors. Not safe for use by several threads at once."""

    def __len__(self) -> int: ...

    @property
    def keys(self) -> Keys:
        """All keys, in no order."""
        ...

    def put(self, keys: Collection[int], vectors: Vectors) -> None:
        """Add vectors, shape (keys, dimension); a key that is already there is replaced."""
        ...

    def remove(self, keys: Collection[int]) -> None:
        """Take keys out; unknown ones are ignored."""
        ...

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` nearest (key, cosine), the best first, among `allowed` keys when given.

        As many as there are when fewer than `k` are allowed: the filter works before the choice of the nearest.
        """
        ...

    def cosines(self, vector: Vectors, keys: Collection[int]) -> dict[int, float]:
        """The cosines of those of the different `keys` that are there, in no order."""
        ...

    def vectors(self, keys: Collection[int]) -> dict[int, Vectors]:
        """The vectors, shape (dimension,), of those of the different `keys` that are there, in no order.

        As exact as those that `cosines` compares with.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder, to be opened again without computing anything."""
        ...
