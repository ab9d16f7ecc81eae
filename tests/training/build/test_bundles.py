"""Building: what is complete stays, what was interrupted is made again, and what is built serves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, read_bundle
from nlp_service.inference.engine import Engine
from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE, Head
from nlp_service.inference.release import (
    ENCODERS,
    HEADS,
    Release,
    encoder_folder,
    head_folder,
    read_release,
    write_release,
)
from tests.conftest import BUNDLES, PROJECT
from tests.releases import serving_head
from training.build.bundles import INPUTS_FILE, Builder, _build, build_bundles

METRICS = {"tickets/test": {"macro_f1": 0.5, "texts": 10.0}}


def _writer(text: str) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        (target / "file").write_text(text, encoding="utf-8")

    return write


def _place(built: Path) -> str:
    """Where the built bundle belongs: its text is its version."""
    return f"heads/classify-{(built / 'file').read_text('utf-8')}"


def _interrupted(target: Path) -> None:
    (target / "half").write_text("half", "utf-8")
    raise KeyboardInterrupt


class TestBuild:
    def test_the_folder_of_the_bundle_is_told(self, tmp_path: Path) -> None:
        assert _build(tmp_path, HEADS, "classify", "inputs", _writer("1"), _place) == "heads/classify-1"

    def test_a_bundle_of_the_same_inputs_is_not_built_again(self, tmp_path: Path) -> None:
        folder = _build(tmp_path, HEADS, "classify", "inputs", _writer("1"), _place)
        assert _build(tmp_path, HEADS, "classify", "inputs", _writer("2"), _place) == folder

    def test_a_bundle_of_other_inputs_is_made_beside_the_old_one(self, tmp_path: Path) -> None:
        folders = [_build(tmp_path, HEADS, "classify", text, _writer(text), _place) for text in ("old", "new")]
        assert [(tmp_path / folder / "file").read_text("utf-8") for folder in folders] == ["old", "new"]

    def test_a_bundle_of_an_earlier_version_is_found_again(self, tmp_path: Path) -> None:
        folders = [_build(tmp_path, HEADS, "classify", text, _writer(text), _place) for text in ("old", "new", "old")]
        assert folders[2] == folders[0]

    def test_a_bundle_of_another_name_is_not_taken_for_it(self, tmp_path: Path) -> None:
        _build(tmp_path, HEADS, "sentiment", "inputs", _writer("1"), lambda _: "heads/sentiment-1")
        assert _build(tmp_path, HEADS, "classify", "inputs", _writer("1"), _place) == "heads/classify-1"

    def test_a_version_that_is_made_in_another_way_replaces_the_old_one(self, tmp_path: Path) -> None:
        for inputs in ("old", "new"):
            _build(tmp_path, HEADS, "classify", inputs, _writer("1"), _place)
        assert (tmp_path / "heads" / "classify-1" / INPUTS_FILE).read_text("ascii") == "new"

    def test_an_interrupted_build_keeps_the_old_bundle(self, tmp_path: Path) -> None:
        folder = _build(tmp_path, HEADS, "classify", "old", _writer("old"), _place)
        with pytest.raises(KeyboardInterrupt):
            _build(tmp_path, HEADS, "classify", "new", _interrupted, _place)
        assert (tmp_path / folder / "file").read_text("utf-8") == "old"

    def test_an_interrupted_build_is_made_again(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            _build(tmp_path, HEADS, "classify", "inputs", _interrupted, _place)
        folder = tmp_path / _build(tmp_path, HEADS, "classify", "inputs", _writer("1"), _place)
        assert {file.name for file in folder.iterdir()} == {"file", INPUTS_FILE}

    def test_everybody_may_read_what_was_built(self, tmp_path: Path) -> None:
        def write(target: Path) -> None:
            (target / "file").write_text("1", encoding="utf-8")
            (target / "file").chmod(0o600)

        folder = tmp_path / _build(tmp_path, HEADS, "classify", "inputs", write, _place)
        assert (folder / "file").stat().st_mode & 0o777 == 0o644


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A runtime folder with the encoder of the tickets' head, linked, and nothing else."""
    reference = read_bundle(serving_head(BUNDLES, "classify"), HeadBundle).encoder
    encoder = encoder_folder(reference.name, reference.fingerprint)
    (tmp_path / "var" / "bundles" / ENCODERS).mkdir(parents=True)
    (tmp_path / "var" / "bundles" / encoder).symlink_to(BUNDLES / encoder)
    return tmp_path / "var"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with a trained head for tickets."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "base.toml").write_text("", "utf-8")
    _train_head(models, "2026.01.01-first")
    return models


def _train_head(models: Path, version: str, *, turned: int = 0) -> None:
    """Write what training writes of a head; `turned` labels on, so that another one answers otherwise."""
    served = serving_head(BUNDLES, "classify")
    bundle = read_bundle(served, HeadBundle)
    folder = models / HEADS / "classify"
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_file(served / WEIGHTS_FILE)
    save_file({name: np.roll(tensor, turned, axis=0) for name, tensor in weights.items()}, folder / WEIGHTS_FILE)
    description = bundle.model_dump(mode="json", exclude={"kind", "files", "metrics"}) | {"version": version}
    (folder / "head.json").write_text(json.dumps(description), "utf-8")
    (folder / "metrics.json").write_text(json.dumps({"summary": METRICS}), "utf-8")
    (folder / "README.md").write_text("# classify", "utf-8")


def _build_head(models: Path, var: Path, bundles: Path | None = None) -> Path:
    target = bundles or var / "bundles"
    parts = Builder(models, PROJECT / "data", var, target).build(models, with_search=False)
    return target / parts["classify"]


class TestHead:
    def test_the_folder_names_task_and_version(self, models: Path, var: Path) -> None:
        assert _build_head(models, var) == var / "bundles" / head_folder("classify", "2026.01.01-first")

    def test_the_description_is_what_training_wrote(self, models: Path, var: Path) -> None:
        served = read_bundle(serving_head(BUNDLES, "classify"), HeadBundle)
        built = read_bundle(_build_head(models, var), HeadBundle)
        changed = {"version": "2026.01.01-first", "metrics": METRICS, "files": built.files}
        assert built == served.model_copy(update=changed)

    def test_the_head_gives_its_test_answers(self, models: Path, var: Path, engine: Engine) -> None:
        folder = _build_head(models, var)
        batcher = engine.batchers[read_bundle(folder, HeadBundle).encoder.fingerprint]
        Head.load(folder, batcher.encoder.bundle).check(folder, batcher.encode)

    def test_test_answers_are_those_of_its_own_weights(self, models: Path, var: Path) -> None:
        first = load_file(_build_head(models, var) / TEST_ANSWERS_FILE)["probabilities"]
        _train_head(models, "2026.01.01-second", turned=1)
        second = load_file(_build_head(models, var) / TEST_ANSWERS_FILE)["probabilities"]
        np.testing.assert_allclose(second, np.roll(first, 1, axis=1), atol=1e-5)

    def test_the_card_travels_along(self, models: Path, var: Path) -> None:
        assert (_build_head(models, var) / "README.md").read_text("utf-8") == "# classify"

    def test_a_candidate_uses_an_encoder_that_serves(self, models: Path, var: Path, tmp_path: Path) -> None:
        folder = _build_head(models, var, tmp_path / "candidate")
        assert read_bundle(folder, HeadBundle).version == "2026.01.01-first"

    def test_a_head_without_its_encoder_is_refused(self, models: Path, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match=f"its encoder is not built: {ENCODERS}/"):
            _build_head(models, tmp_path / "empty")


class TestBuildBundles:
    @pytest.fixture(autouse=True)
    def _search_encoder(self, var: Path, models: Path) -> None:
        """The encoder as the current bundle of the base, so that no test quantises one."""
        source = BUNDLES / read_release(BUNDLES).serving["search"]
        fingerprint = read_bundle(source, EncoderBundle).fingerprint
        folder = var / "bundles" / encoder_folder("search", fingerprint)
        folder.mkdir()
        for file in source.iterdir():
            if file.name != INPUTS_FILE:
                (folder / file.name).symlink_to(file)
        inputs = Builder(models, PROJECT / "data", var, var / "bundles")._inputs_of(None)
        (folder / INPUTS_FILE).write_text(inputs, "ascii")

    def _build(self, models: Path, var: Path) -> Release:
        build_bundles(models, PROJECT / "data", var)
        return read_release(var / "bundles")

    def test_what_was_built_serves(self, models: Path, var: Path) -> None:
        release = self._build(models, var)
        assert release.serving == release.shipped
        assert release.serving["classify"] == head_folder("classify", "2026.01.01-first")
        assert set(release.serving) == {"classify", "search"}

    def test_a_build_that_finds_everything_current_changes_nothing(self, models: Path, var: Path) -> None:
        first = self._build(models, var)
        written = (var / "bundles" / first.serving["classify"] / "bundle.json").stat()
        assert self._build(models, var) == first
        assert (var / "bundles" / first.serving["classify"] / "bundle.json").stat() == written

    def test_the_next_version_replaces_the_last_one(self, models: Path, var: Path) -> None:
        self._build(models, var)
        _train_head(models, "2026.01.01-second")
        assert self._build(models, var).serving["classify"] == head_folder("classify", "2026.01.01-second")
        assert [folder.name for folder in (var / "bundles" / HEADS).iterdir()] == ["classify-2026.01.01-second"]

    def test_a_head_that_was_promoted_goes_on(self, models: Path, var: Path) -> None:
        first = self._build(models, var)
        own = var / "bundles" / head_folder("classify", "own")
        shutil.copytree(var / "bundles" / first.serving["classify"], own)
        write_release(var / "bundles", first.changed("promote", "classify", {"classify": f"{HEADS}/{own.name}"}))
        _train_head(models, "2026.01.01-second")
        release = self._build(models, var)
        assert release.serving["classify"] == f"{HEADS}/{own.name}"
        assert release.shipped["classify"] == head_folder("classify", "2026.01.01-second")

    def test_a_build_that_fails_leaves_what_serves(self, models: Path, var: Path) -> None:
        first = self._build(models, var)
        _train_head(models, "2026.01.01-second")
        (models / HEADS / "classify" / "metrics.json").unlink()
        with pytest.raises(FileNotFoundError):
            self._build(models, var)
        assert read_release(var / "bundles") == first
        read_bundle(var / "bundles" / first.serving["classify"], HeadBundle)
