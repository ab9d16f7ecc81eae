"""Bundles: what is damaged or does not fit is not loaded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, EncoderBundle, read_bundle, sha256
from nlp_service.inference.encoder import TEST_VECTORS_FILE, Encoder
from nlp_service.inference.head import Head
from tests.conftest import BUNDLES


@pytest.fixture
def encoder_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / "encoders" / "search", tmp_path / "search"))


@pytest.fixture
def head_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / "heads" / "classify", tmp_path / "classify"))


@pytest.fixture
def feedback() -> EncoderBundle:
    return read_bundle(BUNDLES / "encoders" / "feedback", EncoderBundle)


def _edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / BUNDLE_FILE).read_text("utf-8"))
    (folder / BUNDLE_FILE).write_text(json.dumps({**manifest, **changes}), "utf-8")


def test_a_missing_bundle_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nlp-service models build"):
        read_bundle(tmp_path, EncoderBundle)


def test_a_changed_weight_file_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    with (head_folder / "head.safetensors").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(BundleError, match="sha256"):
        Head.load(head_folder, feedback)


def test_a_head_of_another_encoder_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    _edit(head_folder, encoder={"name": "feedback", "fingerprint": "0" * 64})
    with pytest.raises(BundleError, match=r"another|另一个"):
        Head.load(head_folder, feedback)


def test_an_unknown_field_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    _edit(head_folder, run="rm -rf /")
    with pytest.raises(BundleError, match="run"):
        Head.load(head_folder, feedback)


def test_a_file_name_outside_the_bundle_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    manifest = json.loads((head_folder / BUNDLE_FILE).read_text("utf-8"))
    _edit(head_folder, files={**manifest["files"], "../other.safetensors": "0" * 64})
    with pytest.raises(BundleError, match="leaves the bundle"):
        Head.load(head_folder, feedback)


def test_a_weight_file_without_a_checksum_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    _edit(head_folder, files={})
    with pytest.raises(BundleError, match=r"head\.safetensors"):
        Head.load(head_folder, feedback)


def test_labels_that_the_interface_cannot_answer_are_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    _edit(head_folder, labels=["bug", "wish", "question", "other"])
    with pytest.raises(BundleError, match="labels"):
        Head.load(head_folder, feedback)


def test_an_encoder_that_misses_its_own_test_vectors_is_refused(encoder_folder: Path) -> None:
    file = encoder_folder / TEST_VECTORS_FILE
    stored = load_file(file)
    save_file({**stored, "vectors": np.roll(stored["vectors"], 1, axis=1)}, file)
    manifest = json.loads((encoder_folder / BUNDLE_FILE).read_text("utf-8"))
    _edit(encoder_folder, files={**manifest["files"], TEST_VECTORS_FILE: sha256(file)})
    with pytest.raises(BundleError, match="test vectors"):
        Encoder.load(encoder_folder, threads=1)


def test_the_quantised_encoders_are_close_to_full_precision() -> None:
    for name in ("feedback", "search"):
        assert read_bundle(BUNDLES / "encoders" / name, EncoderBundle).comparison.cosine_min >= 0.995
