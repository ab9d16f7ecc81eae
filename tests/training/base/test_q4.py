import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.base.q4 import FLOAT32, MAGIC, Q4_0, Architecture, dequantise_q4, read_q4_file

HIDDEN, VOCABULARY = 32, 3
Tensors = dict[str, tuple[int, int, bytes]]
"""Kind, number of weights and bytes by name in the file."""


def block(scale: float, weights: list[int]) -> bytes:
    """A Q4_0 block of 32 weights, given in steps of `scale`, −8…7."""
    nibbles = [weight + 8 for weight in weights]
    return struct.pack("<e", scale) + bytes(
        low | high << 4 for low, high in zip(nibbles[:16], nibbles[16:], strict=True)
    )


def raw(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


def weight_file(tensors: Tensors, *, magic: bytes = MAGIC, version: int = 1, block_weights: int = 32) -> bytes:
    """A file in the layout that `training.base.q4` describes."""
    sizes = (HIDDEN, 1, 2, 64, VOCABULARY, 16, 2)  # hidden, layers, heads, feed-forward, vocabulary, positions, types
    head = magic + struct.pack("<I7ifi", version, *sizes, 1e-12, block_weights)
    pieces = b"<s></s>x"
    vocabulary = struct.pack("<5iQ", VOCABULARY, 0, 1, 2, 3, len(pieces))
    vocabulary += struct.pack(f"<{VOCABULARY + 1}I", 0, 3, 7, 8) + struct.pack(f"<{VOCABULARY}f", 0, 0, -1) + pieces
    code_points = struct.pack("<iI", 1, 6) + b"\x01\x02\x03\x04\x05\x06"
    start = len(head + vocabulary + code_points) + 4 + sum(2 + len(name) + 21 for name in tensors)
    index, body = struct.pack("<i", len(tensors)), b""
    for name, (kind, elements, data) in tensors.items():
        index += struct.pack("<H", len(name)) + name.encode("ascii")
        index += struct.pack("<BIQQ", kind, elements, start + len(body), len(data))
        body += data
    return head + vocabulary + code_points + index + body


ROWS = [[(row + column) % 16 - 8 for column in range(HIDDEN)] for row in range(VOCABULARY)]
TENSORS: Tensors = {
    "emb.word": (Q4_0, VOCABULARY * HIDDEN, b"".join(block(0.5, row) for row in ROWS)),
    "emb.ln.w": (FLOAT32, HIDDEN, np.arange(HIDDEN, dtype="<f4").tobytes()),
    "l0.q.w": (Q4_0, HIDDEN * HIDDEN, block(0.25, [1] * HIDDEN) * HIDDEN),
    "l0.fo.b": (FLOAT32, HIDDEN, np.full(HIDDEN, -1.5, dtype="<f4").tobytes()),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-q4.bin"
    path.write_bytes(weight_file(TENSORS))
    return path


def test_a_weight_is_its_nibble_less_eight_times_the_scale() -> None:
    weights = [-8, 7, 0, 1] * 8
    np.testing.assert_array_equal(dequantise_q4(raw(block(0.5, weights))), np.array(weights, np.float32) * 0.5)


def test_low_nibbles_are_the_first_sixteen_weights_and_high_nibbles_the_others() -> None:
    data = struct.pack("<e", 1.0) + bytes([0xF8] * 16)
    np.testing.assert_array_equal(dequantise_q4(raw(data)), [0.0] * 16 + [7.0] * 16)


def test_each_block_has_its_own_scale() -> None:
    decoded = dequantise_q4(raw(block(1.0, [1] * 32) + block(-0.25, [2] * 32)))
    np.testing.assert_array_equal(decoded, [1.0] * 32 + [-0.5] * 32)


def test_decoded_weights_are_float32() -> None:
    assert dequantise_q4(raw(block(1.0, [0] * 32))).dtype == np.float32


def test_the_architecture_is_read(file: Path) -> None:
    architecture, _ = read_q4_file(file)
    assert architecture == Architecture(
        hidden=32, layers=1, heads=2, feed_forward=64, vocabulary=3, positions=16, types=2, layer_norm_eps=1e-12
    )


def test_tensors_are_named_and_shaped_as_in_bert(file: Path) -> None:
    _, tensors = read_q4_file(file)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "encoder.layer.0.attention.self.query.weight": (HIDDEN, HIDDEN),
        "encoder.layer.0.output.dense.bias": (HIDDEN,),
    }


def test_a_quantised_tensor_is_read_back(file: Path) -> None:
    _, tensors = read_q4_file(file)
    np.testing.assert_array_equal(tensors["embeddings.word_embeddings.weight"], np.array(ROWS, np.float32) * 0.5)


def test_a_float32_tensor_is_read_back(file: Path) -> None:
    _, tensors = read_q4_file(file)
    np.testing.assert_array_equal(tensors["embeddings.LayerNorm.weight"], np.arange(HIDDEN, dtype=np.float32))


def test_another_magic_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(weight_file(TENSORS, magic=b"GGUF"))
    with pytest.raises(ValueError, match="not an E5S1 weight file"):
        read_q4_file(tmp_path / "f")


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(weight_file(TENSORS, version=2))
    with pytest.raises(ValueError, match="version 2"):
        read_q4_file(tmp_path / "f")


def test_another_block_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(weight_file(TENSORS, block_weights=64))
    with pytest.raises(ValueError, match="block of 64 weights"):
        read_q4_file(tmp_path / "f")


@pytest.mark.parametrize("kept", [4, 60, -1], ids=["in the architecture", "in the vocabulary", "in the last tensor"])
def test_a_file_that_ends_early_is_refused(kept: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(weight_file(TENSORS)[:kept])
    with pytest.raises(ValueError):  # noqa: PT011 - any message will do
        read_q4_file(tmp_path / "f")
