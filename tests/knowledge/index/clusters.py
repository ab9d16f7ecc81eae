"""Vectors that lie in clusters, as texts on the same matters do."""

import numpy as np

from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.index.protocol import Vectors

DIMENSION = 32
CLUSTERS = 100
_CENTRES = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSION))


def clustered(count: int, seed: int) -> Vectors:
    """Normalised vectors around centres that do not depend on the seed, shape (count, DIMENSION)."""
    rng = np.random.default_rng(seed)
    around = _CENTRES[rng.integers(CLUSTERS, size=count)] + 0.5 * rng.standard_normal((count, DIMENSION))
    return normalise(around.astype(np.float32))


def nearest(vectors: Vectors, query: Vectors, k: int) -> list[int]:
    """Rows of the `k` best, the best first, by comparing all."""
    return [int(row) for row in np.argsort(-(vectors @ query))[:k]]
