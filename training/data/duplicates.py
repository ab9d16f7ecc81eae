"""Groups of near-duplicate texts: character 5-grams, MinHash to find candidates, exact Jaccard to decide."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

GRAM = 5
PERMUTATIONS = 96
BAND_ROWS = 3
_PRIME = (1 << 31) - 1


def grams(text: str) -> frozenset[str]:
    """Character 5-grams of the text without white space, lower-case; the whole text when it is shorter."""
    flat = "".join(text.lower().split())
    return frozenset(flat[i : i + GRAM] for i in range(max(1, len(flat) - GRAM + 1)))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Share of common grams, 0…1."""
    union = len(left | right)
    return len(left & right) / union if union else 1.0


def near_duplicate_pairs(texts: Sequence[str], threshold: float = 0.5) -> list[tuple[int, int]]:
    """Index pairs (i < j) whose 5-gram Jaccard similarity exceeds `threshold` (0.5 or more).

    With 32 bands of 3 rows a pair of similarity 0.5 becomes a candidate with probability 0.986.
    """
    sets = [grams(text) for text in texts]
    signatures = np.stack([_signature(gram_set) for gram_set in sets]) if sets else np.empty((0, PERMUTATIONS))
    candidates: set[tuple[int, int]] = set()
    for start in range(0, PERMUTATIONS, BAND_ROWS):
        buckets: defaultdict[bytes, list[int]] = defaultdict(list)
        for index, row in enumerate(signatures[:, start : start + BAND_ROWS]):
            buckets[row.tobytes()].append(index)
        for bucket in buckets.values():
            candidates.update(combinations(bucket, 2))
    return sorted(pair for pair in candidates if jaccard(sets[pair[0]], sets[pair[1]]) > threshold)


def groups(texts: Sequence[str], threshold: float = 0.5) -> list[int]:
    """A group number for each text; near-duplicates, also by way of a third text, share one."""
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for left, right in near_duplicate_pairs(texts, threshold):
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(index) for index in range(len(texts))]


_SEEDS = np.random.default_rng(20261121)
_A = _SEEDS.integers(1, _PRIME, size=(PERMUTATIONS, 1), dtype=np.int64)
_B = _SEEDS.integers(0, _PRIME, size=(PERMUTATIONS, 1), dtype=np.int64)


def _signature(gram_set: Iterable[str]) -> NDArray[np.int64]:
    hashes = np.array([_hash(gram) for gram in gram_set], dtype=np.int64)
    minima: NDArray[np.int64] = ((_A * hashes + _B) % _PRIME).min(axis=1)
    return minima


def _hash(gram: str) -> int:
    return int.from_bytes(hashlib.blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") >> 2
