"""FAISS index in files: opened it is the same, shared and changeable; damaged it is refused."""

import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.merging import Sizes
from nlp_service.knowledge.index.protocol import Vectors
from tests.knowledge.index.clusters import DIMENSION, clustered

COUNT = 1_500
KINDS = {"exact": Sizes(), "approximate": Sizes(exact_limit=1_000), "lists": Sizes(exact_limit=1_000, lists_from=1_000)}
FILES = {"exact": 4, "approximate": 6, "lists": 6}


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return clustered(COUNT, seed=1)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def index(kind: str, vectors: Vectors) -> FaissIndex:
    """Rows 0 to 1399 in the base, 1300 to 1499 put after it, 5 and 1450 removed."""
    started = FaissIndex(DIMENSION, sizes=KINDS[kind])
    started.put(range(1_400), vectors[:1_400])
    merged = started.merged()
    merged.put(range(1_300, COUNT), vectors[1_300:])
    merged.remove([5, 1_450])
    return merged


@pytest.fixture
def folder(index: FaissIndex, tmp_path: Path) -> Path:
    """Where the index was saved."""
    saved = tmp_path / "saved"
    saved.mkdir()
    index.save(saved)
    return saved


def _open(folder: Path, kind: str = "exact") -> FaissIndex:
    return FaissIndex.open(folder, DIMENSION, sizes=KINDS[kind])


def _nearest(index: FaissIndex, vector: Vectors) -> int:
    ((key, _),) = index.search(vector, 1)
    return key


def test_an_opened_index_finds_the_same(index: FaissIndex, folder: Path, vectors: Vectors) -> None:
    opened = _open(folder)
    assert (len(opened), opened.search(vectors[7], COUNT)) == (COUNT - 2, index.search(vectors[7], COUNT))


def test_an_opened_index_is_saved_as_it_is(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    _open(folder).save(again)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }


def test_an_opened_index_merges(folder: Path, kind: str, vectors: Vectors) -> None:
    merged = _open(folder, kind).merged()
    assert (len(merged), _nearest(merged, vectors[1_499])) == (COUNT - 2, 1_499)


def test_changes_of_one_that_opened_it_do_not_show_in_another(folder: Path, vectors: Vectors) -> None:
    changed, other = _open(folder), _open(folder)
    before = other.search(vectors[7], COUNT)
    changed.put([7, 9_000], -vectors[:2])
    changed.remove([8, 1_399])
    assert (len(changed), len(other), other.search(vectors[7], COUNT)) == (COUNT - 3, COUNT - 2, before)
    assert _open(folder).search(vectors[7], COUNT) == before


def test_an_opened_index_outlives_its_folder(folder: Path, vectors: Vectors) -> None:
    opened = _open(folder)
    shutil.rmtree(folder)
    assert _nearest(opened, vectors[7]) == 7


@pytest.mark.parametrize("emptied", [False, True], ids=["never filled", "emptied"])
def test_an_empty_index_is_saved_and_filled_after_opening(tmp_path: Path, vectors: Vectors, *, emptied: bool) -> None:
    index = FaissIndex(DIMENSION)
    if emptied:
        index.put(range(10), vectors[:10])
        index = index.merged()
        index.remove(range(10))
    index.save(tmp_path)
    opened = _open(tmp_path)
    opened.put([3], vectors[3:4])
    assert dict(opened.search(vectors[3], 10)) == pytest.approx({3: 1.0})


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match=r"vectors\.faiss.*missing"):
        _open(tmp_path)


def test_another_dimension_is_refused(folder: Path) -> None:
    with pytest.raises(IndexDamaged, match="dimension 32, but 64"):
        FaissIndex.open(folder, 64)


def test_each_missing_file_is_refused(folder: Path, kind: str, tmp_path: Path) -> None:
    names = sorted(file.name for file in folder.iterdir())
    assert len(names) == FILES[kind]
    for name in names:
        broken = tmp_path / f"without {name}"
        shutil.copytree(folder, broken)
        (broken / name).unlink()
        with pytest.raises(IndexDamaged, match=name):
            _open(broken)


@pytest.mark.parametrize("left", [0, 20, 130, -1])
def test_each_truncated_file_is_refused(folder: Path, tmp_path: Path, left: int) -> None:
    for file in sorted(folder.iterdir()):
        broken = tmp_path / f"cut {file.name}"
        shutil.copytree(folder, broken)
        (broken / file.name).write_bytes(file.read_bytes()[:left])
        with pytest.raises(IndexDamaged, match=file.name):
            _open(broken)


def test_each_file_of_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    for file in sorted(folder.iterdir()):
        broken = tmp_path / f"foreign {file.name}"
        shutil.copytree(folder, broken)
        (broken / file.name).write_bytes(b"PK\x03\x04" + bytes(5_000))
        with pytest.raises(IndexDamaged, match=file.name):
            _open(broken)


@pytest.mark.parametrize("name", ["keys.npy", "recent_keys.npy", "recent_vectors.npy"])
def test_a_file_of_a_smaller_index_is_refused(folder: Path, name: str) -> None:
    np.save(folder / name, np.load(folder / name)[:-1])
    with pytest.raises(IndexDamaged, match=r"of shape"):
        _open(folder)


def test_a_recent_key_that_stands_twice_is_refused(folder: Path) -> None:
    keys = np.load(folder / "recent_keys.npy")
    keys[1] = keys[0]
    np.save(folder / "recent_keys.npy", keys)
    with pytest.raises(IndexDamaged, match="twice"):
        _open(folder)


def test_an_index_of_another_kind_is_refused(folder: Path, vectors: Vectors) -> None:
    graph = faiss.IndexHNSWFlat(DIMENSION, 8, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors[:1_400])
    faiss.write_index(graph, str(folder / "vectors.faiss"))
    with pytest.raises(IndexDamaged, match="another kind of index: IndexHNSWFlat"):
        _open(folder)


def test_vectors_for_another_measure_of_nearness_are_refused(folder: Path, vectors: Vectors) -> None:
    distances = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2)
    distances.add(vectors[:1_400])
    faiss.write_index(distances, str(folder / "vectors.faiss"))
    with pytest.raises(IndexDamaged, match="another kind of index"):
        _open(folder)


@pytest.mark.parametrize("kind", ["lists"], indirect=True)
def test_lists_of_another_index_are_refused(folder: Path, vectors: Vectors, tmp_path: Path) -> None:
    smaller = FaissIndex(DIMENSION, sizes=KINDS["lists"])
    smaller.put(range(1_100), vectors[:1_100])
    other = tmp_path / "other"
    other.mkdir()
    smaller.merged().save(other)
    for name in ("lists.faiss", "starts.npy"):
        shutil.copy(other / name, folder)
    with pytest.raises(IndexDamaged, match="1100 rows, but 1400 are needed"):
        _open(folder)


@pytest.mark.parametrize("kind", ["lists"], indirect=True)
def test_lists_that_do_not_follow_one_another_are_refused(folder: Path) -> None:
    starts = np.load(folder / "starts.npy")
    np.save(folder / "starts.npy", np.concatenate([starts[:1], starts[-2:0:-1], starts[-1:]]))
    with pytest.raises(IndexDamaged, match=r"starts\.npy.*does not belong to lists\.faiss"):
        _open(folder)
