"""The graph whose ranges were fixed when it was built, for processors that gain from it."""

import json
import shutil
from pathlib import Path

import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, FIXED, QUERY, WHOLE, EncoderBundle, read_bundle
from nlp_service.inference.encoder import Encoder, normalise, quickest, run_windows
from nlp_service.inference.engine import Engine
from nlp_service.inference.mapped import Mapped
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import OpenVinoSession
from tests.conftest import BUNDLES

TEXTS = ["又闪退了，三次没保存😡", "how do I export the invoice?", "登錄頁面 E1001 一直轉圈", "希望支持批量导出" * 12]
WORDS = 100_000
"""The table of words has more rows, no other constant has."""


@pytest.fixture(scope="module")
def encoder(engine: Engine) -> Encoder:
    fingerprint = engine.heads["classify"].bundle.encoder.fingerprint
    return engine.batchers[fingerprint].encoder


@pytest.fixture(scope="module")
def folder(encoder: Encoder) -> Path:
    return BUNDLES / encoder_folder(encoder.bundle.name, encoder.bundle.fingerprint)


def test_it_gives_nearly_the_same_vectors(encoder: Encoder, folder: Path) -> None:
    windows = encoder.windows(TEXTS, "query")
    found = normalise(run_windows(OpenVinoSession(folder, 1, "int8-static", files=FIXED), windows, 384))
    expected = normalise(run_windows(OpenVinoSession(folder, 1, "int8-dynamic"), windows, 384))
    cosines = (found * expected).sum(axis=1)
    assert 0.99 < cosines.min() < cosines.max() < 0.99999


def test_its_word_embeddings_stay_in_8_bits(folder: Path) -> None:
    openvino = import_openvino()
    weights = openvino.Tensor(Mapped(folder / FIXED.weights).bytes, shared_memory=True)
    graph = openvino.Core().read_model((folder / FIXED.graph).read_bytes(), weights)
    tables = [
        node.input_value(0).get_node()
        for node in graph.get_ops()
        if node.get_type_name() == "Gather" and node.input_value(0).get_partial_shape()[0].get_min_length() > WORDS
    ]
    widest = max(tables, key=lambda table: int(table.get_byte_size()))
    assert len(tables) == 3  # codes, zero points and scales
    assert {table.get_type_name() for table in tables} == {"Constant"}
    assert widest.get_element_type() == openvino.Type.u8


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx512_vnni amx_bf16", (WHOLE, "bf16")),
        ("avx512_vnni", (FIXED, "int8-static")),
        ("avx2", (WHOLE, "int8-dynamic")),
    ],
)
def test_the_processor_decides(
    encoder: Encoder, flags: str, expected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"flags : fpu {flags}\n", "ascii")
    monkeypatch.setattr("nlp_service.inference.processor.CPU_FLAGS", file)
    assert quickest(encoder.bundle) == expected


def test_an_encoder_without_one_and_short_queries_find_their_ranges(engine: Engine) -> None:
    bundle = engine.search.encoder.bundle
    assert bundle.precision == "int8-dynamic"
    assert quickest(bundle, QUERY) == (QUERY, "int8-dynamic")
    assert FIXED not in quickest(bundle)


def test_a_bundle_that_lacks_it_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(folder, copy)
    manifest = json.loads((copy / BUNDLE_FILE).read_text("utf-8"))
    del manifest["files"][FIXED.graph]
    (copy / BUNDLE_FILE).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BundleError, match=FIXED.graph):
        read_bundle(copy, EncoderBundle)
