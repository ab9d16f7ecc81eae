"""Bundles: what is damaged or does not fit is not loaded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import (
    BUNDLE_FILE,
    WHOLE,
    EncoderBundle,
    HeadBundle,
    _remembered_sha256,
    read_bundle,
    sha256,
    verify_file,
)
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.engine import Engine
from nlp_service.inference.head import Head
from nlp_service.inference.release import encoder_folder, read_release
from tests.conftest import BUNDLES
from tests.releases import edit_bundle, edit_tensors, serving_head


@pytest.fixture
def search_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / read_release(BUNDLES).serving["search"], tmp_path / "search"))


@pytest.fixture
def head_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(serving_head(BUNDLES, "classify"), tmp_path / "classify"))


@pytest.fixture(scope="module")
def feedback() -> EncoderBundle:
    reference = read_bundle(serving_head(BUNDLES, "classify"), HeadBundle).encoder
    return read_bundle(BUNDLES / encoder_folder(reference.name, reference.fingerprint), EncoderBundle)


def _files(folder: Path) -> dict[str, str]:
    files: dict[str, str] = json.loads((folder / BUNDLE_FILE).read_text("utf-8"))["files"]
    return files


def test_a_missing_bundle_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nlp-service models build"):
        read_bundle(tmp_path, EncoderBundle)


@pytest.mark.parametrize("name", ["head.safetensors", "test_answers.safetensors"])
def test_a_changed_file_is_refused(head_folder: Path, feedback: EncoderBundle, name: str) -> None:
    with (head_folder / name).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(BundleError, match="sha256"):
        Head.load(head_folder, feedback)


@pytest.mark.parametrize("name", ["head.safetensors", "test_answers.safetensors"])
def test_a_missing_file_is_refused(head_folder: Path, feedback: EncoderBundle, name: str) -> None:
    (head_folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        Head.load(head_folder, feedback)


@pytest.mark.parametrize("name", ["head.safetensors", "test_answers.safetensors"])
def test_a_file_without_a_checksum_is_refused(head_folder: Path, feedback: EncoderBundle, name: str) -> None:
    files = {listed: checksum for listed, checksum in _files(head_folder).items() if listed != name}
    edit_bundle(head_folder, files=files)
    with pytest.raises(BundleError, match=f"missing: {name}"):
        Head.load(head_folder, feedback)


def test_a_head_of_another_encoder_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    edit_bundle(head_folder, encoder={"name": "feedback", "fingerprint": "0" * 64})
    with pytest.raises(BundleError, match=r"another|另一个"):
        Head.load(head_folder, feedback)


def test_an_encoder_in_the_place_of_a_head_is_refused(search_folder: Path) -> None:
    with pytest.raises(BundleError, match="kind"):
        read_bundle(search_folder, HeadBundle)


def test_an_unknown_field_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    edit_bundle(head_folder, run="rm -rf /")
    with pytest.raises(BundleError, match="run"):
        Head.load(head_folder, feedback)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "colour"),
        ("temperature", 0),
        ("review_threshold", 1.5),
        ("presence_threshold", -0.1),
        ("labels", "fault"),
    ],
)
def test_a_field_out_of_its_range_is_named(
    head_folder: Path, feedback: EncoderBundle, field: str, value: object
) -> None:
    edit_bundle(head_folder, **{field: value})
    with pytest.raises(BundleError, match=field):
        Head.load(head_folder, feedback)


def test_a_file_name_outside_the_bundle_is_refused(head_folder: Path, feedback: EncoderBundle) -> None:
    edit_bundle(head_folder, files={**_files(head_folder), "../other.safetensors": "0" * 64})
    with pytest.raises(BundleError, match="leaves the bundle"):
        Head.load(head_folder, feedback)


def test_an_encoder_that_misses_its_own_test_vectors_is_refused(search_folder: Path) -> None:
    vectors = load_file(search_folder / WHOLE.test_vectors)["vectors"]
    edit_tensors(search_folder, WHOLE.test_vectors, vectors=np.roll(vectors, 1, axis=1))
    with pytest.raises(BundleError, match="test vectors"):
        Encoder.load(search_folder, threads=1)


def test_the_quantised_encoders_are_close_to_full_precision(engine: Engine) -> None:
    assert all(encoder.comparison.cosine_min >= 0.99 for encoder in engine.encoders)


class TestReadOnce:
    @pytest.fixture(autouse=True)
    def _settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nlp_service.inference.bundle.SETTLED_NS", 0)

    def test_a_file_that_did_not_change_is_read_once(self, tmp_path: Path) -> None:
        file = tmp_path / "a"
        file.write_bytes(b"one")
        before = _remembered_sha256.cache_info().hits
        for _ in range(2):
            verify_file(file, sha256(file))
        assert _remembered_sha256.cache_info().hits == before + 1

    def test_a_file_that_was_changed_since_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "a"
        file.write_bytes(b"one")
        checksum = sha256(file)
        verify_file(file, checksum)
        file.write_bytes(b"others")
        with pytest.raises(BundleError, match="sha256 is"):
            verify_file(file, checksum)
