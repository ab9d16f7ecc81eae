"""Arrays that grow by doubling, so that adding one entry at a time stays cheap."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)
SMALLEST = 64


def grown(array: NDArray[Number], size: int, fill: Any) -> NDArray[Number]:
    """`array` itself when it has `size` entries, else a copy of at least twice its length with `fill` behind."""
    if size <= len(array):
        return array
    longer = np.full(max(size, 2 * len(array), SMALLEST), fill, array.dtype)
    longer[: len(array)] = array
    return longer
