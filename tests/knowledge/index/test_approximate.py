"""FAISS index above its exact limit: recall, filters and changes."""

import numpy as np
import pytest

from nlp_service.knowledge.index import compressed
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.merging import Sizes
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.index.rows import Rows
from nlp_service.knowledge.keys import Mask
from tests.knowledge.index.clusters import DIMENSION, clustered, nearest

COUNT = 8_200
ALL = np.arange(COUNT)
QUERIES = clustered(100, seed=2)
KINDS = {
    "one list": Sizes(exact_limit=8_000),
    "many lists": Sizes(exact_limit=8_000, lists_from=8_000, vectors_of_list=8),
}


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return clustered(COUNT, seed=1)


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest, vectors: Vectors) -> FaissIndex:
    """Key k for row k, just above the exact limit. Tests copy it before they change it."""
    filled = FaissIndex(DIMENSION, sizes=KINDS[request.param])
    filled.put(range(COUNT), vectors)
    return filled.merged()


def _recall(index: FaissIndex, vectors: Vectors, rows: Rows, k: int = 10, allowed: Mask | None = None) -> float:
    """Recall@k against comparing all `rows`, which are those that count."""
    hits = 0
    for query in QUERIES:
        expected = {int(rows[row]) for row in nearest(vectors[rows], query, k)}
        hits += len(expected & {key for key, _ in index.search(query, k, allowed)})
    return hits / (len(QUERIES) * min(k, len(rows)))


def _recall_within(index: FaissIndex, vectors: Vectors, allowed: Mask) -> float:
    return _recall(index, vectors, np.flatnonzero(allowed), allowed=allowed)


@pytest.mark.parametrize("k", [1, 10, 50])
def test_recall_is_at_least_097(index: FaissIndex, vectors: Vectors, k: int) -> None:
    assert _recall(index, vectors, ALL, k) >= 0.97


def test_a_filter_that_allows_all_changes_nothing(index: FaissIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "PROBES", 20)
    everything = np.ones(COUNT, dtype=np.bool_)
    for query in QUERIES:
        assert index.search(query, 100, everything) == index.search(query, 100)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05, 0.001])
def test_recall_within_a_random_filter_is_at_least_097(index: FaissIndex, vectors: Vectors, share: float) -> None:
    assert _recall_within(index, vectors, np.random.default_rng(3).random(COUNT) < share) >= 0.97


def test_recall_within_a_filter_of_another_matter_is_at_least_097(index: FaissIndex, vectors: Vectors) -> None:
    hits = 0
    for query, other in zip(QUERIES, QUERIES[::-1], strict=True):
        allowed = np.zeros(COUNT, dtype=np.bool_)
        allowed[nearest(vectors, other, COUNT // 5)] = True
        rows = np.flatnonzero(allowed)
        expected = {int(rows[row]) for row in nearest(vectors[rows], query, 10)}
        hits += len(expected & {key for key, _ in index.search(query, 10, allowed)})
    assert hits / (10 * len(QUERIES)) >= 0.97


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
def test_a_filtered_search_finds_as_many_as_there_are(index: FaissIndex, share: float) -> None:
    allowed = np.random.default_rng(4).random(COUNT) < share
    found = {key for key, _ in index.search(QUERIES[0], COUNT, allowed)}
    assert found == set(np.flatnonzero(allowed).tolist())


def test_a_filtered_search_finds_as_many_as_wanted_where_the_lists_near_it_hold_fewer(
    index: FaissIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "PROBES", 1)
    allowed = np.random.default_rng(4).random(COUNT) < 0.5
    assert {len(index.search(query, 10, allowed)) for query in QUERIES} == {10}


def test_a_narrow_filter_is_exact(index: FaissIndex, vectors: Vectors) -> None:
    allowed = np.zeros(COUNT, dtype=np.bool_)
    allowed[::50] = True
    assert _recall_within(index, vectors, allowed) == 1.0


def test_keys_beyond_the_mask_are_not_allowed(index: FaissIndex) -> None:
    assert all(key < 5_000 for key, _ in index.search(QUERIES[0], 100, np.ones(5_000, dtype=np.bool_)))


def test_an_empty_mask_allows_nothing(index: FaissIndex) -> None:
    assert index.search(QUERIES[0], 10, np.empty(0, dtype=np.bool_)) == []


def test_cosines_are_exact_to_a_thousandth(index: FaissIndex, vectors: Vectors) -> None:
    found = index.search(QUERIES[0], 50)
    assert [cosine for _, cosine in found] == pytest.approx([vectors[key] @ QUERIES[0] for key, _ in found], abs=1e-3)


def test_recall_holds_when_half_is_removed(index: FaissIndex, vectors: Vectors) -> None:
    changed = index.copy()
    changed.remove(range(0, COUNT, 2))
    assert _recall(changed, vectors, ALL[1::2]) >= 0.97


def test_recall_holds_in_a_merge_that_keeps_the_codebook(index: FaissIndex, vectors: Vectors) -> None:
    changed = index.copy()
    changed.remove(range(100))
    changed.put(range(50), vectors[:50])
    assert _recall(changed.merged(), vectors, np.concatenate([ALL[:50], ALL[100:]])) >= 0.97


def test_a_merge_down_to_the_exact_limit_is_exact(index: FaissIndex, vectors: Vectors) -> None:
    changed = index.copy()
    changed.remove(range(500))
    assert _recall(changed.merged(), vectors, ALL[500:]) >= 0.998
