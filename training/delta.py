"""What fine-tuning changed in an encoder, small enough for git.

Each matrix of differences (fine-tuned − base) is stored in 4 bits: blocks of 32 weights share a float16 scale, so
21 M weights take 12 MB. The differences are small against the weights (a few per cent), so their rounding moves the
merged weights by a fraction of a per cent; vectors (biases, layer norms) stay float16.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Weights = Mapping[str, NDArray[np.float32]]
BLOCK = 32


def save_delta(file: Path, base: Weights, tuned: Weights, metadata: dict[str, str]) -> None:
    """Write the difference of every weight of `tuned` that is not equal to `base`'s; `metadata` goes into the file."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, weight in tuned.items():
        change = weight - base[name]
        if not change.any():
            continue
        if change.ndim == 2 and change.size % BLOCK == 0:
            tensors[f"{name}:q"], tensors[f"{name}:s"] = _quantise(change)
        else:
            tensors[name] = change.astype(np.float16)
    partial = file.with_suffix(".partial")
    save_file(tensors, partial, metadata=metadata)
    partial.rename(file)


def apply_delta(file: Path, base: Weights) -> dict[str, NDArray[np.float32]]:
    """`base` with the stored differences added; raises KeyError when the file names a weight that `base` lacks."""
    stored = load_file(file)
    merged = dict(base)
    for key, tensor in stored.items():
        name, _, part = key.partition(":")
        if part == "s":
            continue
        if part == "q":
            change = _dequantise(tensor, stored[f"{name}:s"]).reshape(base[name].shape)
        else:
            change = tensor.astype(np.float32)
        merged[name] = base[name] + change
    return merged


def _quantise(change: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    blocks = change.reshape(-1, BLOCK)
    scales = (np.abs(blocks).max(axis=1, keepdims=True) / 7.0).astype(np.float16)
    safe = np.where(scales == 0, 1, scales).astype(np.float32)
    codes = (np.clip(np.rint(blocks / safe), -8, 7) + 8).astype(np.uint8)
    half = BLOCK // 2
    return codes[:, :half] | (codes[:, half:] << 4), scales


def _dequantise(packed: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    codes = np.concatenate([packed & 0x0F, packed >> 4], axis=1).astype(np.float32) - 8.0
    values: NDArray[np.float32] = codes * scales.astype(np.float32)
    return values
