"""Turns the 8-bit weights of a graph's matrices back into numbers, for processors that multiply bf16 in special units.

The graph that is stored has 8-bit weights, which every processor can use. Where matrix units (Intel AMX) work in bf16,
unpacking the weights for every batch would cost what they save, so it is done once, before compiling.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def unpack_weights(openvino: ModuleType, model: Any) -> int:
    """Replace the packed weights of every matrix multiplication of an `openvino.Model` by constants; gives how many.

    Word embeddings are looked up and not multiplied, so they stay in 8 bits and are read from the file as needed.
    """
    unpacked = 0
    for node in model.get_ops():
        if node.get_type_name() != "MatMul":
            continue
        weights = _value(node.input_value(1).get_node())
        if weights is not None:
            node.input(1).replace_source_output(openvino.op.Constant(weights).output(0))
            unpacked += 1
    model.validate_nodes_and_infer_types()
    return unpacked


def _value(node: Any) -> NDArray[np.float32] | None:
    """What a node computes from constants by (codes - zero point) * scale; None when it depends on the input."""
    kind = node.get_type_name()
    if kind == "Constant":
        return np.asarray(node.get_data()).astype(np.float32)
    if kind not in ("Convert", "Subtract", "Multiply"):
        return None
    first = _value(node.input_value(0).get_node())
    if kind == "Convert" or first is None:
        return first
    second = _value(node.input_value(1).get_node())
    if second is None:
        return None
    return first - second if kind == "Subtract" else first * second
