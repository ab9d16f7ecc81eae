"""What every vector index does: the nearest by inner product among what is allowed, in step with puts and removals."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.pgvector import PgVectorIndex
from nlp_service.knowledge.index.protocol import VectorIndex
from nlp_service.knowledge.keys import Mask
from nlp_service.storage.database import Database
from tests.knowledge.conftest import FINGERPRINT

DIMENSION = 16
KEYS = range(1000, 1200)
BEYOND = 2000
"""Length of the masks: more keys than the index has."""


def _random(count: int, seed: int) -> NDArray[np.float32]:
    return normalise(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))


def _mask(*keys: int, length: int = BEYOND) -> Mask:
    mask = np.zeros(length, dtype=bool)
    mask[list(keys)] = True
    return mask


@pytest.fixture(params=["faiss", "pgvector"])
def empty(request: pytest.FixtureRequest) -> VectorIndex:
    """An index without vectors, of each kind in turn."""
    made: VectorIndex = request.getfixturevalue(str(request.param))
    return made


@pytest.fixture
def faiss() -> VectorIndex:
    return FaissIndex(DIMENSION)


@pytest.fixture
def pgvector(postgres_database: Database) -> VectorIndex:
    return PgVectorIndex(postgres_database, FINGERPRINT, DIMENSION)


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return _random(len(KEYS), seed=1)


@pytest.fixture
def index(empty: VectorIndex, vectors: NDArray[np.float32]) -> VectorIndex:
    """200 vectors under KEYS."""
    empty.put(KEYS, vectors)
    return empty


def _brute_force(vectors: NDArray[np.float32], query: NDArray[np.float32], allowed: Mask, k: int) -> list[int]:
    order = np.argsort(-(vectors @ query)) + KEYS.start
    return [key for key in order.tolist() if allowed[key]][:k]


@pytest.mark.parametrize("seed", range(2, 7))
def test_search_agrees_with_brute_force(index: VectorIndex, vectors: NDArray[np.float32], seed: int) -> None:
    (query,) = _random(1, seed)
    assert [key for key, _ in index.search(query, 10)] == _brute_force(vectors, query, _mask(*KEYS), 10)


@pytest.mark.parametrize("step", [1, 2, 7, 50])
def test_filtered_search_agrees_with_brute_force(index: VectorIndex, vectors: NDArray[np.float32], step: int) -> None:
    (query,) = _random(1, seed=2)
    allowed = _mask(*KEYS[::step])
    assert [key for key, _ in index.search(query, 10, allowed)] == _brute_force(vectors, query, allowed, 10)


def test_cosines_are_told_of_the_keys_that_are_there(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=2)
    index.remove([KEYS[5]])
    found = index.cosines(query, [KEYS[9], KEYS[5], KEYS[0], BEYOND])
    assert found == pytest.approx({KEYS[0]: vectors[0] @ query, KEYS[9]: vectors[9] @ query}, abs=1e-5)


def test_vectors_are_told_of_the_keys_that_are_there(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove([KEYS[5]])
    index.put([KEYS[7]], -vectors[7:8])
    found = index.vectors([KEYS[9], KEYS[5], KEYS[7], BEYOND])
    assert found.keys() == {KEYS[9], KEYS[7]}
    assert np.allclose(found[KEYS[9]], vectors[9], atol=1e-6)
    assert np.allclose(found[KEYS[7]], -vectors[7], atol=1e-6)


def test_an_empty_index_tells_no_vectors(empty: VectorIndex) -> None:
    assert empty.vectors([1, 2]) == {}


def test_an_empty_index_tells_no_cosines(empty: VectorIndex) -> None:
    assert empty.cosines(_random(1, seed=2)[0], [1, 2]) == {}


def test_scores_are_inner_products(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=9)
    found = index.search(query, 5)
    expected = [float(vectors[key - KEYS.start] @ query) for key, _ in found]
    assert [score for _, score in found] == pytest.approx(expected, abs=1e-6)


def test_a_vector_finds_itself_first(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    assert dict(index.search(vectors[42], 1)) == pytest.approx({1042: 1.0})


def test_putting_a_key_again_replaces_its_vector(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.put([1042], -vectors[42:43])
    assert dict(index.search(vectors[42], 200))[1042] == pytest.approx(-1.0)


def test_putting_a_key_again_adds_none(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.put([1042], vectors[:1])
    found = [key for key, _ in index.search(vectors[0], 300)]
    assert (len(index), len(found), len(set(found))) == (200, 200, 200)


def test_vectors_of_another_dimension_are_a_mistake(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="shape"):
        index.put([7], np.ones((1, DIMENSION + 1), dtype=np.float32))


def test_putting_nothing_is_harmless(index: VectorIndex) -> None:
    index.put([], np.empty((0, DIMENSION), dtype=np.float32))
    assert len(index) == 200


def test_a_removed_key_is_not_found(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove([1042])
    assert 1042 not in dict(index.search(vectors[42], 200))


def test_removing_leaves_the_others(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove(range(1000, 1100))
    found = [key for key, _ in index.search(vectors[150], 200)]
    assert (len(index), sorted(found)) == (100, list(range(1100, 1200)))


@pytest.mark.parametrize("keys", [[1, 2, 3], []], ids=["unknown keys", "no keys"])
def test_removing_what_is_not_there_is_harmless(index: VectorIndex, keys: list[int]) -> None:
    index.remove(keys)
    assert len(index) == 200


def test_a_removed_key_may_come_back(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove([1042])
    index.put([1042], vectors[42:43])
    assert index.search(vectors[42], 1)[0][0] == 1042


def test_the_filter_comes_before_the_choice_of_the_nearest(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=3)
    worst = _brute_force(vectors, query, _mask(*KEYS), 200)[-5:]
    assert [key for key, _ in index.search(query, 5, _mask(*worst))] == worst


def test_a_filter_of_all_but_the_nearest_leaves_them_out(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    (query,) = _random(1, seed=3)
    order = _brute_force(vectors, query, _mask(*KEYS), 200)
    assert [key for key, _ in index.search(query, 10, _mask(*order[5:]))] == order[5:15]


def test_keys_beyond_the_mask_are_not_allowed(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    found = index.search(vectors[42], 200, np.ones(1042, dtype=bool))
    assert sorted(key for key, _ in found) == list(range(1000, 1042))


def test_keys_that_are_allowed_but_unknown_are_not_found(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    assert [key for key, _ in index.search(vectors[42], 10, _mask(1042, 5))] == [1042]


@pytest.mark.parametrize("length", [0, BEYOND])
def test_nothing_allowed_finds_nothing(index: VectorIndex, vectors: NDArray[np.float32], length: int) -> None:
    assert index.search(vectors[0], 10, _mask(length=length)) == []


def test_an_empty_index_finds_nothing(empty: VectorIndex) -> None:
    query = _random(1, seed=1)[0]
    assert (len(empty), empty.search(query, 10), empty.search(query, 10, _mask(7))) == (0, [], [])


def test_an_index_that_was_emptied_finds_nothing(index: VectorIndex, vectors: NDArray[np.float32]) -> None:
    index.remove(KEYS)
    assert (len(index), index.search(vectors[0], 10)) == (0, [])


def test_saving_leaves_everything_as_it_was(index: VectorIndex, vectors: NDArray[np.float32], tmp_path: Path) -> None:
    before = index.search(vectors[42], 10)
    index.save(tmp_path)
    assert (len(index), index.search(vectors[42], 10)) == (200, before)
