"""Which windows are computed together, and how far they are padded."""

import random

import pytest

from nlp_service.inference import padding
from nlp_service.inference.encoder import Vectors, normalise, run_windows
from nlp_service.inference.engine import Engine
from nlp_service.inference.padding import BATCH_COST, BATCH_TOKENS, batches, pad, padded_length, padded_rows
from nlp_service.inference.windows import Window

LENGTHS = random.Random(5).choices(range(3, 257), k=200)


def cost(groups: list[list[int]], lengths: list[int]) -> int:
    return sum(BATCH_COST + pad([[7] * lengths[row] for row in rows])[0].size for rows in groups)


def batches_of(windows: list[Window]) -> list[list[int]]:
    return batches([len(window.ids) for window in windows])


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


@pytest.mark.parametrize("rows", [1, 2, 7, 21])
def test_few_numbers_of_tokens_occur(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(padding, "ROWS_ALIKE", True)
    for width in (8, 24, 40, 112):
        more = padded_rows(rows, width)
        assert more >= rows
        tokens = more * width
        assert rows == more == 1 or tokens % (16 if tokens <= 256 else 32) == 0
    numbers = {
        padded_rows(height, width) * width
        for width in range(8, 513, 8)
        for height in range(2, BATCH_TOKENS // width + 1)
    }
    assert len({number for number in numbers if number <= BATCH_TOKENS}) <= 24


def test_rows_of_nothing_change_no_vector(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    long = "发票抬头改不了,客服也不回,打了三次电话"
    texts = [f"{long} {number}" for number in range(5)]
    own = next(iter(engine.batchers.values())).encoder
    windows = own.windows(texts, "query")
    shapes: dict[bool, list[int]] = {}

    def vectors(filled_up: bool) -> Vectors:
        monkeypatch.setattr(padding, "ROWS_ALIKE", filled_up)
        shapes[filled_up] = [len(pad([windows[row].ids for row in rows])[0]) for rows in batches_of(windows)]
        return normalise(run_windows(own._session, windows, own.bundle.dimension))

    cosines = (vectors(True) * vectors(False)).sum(axis=1)
    assert shapes[True] != shapes[False]
    assert cosines.min() > 0.9999


def test_batches_are_cut_so_that_few_rows_of_nothing_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(padding, "ROWS_ALIKE", True)
    computed = sum(pad([[7] * LENGTHS[row] for row in rows])[0].size for rows in batches(LENGTHS))
    needed = sum(padded_length(length) for length in LENGTHS)
    assert computed < 1.1 * needed
