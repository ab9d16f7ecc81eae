"""Vector index: exact nearest neighbours, in step with what was put and removed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.vector_index import VectorIndex

DIMENSION = 16


def _random(count: int, seed: int) -> NDArray[np.float32]:
    return normalise(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return _random(200, seed=1)


@pytest.fixture
def index(vectors: NDArray[np.float32]) -> VectorIndex:
    """200 vectors under the ids 1000 to 1199."""
    filled = VectorIndex(DIMENSION)
    filled.put(range(1000, 1200), vectors)
    return filled


def _brute_force(vectors: NDArray[np.float32], query: NDArray[np.float32], allowed: set[int], k: int) -> list[int]:
    order = np.argsort(-(vectors @ query)) + 1000
    return [key for key in order.tolist() if key in allowed][:k]


@pytest.mark.parametrize("seed", range(2, 7))
def test_search_agrees_with_brute_force(index: VectorIndex, vectors: NDArray[np.float32], seed: int) -> None:
    (query,) = _random(1, seed)
    assert [key for key, _ in index.search(query, 10)] == _brute_force(vectors, query, set(range(1000, 1200)), 10)


@pytest.mark.parametrize("seed", range(2, 7))
def test_filtered_search_agrees_with_brute_force(index: VectorIndex, vectors: NDArray[np.float32], seed: int) -> None:
    (query,) = _random(1, seed)
    allowed = set(range(1000, 1200, 7))
    assert [key for key, _ in index.search(query, 10, allowed)] == _brute_force(vectors, query, allowed, 10)


def test_scores_are_inner_products(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=9)
    found = index.search(query, 5)
    assert [score for _, score in found] == pytest.approx([float(vectors[key - 1000] @ query) for key, _ in found])


def test_a_vector_finds_itself_first(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    assert dict(index.search(vectors[42], 1)) == pytest.approx({1042: 1.0})


def test_putting_an_id_again_replaces_its_vector(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.put([1042], -vectors[42:43])
    assert dict(index.search(vectors[42], 200))[1042] == pytest.approx(-1.0)


def test_putting_an_id_again_adds_none(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.put([1042], vectors[:1])
    found = [key for key, _ in index.search(vectors[0], 300)]
    assert (len(index), len(found), len(set(found))) == (200, 200, 200)


def test_a_removed_id_is_not_found(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove([1042])
    assert 1042 not in dict(index.search(vectors[42], 200))


def test_removing_leaves_the_others(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove(range(1000, 1100))
    found = [key for key, _ in index.search(vectors[150], 200)]
    assert (len(index), sorted(found)) == (100, list(range(1100, 1200)))


def test_removing_unknown_ids_is_harmless(index: VectorIndex) -> None:
    index.remove([1, 2, 3])
    assert len(index) == 200


def test_a_removed_id_may_come_back(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove([1042])
    index.put([1042], vectors[42:43])
    assert index.search(vectors[42], 1)[0][0] == 1042


def test_the_filter_comes_before_the_best_k(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=3)
    worst = _brute_force(vectors, query, set(range(1000, 1200)), 200)[-5:]
    assert [key for key, _ in index.search(query, 5, worst)] == worst


def test_ids_that_are_allowed_but_unknown_are_not_found(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    assert [key for key, _ in index.search(vectors[42], 10, [1042, 5])] == [1042]


def test_nothing_allowed_finds_nothing(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    assert index.search(vectors[0], 10, []) == []


def test_an_empty_index_finds_nothing() -> None:
    assert VectorIndex(DIMENSION).search(_random(1, seed=1)[0], 10) == []


def test_an_index_that_was_emptied_finds_nothing(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove(range(1000, 1200))
    assert (len(index), index.search(vectors[0], 10)) == (0, [])
