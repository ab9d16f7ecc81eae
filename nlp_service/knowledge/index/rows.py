"""Rows of stored vectors: which are meant, and which are the best."""

import faiss
import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.keys import Mask

Rows = NDArray[np.int64]


def meant_by(allowed: Mask, keys: Keys) -> Mask:
    """Which of the keys, 0 or more, the mask means; shape (keys)."""
    if len(allowed) == 0:
        return np.zeros(len(keys), dtype=np.bool_)
    meant: Mask = np.take(allowed, keys, mode="clip") & (keys < len(allowed))
    return meant


def selector(permitted: Mask) -> faiss.IDSelectorBitmap:
    """What makes FAISS pass over every row that is not permitted."""
    bits = np.packbits(permitted, bitorder="little")
    return faiss.IDSelectorBitmap(bits)  # type: ignore[arg-type, call-arg] # FAISS takes an array, and keeps it


def best(rows: NDArray[np.int64], scores: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """The `k` rows (or keys) of the highest scores, the best first, and these scores."""
    if len(rows) > k:
        chosen = np.argpartition(-scores, k - 1)[:k]
        rows, scores = rows[chosen], scores[chosen]
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]
