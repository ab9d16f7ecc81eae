"""Turns the 8-bit weights of a graph's matrices back into numbers, for processors that multiply bf16 in special units.

The graph that is stored has 8-bit weights, which every processor can use. Where matrix units (Intel AMX) work in bf16,
unpacking the weights for every batch would cost what they save, so it is done once, before compiling.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.mapped import Mapped, moved_to_file


def unpack_weights(openvino: ModuleType, model: Any) -> Mapped | None:
    """Replace the packed weights of every matrix multiplication of an `openvino.Model` by constants in bf16.

    Gives the file that holds them and that has to be kept, None when there is none: where the temporary folder has no
    room they stay in memory. Word embeddings are looked up and not multiplied, so they stay in 8 bits.
    """
    unpacked = [
        (node, rounded(value))
        for node in model.get_ops()
        if node.get_type_name() == "MatMul" and (value := constant_value(node.input_value(1).get_node())) is not None
    ]
    if not unpacked:
        return None
    nodes, weights = map(list, zip(*unpacked, strict=True))
    try:
        mapped, weights = moved_to_file(weights)
    except OSError:
        mapped = None
    for node, value in zip(nodes, weights, strict=True):
        weight = openvino.opset13.convert(bf16_constant(openvino, value, shared=mapped is not None), "f32")
        node.input(1).replace_source_output(weight.output(0))
    model.validate_nodes_and_infer_types()
    return mapped


def rounded(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest numbers in bf16, which are the upper half of those in float32."""
    bits = np.array(values, np.float32).view(np.uint32)
    bits += 0x8000
    return np.asarray(bits >> 16, np.uint16)


def bf16_constant(openvino: ModuleType, bits: NDArray[np.uint16], *, shared: bool = False) -> Any:
    """A constant of a graph, which reads its numbers where they are when they are `shared`."""
    tensor = openvino.Tensor(bits, openvino.Shape(bits.shape), openvino.Type.bf16)
    return openvino.op.Constant(tensor, shared_memory=shared)


def constant_value(node: Any) -> NDArray[np.float32] | None:
    """What a node computes from constants by (codes - zero point) * scale; None when it depends on the input."""
    kind = node.get_type_name()
    if kind == "Constant":
        return np.asarray(node.get_data()).astype(np.float32)
    if kind not in ("Convert", "Subtract", "Multiply"):
        return None
    first = constant_value(node.input_value(0).get_node())
    if kind == "Convert" or first is None:
        return first
    second = constant_value(node.input_value(1).get_node())
    if second is None:
        return None
    return first - second if kind == "Subtract" else first * second
