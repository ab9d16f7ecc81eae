"""What a batch may hold, and token ids of equal length for graphs that need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.processor import has_matrix_units

PAD = 1
BATCH_TOKENS = 512
"""Larger batches are no faster on CPUs, and keep those that wait longer (docs/decisions/0020)."""
BATCH_COST = 24
"""Padded tokens that are computed in the time that a batch takes beside its tokens (8 to 26 were measured)."""
LENGTHS = (
    (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
    if has_matrix_units()
    else (*range(8, 64, 8), *range(64, 257, 16), 320, 384, 448, 512)
)
"""Padded lengths: the runtime prepares kernels for each shape, and matrix units take 16 rows at a time."""
ROWS_ALIKE = not has_matrix_units()
"""Whether batches are filled up with rows of nothing, so that few numbers of tokens occur (`padded_rows`)."""


@dataclass(frozen=True)
class Packing:
    """How windows share a batch of at most `tokens`: padded to the length of the longest, or one after another."""

    tokens: int
    padded: bool

    def size(self, length: int) -> int:
        """Tokens that a window of this length is counted as."""
        return padded_length(length) if self.padded else length


PADDED = Packing(BATCH_TOKENS, padded=True)


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group rows of similar length into batches of at most `BATCH_TOKENS` padded tokens, the shortest first.

    Of all ways to cut the rows in order of length it takes the one with the fewest padded tokens, rows of nothing
    included, where each batch counts `BATCH_COST` more.
    """
    rows = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs, starts = [0], [0]  # of the first so many rows: what they cost, and where the last batch of them starts
    for end, row in enumerate(rows, 1):
        width = padded_length(lengths[row])
        options = []
        for start in range(max(0, end - max(1, BATCH_TOKENS // width)), end):
            tokens = padded_rows(end - start, width) * width
            if tokens <= BATCH_TOKENS or start == end - 1:
                options.append((costs[start] + BATCH_COST + tokens, start))
        cost, start = min(options)
        costs.append(cost)
        starts.append(start)
    result: list[list[int]] = []
    end = len(rows)
    while end:
        result.append(rows[starts[end] : end])
        end = starts[end]
    return result[::-1]


def padded_length(length: int) -> int:
    """The smallest of `LENGTHS` that holds `length` tokens, or `length` itself beyond them."""
    return next((bound for bound in LENGTHS if bound >= length), length)


def padded_rows(rows: int, width: int) -> int:
    """The smallest number of rows, at least so many, whose tokens are on the grid; one row stays alone.

    The grid are multiples of 16 tokens, above 256 of 32. The runtime keeps kernels for each number of tokens that it
    has seen, some megabytes (docs/decisions/0001).
    """
    if rows == 1 or not ROWS_ALIKE:
        return rows
    return next(more for more in count(rows) if more * width % (16 if more * width <= 256 else 32) == 0)


def pad(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, shape (padded rows, padded length); rows of nothing see their first token."""
    width = padded_length(max(map(len, rows)))
    height = padded_rows(len(rows), width)
    ids = np.full((height, width), PAD, dtype=np.int64)
    mask = np.zeros((height, width), dtype=np.int64)
    mask[len(rows) :, 0] = 1
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
