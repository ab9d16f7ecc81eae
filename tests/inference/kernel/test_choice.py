"""Which runtime computes an encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_service.inference import encoder as encoders
from nlp_service.inference.bundle import QUERY, WHOLE, EncoderBundle, GraphFiles
from nlp_service.inference.encoder import Encoder, normalise, open_session, run_windows
from nlp_service.inference.engine import Engine
from nlp_service.inference.kernel.session import KernelSession
from nlp_service.inference.kernel.weights import Packed, UnsupportedGraph, read_weights
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.release import encoder_folder
from nlp_service.inference.session import OpenVinoSession
from tests.conftest import BUNDLES
from tests.inference.kernel.compiled import compiled

TEXTS = (
    "导出第二页就闪退,重启两次都一样😤😤",
    "Dark mode please!",
    "怎麼設定自動備份?說明書裡沒找到",
    "2026-11-02 03:14:07 ERROR [pay] timeout after 30000ms, order=8831" * 3,
    "ＡＢＣ　全角也要能搜",
    "好",
)


@pytest.fixture
def folder(engine: Engine) -> Path:
    return BUNDLES / encoder_folder(engine.search_model.name, engine.search_model.fingerprint)


@pytest.fixture
def bundle(engine: Engine) -> EncoderBundle:
    return engine.search_model


def _open(bundle: EncoderBundle, folder: Path) -> object:
    return open_session(bundle, folder, threads=1)


@compiled
def test_the_compiled_one_without_matrix_units(
    bundle: EncoderBundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "has_matrix_units", lambda: False)
    assert isinstance(_open(bundle, folder), KernelSession)


@pytest.mark.parametrize("hindrance", ["matrix units", "not compiled", "scores", "another graph"])
def test_openvino_elsewhere(
    bundle: EncoderBundle, folder: Path, hindrance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> KernelSession:
        raise UnsupportedGraph("layers of 100")

    monkeypatch.setattr(encoders, "has_matrix_units", lambda: hindrance == "matrix units")
    if hindrance == "not compiled":
        monkeypatch.setattr(encoders, "library", lambda: None)
    if hindrance == "another graph":
        monkeypatch.setattr(KernelSession, "load", unsupported)
    if hindrance == "scores":
        bundle = bundle.model_copy(update={"pooling": "score"})
    assert isinstance(_open(bundle, folder), OpenVinoSession)


@compiled
@pytest.mark.parametrize("files", [WHOLE, QUERY], ids=["articles", "queries"])
def test_both_give_the_same_vectors(folder: Path, engine: Engine, files: GraphFiles) -> None:
    windows = engine.search.windows(TEXTS, "query")
    sessions = KernelSession.load(folder, 1, files), OpenVinoSession(folder, 1, "int8-dynamic", files=files)
    found, expected = (normalise(run_windows(session, windows, 384)) for session in sessions)
    assert (found * expected).sum(axis=1).min() > 0.998


@compiled
def test_an_encoder_says_that_nothing_is_padded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "has_matrix_units", lambda: False)
    encoder = Encoder.load(folder, threads=1)
    assert (encoder.packing.padded, encoder.packing.size(37)) == (False, 37)
    assert np.isfinite(encoder.encode(list(TEXTS))).all()


@compiled
def test_openvino_where_the_compiled_one_gives_other_vectors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "has_matrix_units", lambda: False)
    expected = normalise(Encoder.load(folder, threads=1).encode(list(TEXTS)))
    right = KernelSession.run
    monkeypatch.setattr(KernelSession, "run", lambda session, rows: np.full_like(right(session, rows), np.nan))
    encoder = Encoder.load(folder, threads=1)
    assert encoder.packing.padded
    assert (normalise(encoder.encode(list(TEXTS))) * expected).sum(axis=1).min() > 0.998


def test_a_graph_of_another_kind_is_refused() -> None:
    openvino = import_openvino()
    operations = openvino.opset13
    parameter = operations.parameter([1, 4], np.float32)
    model = openvino.Model([operations.relu(parameter)], [parameter], "other")
    with pytest.raises(UnsupportedGraph, match="no BERT encoder"):
        read_weights(model)


@pytest.mark.parametrize(
    "broken",
    [
        {"scale": np.ones(1, np.float32)},
        {"zero": np.ones(3, np.float32)},
        {"bias": np.ones(65, np.float32)},
        {"codes": np.ones((64, 64), np.int8)},
        {"codes": np.ones((64, 62), np.uint8)},
    ],
    ids=["one scale", "few zero points", "a bias too many", "signed codes", "inputs not in fours"],
)
def test_what_would_be_read_past_its_end_is_refused(broken: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "codes": np.ones((64, 64), np.uint8),
        **dict.fromkeys(("zero", "scale", "bias"), np.ones(64, np.float32)),
    }
    Packed(**whole)
    with pytest.raises(UnsupportedGraph):
        Packed(**{**whole, **broken})
