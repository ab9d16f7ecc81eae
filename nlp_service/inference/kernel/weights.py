"""An encoder's weights, read from its graph and laid out as `forward.c` reads them."""

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.kernel.library import COLUMNS, HEAD, Layer, Linear, Model, Norm

ALIGNED = 64
_MODULE = re.compile(r"__module\._transformer\.(?P<module>[^/]+)/")


class UnsupportedGraph(ValueError):
    """The graph is not of the kind that `forward.c` computes."""


@dataclass(frozen=True)
class Packed:
    """A matrix: `codes` (outputs, inputs), the others (outputs,)."""

    codes: NDArray[np.uint8]
    zero: NDArray[np.float32]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        outputs = len(self.codes)
        if self.codes.dtype != np.uint8 or self.codes.ndim != 2 or self.codes.shape[1] % 4:
            raise UnsupportedGraph(f"codes of {self.codes.dtype}, shape {self.codes.shape}")
        if {one.size for one in (self.zero, self.scale, self.bias)} != {outputs}:
            raise UnsupportedGraph(f"zero points, scales and biases are not for {outputs} outputs")

    def times(self, factor: float) -> "Packed":
        return Packed(self.codes, self.zero, self.scale * np.float32(factor), self.bias * np.float32(factor))


@dataclass
class Weights:
    """A model whose pointers lead into arrays that are kept with it."""

    model: Model = field(default_factory=Model)
    vocabulary: int = 0
    longest: int = 0
    """Positions that the encoder knows."""
    _kept: list[Any] = field(default_factory=list)

    def keep(self, owners: Sequence[Any]) -> None:
        """Keep what owns memory that the arrays lie in."""
        self._kept += owners

    def at(self, values: NDArray[Any]) -> ctypes.c_void_p:
        """The address of an array that is kept from now on."""
        self._kept.append(values)
        return values.ctypes.data_as(ctypes.c_void_p)

    def floats(self, values: NDArray[Any]) -> ctypes.c_void_p:
        """The same of its values as float32, one after another."""
        return self.at(np.array(values, np.float32).ravel())


def read_weights(model: Any) -> Weights:
    """The weights of an `openvino.Model`; its word embeddings are not copied, so their memory has to stay.

    Raises UnsupportedGraph.
    """
    operations = _operations(model)
    try:
        return _Reader(operations).weights()
    except UnsupportedGraph:
        raise
    except (KeyError, IndexError, AttributeError, ValueError, RuntimeError, StopIteration) as error:
        raise UnsupportedGraph(f"no BERT encoder with weights in 8 bits: {error}") from error


def _operations(model: Any) -> dict[tuple[str, str], Any]:
    """Those of the transformer's modules that have weights, by module and type."""
    found = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() not in {"MatMul", "Gather", "MVN"}:
            continue
        if match := _MODULE.match(node.get_friendly_name()):
            found[match["module"], node.get_type_name()] = node
    return found


class _Reader:
    def __init__(self, operations: dict[tuple[str, str], Any]) -> None:
        self._operations = operations

    def weights(self) -> Weights:
        weights = Weights()
        words, zero, scale = self._table("word")
        places = _unpacked(*self._table("position")) + _unpacked(*self._table("token_type"))[0]
        layers = 1 + max(
            int(found[1]) for module, _ in self._operations if (found := re.search(r"layer\.(\d+)", module))
        )
        feed = self._matrix("encoder.layer.0.intermediate.dense").codes.shape[0]
        hidden = words.shape[1]
        if hidden % COLUMNS or feed % COLUMNS or self._head_size() != HEAD:
            raise UnsupportedGraph(f"layers of {hidden} and {feed} with heads of {self._head_size()}")
        if words.dtype != np.uint8 or zero.dtype != np.uint8 or scale.dtype != np.float16:
            raise UnsupportedGraph(f"words in {words.dtype}, zero points in {zero.dtype}, scales in {scale.dtype}")
        if not len(words) == zero.size == scale.size or places.shape[1] != hidden:
            raise UnsupportedGraph(f"{zero.size} zero points, {scale.size} scales for {len(words)} words")
        rows = (Layer * layers)(
            *(self._layer(weights, f"encoder.layer.{index}", hidden, feed) for index in range(layers))
        )
        weights.vocabulary, weights.longest = words.shape[0], places.shape[0]
        weights.model = Model(
            hidden=hidden,
            feed=feed,
            layers=layers,
            epsilon=self._epsilon(),
            words=weights.at(words),
            word_scale=weights.at(scale),
            word_zero=weights.at(zero),
            places=weights.floats(places),
            embedded=self._norm(weights, "embeddings.LayerNorm", hidden),
            layer=rows,
        )
        return weights

    def _layer(self, weights: Weights, name: str, hidden: int, feed: int) -> Layer:
        def matrix(module: str, outputs: int, inputs: int) -> Packed:
            found = self._matrix(f"{name}.{module}")
            if found.codes.shape != (outputs, inputs):
                raise UnsupportedGraph(f"{name}.{module} is {found.codes.shape}, not {(outputs, inputs)}")
            return found

        query, key, value = (matrix(f"attention.self.{one}", hidden, hidden) for one in ("query", "key", "value"))
        activation = _reader(_reader(self._operations[f"{name}.intermediate.dense", "MatMul"]))
        if activation.get_type_name() != "Gelu" or activation.get_attributes()["approximation_mode"] != "ERF":
            raise UnsupportedGraph(f"{name} is activated by {activation.get_type_name()}")
        return Layer(
            linear(weights, [query.times(HEAD**-0.5), key, value]),
            linear(weights, [matrix("attention.output.dense", hidden, hidden)]),
            self._norm(weights, f"{name}.attention.output.LayerNorm", hidden),
            linear(weights, [matrix("intermediate.dense", feed, hidden)]),
            linear(weights, [matrix("output.dense", hidden, feed)]),
            self._norm(weights, f"{name}.output.LayerNorm", hidden),
        )

    def _matrix(self, module: str) -> Packed:
        product = self._operations[module, "MatMul"]
        if product.get_attributes() != {"transpose_a": False, "transpose_b": True}:
            raise UnsupportedGraph(f"{module} is multiplied otherwise: {product.get_attributes()}")
        codes, zero, scale = _packed(product.input_value(1).get_node())
        return Packed(codes, *(one.astype(np.float32).ravel() for one in (zero, scale, _constant(_reader(product)))))

    def _epsilon(self) -> float:
        norms = [node.get_attributes() for (_, kind), node in self._operations.items() if kind == "MVN"]
        kinds = {(norm["eps"], norm["eps_mode"], norm["normalize_variance"]) for norm in norms}
        ((epsilon, mode, with_variance),) = kinds
        if mode != "INSIDE_SQRT" or not with_variance:
            raise UnsupportedGraph(f"norms of another kind: {kinds}")
        return float(epsilon)

    def _table(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float16]]:
        return _packed(self._operations[f"embeddings.{name}_embeddings", "Gather"].input_value(0).get_node())

    def _norm(self, weights: Weights, module: str, hidden: int) -> Norm:
        gain = _reader(self._operations[module, "MVN"])
        values = _constant(gain), _constant(_reader(gain))
        if {one.size for one in values} != {hidden}:
            raise UnsupportedGraph(f"{module} is not of {hidden} numbers")
        return Norm(*(weights.floats(one) for one in values))

    def _head_size(self) -> int:
        query = _reader(self._operations["encoder.layer.0.attention.self.query", "MatMul"])
        return int(_reader(query).output(0).get_partial_shape()[3].get_length())


def linear(weights: Weights, parts: Sequence[Packed]) -> Linear:
    """Matrices that read the same, one after another."""
    codes = np.concatenate([part.codes for part in parts])
    zero, scale, bias = (np.concatenate([getattr(part, name) for part in parts]) for name in ("zero", "scale", "bias"))
    outputs, inputs = codes.shape
    sums = scale * (codes.sum(axis=1, dtype=np.int64) - zero * inputs)
    packed = _aligned(codes.reshape(outputs // COLUMNS, COLUMNS, inputs // 4, 4).transpose(0, 2, 1, 3))
    return Linear(inputs, outputs, weights.at(packed), *(weights.floats(one) for one in (scale, zero, sums, bias)))


def _aligned(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    room = np.empty(values.size + ALIGNED, np.uint8)
    start = -room.ctypes.data % ALIGNED
    aligned = room[start : start + values.size]
    aligned[:] = values.ravel()
    return aligned


def _packed(node: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float16]]:
    """Codes, zero points and scales behind what unpacks them."""
    product = _unconverted(node)
    difference = product.input_value(0).get_node()
    behind = (difference.input_value(0), difference.input_value(1), product.input_value(1))
    codes, zero, scale = (_unconverted(one.get_node()).get_data() for one in behind)
    return codes, zero, scale


def _unpacked(codes: NDArray[np.uint8], zero: NDArray[np.uint8], scale: NDArray[np.float16]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (codes.astype(np.float32) - zero) * scale.astype(np.float32)
    return values


def _unconverted(node: Any) -> Any:
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node


def _reader(node: Any) -> Any:
    """What reads a node's output."""
    return next(iter(node.output(0).get_target_inputs())).get_node()


def _constant(node: Any) -> NDArray[np.float32]:
    """What a sum or product adds or multiplies by."""
    inputs = (one.get_source_output().get_node() for one in node.inputs())
    values: NDArray[np.float32] = next(one.get_data() for one in inputs if one.get_type_name() == "Constant")
    return values
