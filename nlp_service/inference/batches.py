"""Cuts windows into batches: packed into one row of tokens, or padded to equal length."""

from collections.abc import Callable, Sequence
from itertools import count
from math import inf

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.packed_session import packed_cost
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


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group rows of similar length into batches of at most `BATCH_TOKENS` padded tokens, the shortest first.

    They have the fewest padded tokens, rows of nothing included, where each batch counts `BATCH_COST` more.
    """
    return _cut(lengths, lambda rows, longest, _: padded_cost(rows, longest))


def packed_batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group windows so that the tokens of each group fit into a row of a `PackedSession`, the shortest first."""
    return _cut(lengths, lambda _, __, tokens: packed_cost(tokens))


def _cut(lengths: Sequence[int], cost_of: Callable[[int, int, int], float]) -> list[list[int]]:
    """Of all ways to cut the rows in order of length the one that costs least.

    `cost_of` is given how many rows a batch has, the tokens of the longest, and those of all; it is infinite when they
    are too many.
    """
    rows = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs: list[float] = [0]  # of the first so many rows
    starts = [0]  # where the last batch of them starts
    for end, row in enumerate(rows, 1):
        options: list[tuple[float, int]] = []
        tokens = 0
        for start in range(end - 1, -1, -1):
            tokens += lengths[rows[start]]
            cost = cost_of(end - start, lengths[row], tokens)
            if cost == inf:
                break
            options.append((costs[start] + cost, start))
        cost, start = min(options)
        costs.append(cost)
        starts.append(start)
    result: list[list[int]] = []
    end = len(rows)
    while end:
        result.append(rows[starts[end] : end])
        end = starts[end]
    return result[::-1]


def padded_cost(rows: int, length: int) -> float:
    """Of windows of up to `length` tokens as a batch, in the time that a token takes; infinite when too many."""
    width = padded_length(length)
    tokens = padded_rows(rows, width) * width
    return BATCH_COST + tokens if rows == 1 or tokens <= BATCH_TOKENS else inf


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
