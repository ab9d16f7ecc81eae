"""Weights in 8 bits, and the same weights unpacked for units that compute in bf16."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nlp_service.inference.encoder import Encoder, normalise, run_windows
from nlp_service.inference.engine import Engine
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import Arithmetic, OpenVinoSession
from nlp_service.inference.unpacking import rounded, unpack_weights
from tests.conftest import BUNDLES

TEXTS = ["又闪退了，三次没保存😡", "how do I export the invoice?", "登錄頁面 E1001 一直轉圈", "希望支持批量导出" * 12]
MATRICES_OF_A_LAYER = 6


@pytest.fixture(scope="module")
def encoder(engine: Engine) -> Encoder:
    return engine.search.encoder


@pytest.fixture(scope="module")
def folder(encoder: Encoder) -> Path:
    return BUNDLES / encoder_folder(encoder.bundle.name, encoder.bundle.fingerprint)


def test_every_matrix_of_every_layer_is_unpacked(folder: Path) -> None:
    openvino = import_openvino()
    graph = openvino.Core().read_model(folder / "encoder.xml")
    unpacked = unpack_weights(openvino, graph)
    weights = [node.input_value(1).get_node() for node in graph.get_ops() if node.get_type_name() == "MatMul"]
    matrices = [node.input_value(0).get_node() for node in weights if node.get_type_name() == "Convert"]
    assert len(matrices) == 12 * MATRICES_OF_A_LAYER
    assert unpacked is not None
    assert unpacked.bytes.nbytes == sum(matrix.get_byte_size() for matrix in matrices)


def test_a_graph_with_nothing_packed_stays(folder: Path) -> None:
    openvino = import_openvino()
    graph = openvino.Core().read_model(folder / "encoder.xml")
    first = unpack_weights(openvino, graph)
    assert first is not None
    ids = openvino.op.Parameter(openvino.Type.f32, openvino.PartialShape([1, 4]))
    product = openvino.opset13.matmul(ids, ids, False, True)
    assert unpack_weights(openvino, openvino.Model([product], [ids])) is None


def test_nothing_is_left_to_unpack(folder: Path) -> None:
    openvino = import_openvino()
    graph = openvino.Core().read_model(folder / "encoder.xml")
    unpack_weights(openvino, graph)
    constants = [
        op.get_element_type().get_type_name()
        for op in graph.get_ops()
        if op.get_type_name() == "Constant" and list(op.shape) == [384, 384]
    ]
    assert set(constants) == {"bf16"}


def test_numbers_are_rounded_as_pytorch_does() -> None:
    numbers = np.random.default_rng(5).normal(size=1000).astype(np.float32)
    expected = torch.from_numpy(numbers).bfloat16().view(torch.int16).numpy().view(np.uint16)
    assert np.array_equal(rounded(numbers), expected)


def test_both_ways_give_nearly_the_same_vectors(encoder: Encoder, folder: Path) -> None:
    windows = encoder.windows(TEXTS, "query")
    ways: tuple[Arithmetic, Arithmetic] = ("int8-dynamic", "bf16")
    packed, unpacked = (normalise(run_windows(OpenVinoSession(folder, 1, way), windows, 384)) for way in ways)
    assert (packed * unpacked).sum(axis=1).min() > 0.98
    assert not np.array_equal(packed, unpacked)


def test_without_room_in_the_temporary_folder_they_stay_in_memory(
    encoder: Encoder, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = encoder.windows(TEXTS, "query")
    expected = run_windows(OpenVinoSession(folder, 1, "bf16"), windows, 384)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    found = run_windows(OpenVinoSession(folder, 1, "bf16"), windows, 384)
    assert np.array_equal(found, expected)
