"""Windows in one row of tokens: as if each were alone."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nlp_service.inference.bundle import FIXED, WHOLE
from nlp_service.inference.encoder import Encoder, Vectors, normalise, run_windows
from nlp_service.inference.engine import Engine
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.packed_session import SHORT, TOKENS, PackedSession
from nlp_service.inference.packing import packed
from nlp_service.inference.processor import has_matrix_units, multiplies_bytes
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import OpenVinoSession, read_graph
from tests.conftest import BUNDLES

TEXTS = (
    "又闪退了",
    "希望导出的时候能选日期😭😭",
    "APP 更新以後就打不開,ERR_5003 一直轉圈圈",
    "pls add dark mode, my eyes hurt at night",
    "登录按钮点了没反应",
    "系統很穩定,讚!",
    "希望支持批量导出" * 40,
)
ON_PROCESSORS_THAT_GAIN = pytest.mark.skipif(
    has_matrix_units() or not multiplies_bytes(), reason="nothing is packed on other processors"
)


@pytest.fixture(scope="module")
def encoder(engine: Engine) -> Encoder:
    return engine.batchers[engine.heads["classify"].bundle.encoder.fingerprint].encoder


@pytest.fixture(scope="module")
def folder(encoder: Encoder) -> Path:
    return BUNDLES / encoder_folder(encoder.bundle.name, encoder.bundle.fingerprint)


@pytest.fixture(scope="module")
def session(folder: Path) -> PackedSession:
    opened = PackedSession.open(folder, 1, FIXED)
    assert opened is not None
    return opened


@pytest.fixture(scope="module")
def ids(encoder: Encoder) -> list[tuple[int, ...]]:
    """Of the texts that are short enough."""
    return [window.ids for window in encoder.windows(TEXTS[:-1], "query")]


@pytest.fixture(scope="module")
def alone(session: PackedSession, ids: list[tuple[int, ...]]) -> Vectors:
    """The vector of each text that is computed alone."""
    return np.concatenate([session.run([one]) for one in ids])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [5, 0], [0]])
def test_a_window_has_the_same_vector_whatever_is_beside_it(
    session: PackedSession, ids: list[tuple[int, ...]], alone: Vectors, order: list[int]
) -> None:
    assert np.array_equal(session.run([ids[one] for one in order]), alone[order])


def test_a_window_may_fill_a_row(session: PackedSession, ids: list[tuple[int, ...]]) -> None:
    for tokens in TOKENS:
        full = (ids[0] * tokens)[:tokens]
        assert np.isfinite(session.run([full])).all()


def test_packed_and_padded_windows_have_nearly_equal_vectors(
    encoder: Encoder, folder: Path, session: PackedSession
) -> None:
    windows = encoder.windows(TEXTS, "query")
    padded = OpenVinoSession(folder, 1, "int8-static", files=FIXED)
    packing = Encoder(encoder.bundle, encoder._windower, padded, session)
    both = [normalise(packing.run(windows)), normalise(run_windows(padded, windows, encoder.bundle.dimension))]
    cosines = (both[0] * both[1]).sum(axis=1)
    assert cosines.min() > 0.9998
    assert {len(window.ids) > SHORT for window in windows} == {True, False}


@ON_PROCESSORS_THAT_GAIN
def test_a_text_has_the_same_vector_in_every_batch(encoder: Encoder) -> None:
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.array_equal(encoder.encode(TEXTS), alone)
    assert np.array_equal(encoder.encode(TEXTS[::-1] * 3)[: len(TEXTS)], alone[::-1])


def test_a_graph_of_another_kind_is_not_packed(folder: Path) -> None:
    openvino = import_openvino()
    model, _files = read_graph(openvino, folder, WHOLE)  # with attention as one operation
    assert packed(openvino, model) is None


def test_a_graph_that_reads_the_mask_elsewhere_is_not_packed(folder: Path) -> None:
    openvino = import_openvino()
    model, _files = read_graph(openvino, folder, FIXED)
    norm = next(node for node in model.get_ordered_ops() if node.get_type_name() == "MVN")
    mask = openvino.opset13.convert(openvino.opset13.unsqueeze(model.input("attention_mask"), _last(openvino)), "f32")
    reader = next(iter(norm.output(0).get_target_inputs()))
    reader.replace_source_output(openvino.opset13.multiply(norm, mask).output(0))
    assert packed(openvino, model) is None


def _last(openvino: ModuleType) -> Any:
    return openvino.op.Constant(np.array([-1], np.int64))


@ON_PROCESSORS_THAT_GAIN
def test_the_service_packs(encoder: Encoder) -> None:
    assert encoder._packed is not None
