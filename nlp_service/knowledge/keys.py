"""One number for each searchable record, article or case, so that both stand in one index.

Numbers of records are never used twice (the tables count on), so a key always means the same record.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["article", "case"]
KINDS: tuple[Kind, ...] = ("article", "case")
Mask = NDArray[np.bool_]
"""Which keys are meant: entry k for key k. Keys from its length on are not meant."""


def key_of(kind: Kind, number: int) -> int:
    """The key of a record; 0 or more."""
    return number * len(KINDS) + KINDS.index(kind)


def record_of(key: int) -> tuple[Kind, int]:
    """The kind and the number of the record that a key stands for."""
    return KINDS[key % len(KINDS)], key // len(KINDS)
