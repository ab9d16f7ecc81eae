import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open

from training.delta import BLOCK, apply_delta, save_delta

Weights = dict[str, NDArray[np.float32]]


def matrix(rows: int, columns: int, scale: float, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, (rows, columns)).astype(np.float32)


@pytest.fixture
def base() -> Weights:
    return {
        "dense.weight": matrix(96, 64, 0.05, 1),
        "dense.bias": matrix(1, 64, 0.05, 2)[0],
        "odd.weight": matrix(3, 7, 0.05, 3),
        "frozen.weight": matrix(64, 64, 0.05, 4),
    }


@pytest.fixture
def tuned(base: Weights) -> Weights:
    """Every weight but the frozen one moved by about two per cent."""
    return base | {
        name: base[name] + matrix(1, base[name].size, 0.001, 10 + number).reshape(base[name].shape)
        for number, name in enumerate(("dense.weight", "dense.bias", "odd.weight"))
    }


@pytest.fixture
def file(base: Weights, tuned: Weights, tmp_path: Path) -> Path:
    path = tmp_path / "change.safetensors"
    save_delta(path, base, tuned, {"base": "abc"})
    return path


def test_merged_matrices_differ_from_the_tuned_ones_by_at_most_half_a_quantisation_step(
    base: Weights, tuned: Weights, file: Path
) -> None:
    merged = apply_delta(file, base)["dense.weight"]
    change = (tuned["dense.weight"] - base["dense.weight"]).reshape(-1, BLOCK)
    # A step is a seventh of the block's largest change; its float16 rounding may add 2⁻¹¹ of that change.
    bound = np.abs(change).max(axis=1, keepdims=True) * (1 / 14 + 2**-11) + 1e-8
    error = np.abs(merged - tuned["dense.weight"]).reshape(-1, BLOCK)
    assert (error <= bound).all()


def test_merged_weights_differ_from_the_tuned_ones_by_a_fraction_of_a_per_cent(
    base: Weights, tuned: Weights, file: Path
) -> None:
    merged = apply_delta(file, base)["dense.weight"]
    error = np.linalg.norm(merged - tuned["dense.weight"]) / np.linalg.norm(tuned["dense.weight"])
    assert error < 0.003


def test_the_stored_change_itself_is_within_a_tenth(base: Weights, tuned: Weights, file: Path) -> None:
    change = tuned["dense.weight"] - base["dense.weight"]
    stored = apply_delta(file, base)["dense.weight"] - base["dense.weight"]
    assert np.linalg.norm(stored - change) / np.linalg.norm(change) < 0.1


@pytest.mark.parametrize("name", ["dense.bias", "odd.weight"])
def test_what_does_not_fill_blocks_is_kept_in_half_precision(
    name: str, base: Weights, tuned: Weights, file: Path
) -> None:
    change = tuned[name] - base[name]
    np.testing.assert_allclose(apply_delta(file, base)[name], base[name] + change.astype(np.float16), rtol=1e-6)


def test_a_large_change_in_one_block_does_not_blur_another(tmp_path: Path) -> None:
    base, tuned = {"w": np.zeros((2, BLOCK), np.float32)}, {"w": np.full((2, BLOCK), 0.0007, np.float32)}
    tuned["w"][0, 0] = 7.0
    save_delta(tmp_path / "d", base, tuned, {})
    np.testing.assert_allclose(apply_delta(tmp_path / "d", base)["w"][1], 0.0007, rtol=1e-3)


def test_changes_of_whole_steps_of_both_signs_survive_exactly(tmp_path: Path) -> None:
    base = {"w": np.zeros((1, BLOCK), np.float32)}
    tuned = {"w": np.resize(np.arange(-7, 8, dtype=np.float32), (1, BLOCK)) * 0.25}
    save_delta(tmp_path / "d", base, tuned, {})
    np.testing.assert_array_equal(apply_delta(tmp_path / "d", base)["w"], tuned["w"])


def test_an_unchanged_weight_is_not_stored(file: Path) -> None:
    with safe_open(file, framework="numpy") as stored:
        assert {key.partition(":")[0] for key in stored.keys()} == {"dense.weight", "dense.bias", "odd.weight"}  # noqa: SIM118


def test_an_unchanged_weight_stays_as_it_is(base: Weights, file: Path) -> None:
    np.testing.assert_array_equal(apply_delta(file, base)["frozen.weight"], base["frozen.weight"])


def test_the_base_itself_is_left_alone(base: Weights, file: Path) -> None:
    before = base["dense.weight"].copy()
    apply_delta(file, base)
    np.testing.assert_array_equal(base["dense.weight"], before)


def test_a_matrix_takes_four_and_a_half_bits_a_weight(tmp_path: Path) -> None:
    base, tuned = {"w": np.zeros((512, 512), np.float32)}, {"w": matrix(512, 512, 0.001, 5)}
    save_delta(tmp_path / "d", base, tuned, {})
    bits = (tmp_path / "d").stat().st_size * 8 / tuned["w"].size
    assert math.isclose(bits, 4.5, rel_tol=0.01)


def test_the_metadata_goes_into_the_file(file: Path) -> None:
    with safe_open(file, framework="numpy") as stored:
        assert stored.metadata() == {"base": "abc"}


def test_nothing_unfinished_is_left_beside_the_file(file: Path) -> None:
    assert list(file.parent.iterdir()) == [file]


def test_a_stored_weight_that_the_base_lacks_is_an_error(base: Weights, file: Path) -> None:
    del base["dense.weight"]
    with pytest.raises(KeyError, match=r"dense\.weight"):
        apply_delta(file, base)
