"""The bundle of an encoder."""

from pathlib import Path

import pytest

from nlp_service.inference.bundle import BUNDLE_FILE, FIXED, WHOLE, EncoderBundle, read_bundle
from nlp_service.inference.encoder import Encoder
from tests.conftest import PROJECT
from training.build.encoder_bundle import write_encoder_bundle

BETWEEN = 0.9995
"""The vectors of ranges found for each token stray less than this, those of fixed ranges more."""


def test_fixed_ranges_that_move_the_vectors_too_far_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.build.encoder_bundle.MIN_COSINE", BETWEEN)
    source = PROJECT / "models" / "encoders" / "feedback"
    write_encoder_bundle("feedback", source, PROJECT / "models", PROJECT / "data", PROJECT / "var", tmp_path)
    bundle = read_bundle(tmp_path, EncoderBundle)
    assert (bundle.precision, bundle.fixed) == ("int8-dynamic", None)
    assert {file.name for file in tmp_path.iterdir()} == {*bundle.files, BUNDLE_FILE, "README.md"}
    assert FIXED.graph not in bundle.files
    assert (tmp_path / WHOLE.weights).stat().st_size < 110e6
    assert Encoder.load(tmp_path, threads=1).encode(["导出就闪退"]).shape == (1, bundle.dimension)
