"""What a base becomes with its size: exact, one list of codes, or more lists as it grows."""

from pathlib import Path

import numpy as np
import pytest

from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.merging import SIZES, Sizes
from tests.knowledge.index.clusters import DIMENSION, clustered

SMALL = Sizes(exact_limit=1_000, lists_from=1_000, vectors_of_list=64)


@pytest.mark.parametrize(
    ("count", "lists"), [(20_001, 1), (199_999, 1), (200_000, 1_024), (1_000_000, 4_096), (3_000_000, 16_384)]
)
def test_there_are_as_many_lists_as_suit_the_size(count: int, lists: int) -> None:
    assert SIZES.lists_for(count) == lists


def test_an_exact_limit_that_is_too_small_to_learn_codes_from_is_refused() -> None:
    with pytest.raises(ValueError, match="exact_limit is 999, but at least 1000 is needed"):
        Sizes(exact_limit=999)


def _saved_starts(index: FaissIndex, folder: Path) -> list[int]:
    folder.mkdir()
    index.save(folder)
    starts: list[int] = np.load(folder / "starts.npy").tolist()
    return starts


@pytest.mark.parametrize(
    ("added", "lists"), [(1_000, 16), (6_000, 128)], ids=["keeps its lists", "learns more lists once four times suit"]
)
def test_a_base_that_grows(tmp_path: Path, added: int, lists: int) -> None:
    vectors = clustered(1_100 + added, seed=1)
    index = FaissIndex(DIMENSION, sizes=SMALL)
    index.put(range(1_100), vectors[:1_100])
    grown = index.merged()
    grown.put(range(1_100, len(vectors)), vectors[1_100:])
    starts = _saved_starts(grown.merged(), tmp_path / "grown")
    assert (len(starts) - 1, starts[-1]) == (lists, len(vectors))


def test_a_base_that_shrinks_to_the_exact_limit_has_no_codes(tmp_path: Path) -> None:
    index = FaissIndex(DIMENSION, sizes=SMALL)
    index.put(range(1_001), clustered(1_001, seed=1))
    shrunk = index.merged()
    shrunk.remove([0])
    shrunk.merged().save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "keys.npy",
        "recent_keys.npy",
        "recent_vectors.npy",
        "vectors.faiss",
    ]
