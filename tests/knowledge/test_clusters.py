"""Grouping by likeness, on vectors whose neighbours are known."""

import numpy as np
import pytest

from nlp_service.knowledge import clusters as module
from nlp_service.knowledge.clusters import Points, clusters
from nlp_service.knowledge.likeness import Likeness, Values

DIMENSION = 16
BY_COSINE = Likeness(cosine=100.0, length=0.0, same_label=0.0, intercept=-90.0)
"""A cosine of 0.9 or more tells the same matter."""


def _points(vectors: Values, labels: list[int] | None = None) -> Points:
    normalised = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = np.array(labels or [0] * len(vectors), np.int64)
    return Points(normalised.astype(np.float32), np.zeros(len(vectors)), codes)


def _matters(sizes: list[int], spread: float = 0.01) -> Points:
    """Around each of some axes that are at right angles, so many vectors."""
    generator = np.random.default_rng(0)
    places = np.repeat(np.arange(len(sizes)), sizes)
    return _points(np.eye(DIMENSION)[places] + generator.normal(0, spread, (len(places), DIMENSION)))


def _grouped(points: Points, threshold: float = 0.5, likeness: Likeness = BY_COSINE) -> list[list[int]]:
    return [group.tolist() for group in clusters(points, threshold, likeness)]


def test_what_resembles_is_grouped_the_largest_group_first() -> None:
    assert _grouped(_matters([2, 4, 3])) == [[2, 3, 4, 5], [6, 7, 8], [0, 1]]


def test_equal_groups_come_by_their_first_place() -> None:
    assert _grouped(_matters([2, 2])) == [[0, 1], [2, 3]]


def test_what_resembles_nothing_stays_alone() -> None:
    assert _grouped(_matters([1, 1, 2])) == [[2, 3], [0], [1]]


def test_nothing_has_no_groups() -> None:
    assert _grouped(_points(np.empty((0, DIMENSION)))) == []


def test_one_point_is_a_group() -> None:
    assert _grouped(_matters([1])) == [[0]]


def test_a_chain_is_not_one_group() -> None:
    """Each resembles the next one, the ends do not resemble each other."""
    angles = np.radians(np.arange(0, 120, 20))
    chain = np.zeros((len(angles), DIMENSION))
    chain[:, 0], chain[:, 1] = np.cos(angles), np.sin(angles)
    assert max(len(group) for group in _grouped(_points(chain))) == 3


def test_a_group_may_be_larger_than_the_number_of_neighbours() -> None:
    assert [len(group) for group in _grouped(_matters([5 * module.NEIGHBOURS, 3]))] == [5 * module.NEIGHBOURS, 3]


def test_equal_vectors_are_one_group_however_many() -> None:
    assert [len(group) for group in _grouped(_matters([3000, 2], spread=0.0))] == [3000, 2]


def test_a_higher_threshold_never_joins_more() -> None:
    points = _matters([6, 6, 6], spread=0.1)
    counts = [len(_grouped(points, threshold)) for threshold in (0.1, 0.5, 0.9)]
    assert counts == sorted(counts)


def test_labels_that_differ_count_against() -> None:
    strict = Likeness(cosine=100.0, length=0.0, same_label=50.0, intercept=-140.0)
    points = _points(np.eye(DIMENSION)[[0, 0, 0]], labels=[0, 0, 1])
    assert _grouped(points, 0.5, strict) == [[0, 1], [2]]


def test_many_points_are_grouped_as_by_exact_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    points = _matters([60] * DIMENSION)
    exact = _grouped(points)
    monkeypatch.setattr(module, "EXACT_UP_TO", 500)
    assert _grouped(points) == exact
