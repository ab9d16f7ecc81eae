"""Weights in files take memory only while they are read."""

from pathlib import Path

import numpy as np
import pytest

from nlp_service.inference.bundle import QUERY, WHOLE
from nlp_service.inference.engine import Engine
from nlp_service.inference.mapped import Mapped, moved_to_file, share_tables
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import Arithmetic, OpenVinoSession
from tests.conftest import BUNDLES

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="/proc tells what is resident")
PAGES = 64


@pytest.fixture(scope="module")
def folder(engine: Engine) -> Path:
    bundle = engine.search_model
    return BUNDLES / encoder_folder(bundle.name, bundle.fingerprint)


def resident_bytes(mapped: Mapped) -> int:
    start = f"{mapped.bytes.ctypes.data:x}-"
    lines = iter(Path("/proc/self/smaps").read_text("ascii", errors="replace").splitlines())
    next(line for line in lines if line.startswith(start))
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


@pytest.fixture
def mapped(tmp_path: Path) -> Mapped:
    file = tmp_path / "weights"
    file.write_bytes(bytes(range(256)) * (PAGES * 16))
    return Mapped(file)


@needs_proc
def test_what_was_read_and_released_takes_no_memory(mapped: Mapped) -> None:
    mapped.bytes.sum()
    assert resident_bytes(mapped) >= PAGES * 4096
    mapped.release()
    assert resident_bytes(mapped) == 0


def test_released_bytes_are_read_again(mapped: Mapped) -> None:
    before = mapped.bytes.copy()
    mapped.release()
    assert np.array_equal(mapped.bytes, before)


def test_a_file_that_is_gone_is_still_read(mapped: Mapped, tmp_path: Path) -> None:
    (tmp_path / "weights").unlink()
    mapped.release()
    assert mapped.bytes[255] == 255


def test_writing_into_the_bytes_leaves_the_file(mapped: Mapped, tmp_path: Path) -> None:
    mapped.bytes[0] = 9
    assert (tmp_path / "weights").read_bytes()[0] == 0


def test_arrays_moved_to_a_file_are_equal() -> None:
    generator = np.random.default_rng(5)
    arrays = [generator.normal(size=shape).astype(np.float32) for shape in ((3, 4), (1,), (2, 3, 5))]
    arrays.append(np.asfortranarray(arrays[0]))
    file, moved = moved_to_file(arrays)
    file.release()
    assert all(np.array_equal(one, other) for one, other in zip(arrays, moved, strict=True))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    moved_to_file([np.ones((2, 2), np.float32)])
    assert list(tmp_path.iterdir()) == []


def test_equal_word_embeddings_are_mapped_once(folder: Path) -> None:
    openvino = import_openvino()
    read = []
    for files in (WHOLE, QUERY):
        weights = Mapped(folder / files.weights)
        given = openvino.Tensor(weights.bytes, shared_memory=True)
        graph = openvino.Core().read_model((folder / files.graph).read_bytes(), given)
        read.append((weights, graph, share_tables(openvino, graph, weights)))
    tables = [
        max((node.get_data() for node in graph.get_ops() if node.get_type_name() == "Constant"), key=np.size)
        for _, graph, _ in read
    ]
    assert read[1][2]
    assert read[1][0] not in read[1][2]
    assert np.array_equal(*tables)


@needs_proc
@pytest.mark.parametrize("arithmetic", ["bf16", "int8-dynamic"])
def test_a_loaded_encoder_has_let_its_files_go(folder: Path, arithmetic: Arithmetic) -> None:
    session = OpenVinoSession(folder, 1, arithmetic)
    assert sum(resident_bytes(mapped) for mapped in session._mapped) == 0
