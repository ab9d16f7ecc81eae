"""Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)."""

from collections import defaultdict
from collections.abc import Sequence

K = 60


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = K) -> list[tuple[int, float]]:
    """Fuse rankings of ids (best first) into one, with scores in 0…1; 1 means first in every ranking."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] += 1.0 / (k + rank)
    best = len(rankings) / (k + 1)
    return sorted(((key, score / best) for key, score in scores.items()), key=lambda hit: (-hit[1], hit[0]))
