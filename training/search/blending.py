"""Between the plain and the tuned encoder, so that texts unlike those trained on do not lose (Wortsman et al. 2022)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLOSE = 0.01
"""Less than this in mean reciprocal rank is nothing that a few dozen queries can tell apart."""


@dataclass(frozen=True)
class Blend:
    """A share of the tuned weights, and what it gives on the validation split."""

    share: float
    reciprocal_rank: float
    separation: float
    """ROC AUC of pairs."""


def best_blend(tried: Sequence[Blend]) -> Blend:
    """Of those that find articles as well as the best does, the one that separates pairs best.

    Finding is what the encoder is for. When nothing finds more than share 0, the plain encoder, it is that.
    """
    plain = next(one for one in tried if one.share == 0)
    best = max(one.reciprocal_rank for one in tried)
    if plain.reciprocal_rank == best:
        return plain
    return max((one for one in tried if one.reciprocal_rank >= best - CLOSE), key=lambda one: one.separation)


def blend(
    plain: Mapping[str, NDArray[np.float32]], tuned: Mapping[str, NDArray[np.float32]], share: float
) -> dict[str, NDArray[np.float32]]:
    """Weights between `plain` (share 0) and `tuned` (share 1)."""
    return {name: (weight + share * (tuned[name] - weight)).astype(np.float32) for name, weight in plain.items()}
