"""FAISS index: whatever is put, removed, merged, saved and opened, it holds what a dictionary would."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nlp_service.knowledge.index.faiss_index import MERGE_FROM, FaissIndex
from nlp_service.knowledge.index.merging import Sizes
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.keys import Mask
from tests.knowledge.index.clusters import DIMENSION, clustered, nearest

KEYS = range(1000, 1200)


@pytest.fixture
def vectors() -> Vectors:
    return clustered(len(KEYS), seed=1)


@pytest.fixture
def index(vectors: Vectors) -> FaissIndex:
    """Half of KEYS in the base, the others put after it."""
    started = FaissIndex(DIMENSION)
    started.put(KEYS[:100], vectors[:100])
    merged = started.merged()
    merged.put(KEYS[100:], vectors[100:])
    return merged


def _keys(found: list[tuple[int, float]]) -> list[int]:
    return [key for key, _ in found]


@pytest.mark.parametrize("seed", range(2, 7))
def test_search_over_base_and_recent_agrees_with_brute_force(index: FaissIndex, vectors: Vectors, seed: int) -> None:
    (query,) = clustered(1, seed)
    assert _keys(index.search(query, 10)) == [KEYS[row] for row in nearest(vectors, query, 10)]


def test_cosines_are_those_of_the_vectors(index: FaissIndex, vectors: Vectors) -> None:
    (query,) = clustered(1, seed=9)
    found = index.search(query, 20)
    assert [cosine for _, cosine in found] == pytest.approx([vectors[key - 1000] @ query for key, _ in found], abs=1e-6)


@pytest.mark.parametrize("key", [1042, 1142], ids=["in the base", "recent"])
def test_a_removed_key_is_not_found(index: FaissIndex, vectors: Vectors, key: int) -> None:
    index.remove([key])
    assert key not in _keys(index.search(vectors[key - 1000], 300))
    assert key not in _keys(index.search(vectors[key - 1000], 300, np.ones(2_000, dtype=np.bool_)))


@pytest.mark.parametrize("key", [1042, 1142], ids=["in the base", "recent"])
def test_a_key_that_is_put_again_has_its_new_vector_alone(index: FaissIndex, vectors: Vectors, key: int) -> None:
    index.put([key], -vectors[key - 1000 : key - 999])
    cosines = [cosine for found, cosine in index.search(vectors[key - 1000], 300) if found == key]
    assert cosines == pytest.approx([-1.0])


def test_of_a_key_that_is_put_twice_at_once_the_last_vector_counts(index: FaissIndex, vectors: Vectors) -> None:
    index.put([5, 5], vectors[:2])
    assert len(index) == 201
    assert dict(index.search(vectors[1], 300))[5] == pytest.approx(1.0)


def test_vectors_of_another_dimension_are_refused(index: FaissIndex) -> None:
    with pytest.raises(ValueError, match="shape"):
        index.put([1], np.zeros((1, DIMENSION + 1), dtype=np.float32))


def test_merging_leaves_the_old_index_as_it_was(index: FaissIndex, vectors: Vectors) -> None:
    index.remove([1042])
    before = index.search(vectors[42], 300)
    index.merged().remove(KEYS[:50])
    assert (len(index), index.search(vectors[42], 300)) == (199, before)


def test_merged_finds_the_same(index: FaissIndex, vectors: Vectors) -> None:
    index.remove(KEYS[::3])
    merged = index.merged()
    assert dict(merged.search(vectors[7], 300)) == pytest.approx(dict(index.search(vectors[7], 300)), abs=1e-6)


def test_changes_after_a_copy_do_not_show_in_it(index: FaissIndex, vectors: Vectors) -> None:
    copy = index.copy()
    index.remove([1042, 1142])
    index.put([7], vectors[:1])
    assert (len(copy), sorted(_keys(copy.search(vectors[0], 300)))) == (200, list(KEYS))


def test_many_additions_ask_for_a_merge_until_it_is_done() -> None:
    index = FaissIndex(DIMENSION)
    index.put(range(MERGE_FROM), clustered(MERGE_FROM, seed=3))
    few = index.needs_merge
    index.put([MERGE_FROM], clustered(1, seed=4))
    assert (few, index.needs_merge, index.merged().needs_merge) == (False, True, False)


def test_many_removals_ask_for_a_merge_until_it_is_done() -> None:
    filled = FaissIndex(DIMENSION)
    filled.put(range(2 * MERGE_FROM), clustered(2 * MERGE_FROM, seed=3))
    index = filled.merged()
    index.remove(range(MERGE_FROM + 1))
    assert (index.needs_merge, index.merged().needs_merge) == (True, False)


SOME_KEYS = st.integers(80, 130)
MASKS = st.builds(
    lambda seed, length: np.random.default_rng(seed).random(length) < 0.5, SOME_KEYS, st.integers(0, 1_300)
)
POOL = clustered(1_200, seed=11)


class Oracle(RuleBasedStateMachine):
    """Any sequence of operations, beside a dictionary from key to vector."""

    @initialize(fill=st.sampled_from([0, 1_100]))
    def start(self, fill: int) -> None:
        self.sizes = Sizes(exact_limit=1_000)
        self.index = FaissIndex(DIMENSION, sizes=self.sizes)
        self.index.put(range(100, 100 + fill), POOL[:fill])
        self.expected = dict(zip(range(100, 100 + fill), POOL[:fill], strict=True))

    @rule(keys=st.lists(SOME_KEYS, max_size=8, unique=True), first=st.integers(0, 1_190))
    def put(self, keys: list[int], first: int) -> None:
        vectors = POOL[first : first + len(keys)]
        self.index.put(keys, vectors)
        self.expected.update(zip(keys, vectors, strict=True))

    @rule(keys=st.sets(SOME_KEYS, max_size=8))
    def remove(self, keys: set[int]) -> None:
        self.index.remove(keys)
        self.expected = {key: vector for key, vector in self.expected.items() if key not in keys}

    @rule()
    def merge(self) -> None:
        self.index = self.index.merged()

    @rule()
    def save_and_open(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index = FaissIndex.open(Path(folder), DIMENSION, sizes=self.sizes)

    @rule(query=st.integers(0, 1_199), k=st.integers(0, 30), allowed=st.none() | MASKS)
    def search(self, query: int, k: int, allowed: Mask | None) -> None:
        found = self.index.search(POOL[query], k, allowed)
        meant = {key for key in self.expected if allowed is None or (key < len(allowed) and allowed[key])}
        cosines = {key: float(self.expected[key] @ POOL[query]) for key in meant}
        assert len({key for key, _ in found}) == len(found)
        assert [cosine for _, cosine in found] == pytest.approx(sorted(cosines.values(), reverse=True)[:k], abs=1e-3)
        assert [cosines[key] for key, _ in found] == pytest.approx([cosine for _, cosine in found], abs=1e-3)

    @invariant()
    def holds_as_many(self) -> None:
        assert len(self.index) == len(self.expected)


TestOracle = Oracle.TestCase
TestOracle.settings = settings(max_examples=25, stateful_step_count=20, deadline=None, derandomize=True)
