"""Which windows are computed together, and how far they are padded."""

import random

import pytest

from nlp_service.inference.encoder import BATCH_COST, BATCH_TOKENS, batches, pad, padded_length

LENGTHS = random.Random(5).choices(range(3, 257), k=200)


def cost(groups: list[list[int]], lengths: list[int]) -> int:
    return sum(BATCH_COST + len(rows) * max(padded_length(lengths[row]) for row in rows) for rows in groups)


def test_every_row_is_in_one_batch() -> None:
    assert sorted(row for rows in batches(LENGTHS) for row in rows) == list(range(len(LENGTHS)))


def test_no_batch_has_more_than_its_tokens() -> None:
    assert max(pad([[7] * LENGTHS[row] for row in rows])[0].size for rows in batches(LENGTHS)) <= BATCH_TOKENS


def test_a_row_longer_than_a_batch_is_alone() -> None:
    assert batches([BATCH_TOKENS + 1, 4]) == [[1], [0]]


def test_the_shortest_come_first() -> None:
    longest = [max(LENGTHS[row] for row in rows) for rows in batches(LENGTHS)]
    assert longest == sorted(longest)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([30, 14], [[1, 0]]),
        ([30, 14, 15, 16], [[1, 2, 3], [0]]),
        ([120, 14], [[1], [0]]),
        ([14, 30, 31, 32], [[0, 1, 2, 3]]),
    ],
    ids=["a batch costs as much as the padding", "a batch costs less", "much less", "one among longer ones"],
)
def test_short_rows_go_with_longer_ones_where_padding_costs_less_than_a_batch(
    lengths: list[int], expected: list[list[int]]
) -> None:
    assert batches(lengths) == expected


def test_it_costs_less_than_a_batch_for_each_padded_length() -> None:
    few = [13, 21, 30, 41, 60, 75]
    assert cost(batches(few), few) < cost([[row] for row in range(len(few))], few)


def test_nothing_makes_no_batch() -> None:
    assert batches([]) == []
