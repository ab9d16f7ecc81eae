"""Attention spelled out in the operations that the runtime makes one kernel of.

An exported graph has it as one operation with a truth value for every pair of tokens. The runtime takes that apart
itself, but transposes keys and scales queries on their own, and looks at every truth value in every layer. Here keys
are transposed while they are multiplied, queries scaled as they are made, and padding is a row of numbers a text.
"""

from types import ModuleType
from typing import Any

import numpy as np

HIDDEN = 1e4
"""Taken from the scores of padding: its share of the attention becomes 0, in bf16 as well."""
MOVES = ("Reshape", "Transpose")


def spell_out_attention(openvino: ModuleType, model: Any) -> None:
    """Replace every attention of an `openvino.Model` in which each token looks at every other that is no padding."""
    padding: Any = None
    for node in model.get_ordered_ops():
        if node.get_type_name() != "ScaledDotProductAttention" or not _hides_padding_only(node):
            continue
        padding = padding or _padding(openvino, model)
        replaced = _spelled_out(openvino, node, padding)
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(replaced.output(0))
    model.validate_nodes_and_infer_types()


def _spelled_out(openvino: ModuleType, node: Any, padding: Any) -> Any:
    operations = openvino.opset13
    _scale(openvino, node)
    query, key, value = (node.input_value(place) for place in range(3))
    scores = operations.add(operations.matmul(query, key, False, True), padding)
    return operations.matmul(operations.softmax(scores, -1), value, False, False)


def _scale(openvino: ModuleType, node: Any) -> None:
    """Multiply the queries where they are made: there it is a part of making them."""
    reader = node.input(0)
    width = reader.get_partial_shape()[3].get_length()
    while _only_moved(reader.get_source_output()):
        reader = reader.get_source_output().get_node().input(0)
    queries = reader.get_source_output()
    scale = node.input_value(4) if node.get_input_size() > 4 else _constant(openvino, np.float32(width**-0.5))
    reader.replace_source_output(openvino.opset13.multiply(queries, scale).output(0))


def _only_moved(states: Any) -> bool:
    """Whether a node only arranges numbers anew, for one reader."""
    return states.get_node().get_type_name() in MOVES and len(states.get_target_inputs()) == 1


def _hides_padding_only(node: Any) -> bool:
    """Whether the mask of an attention is the same for all tokens of a text."""
    if node.get_attributes()["causal"] or node.get_input_size() < 4:
        return False
    shapes = [tuple(map(str, shape)) for shape in _conjuncts(node.input_value(3))]
    of_tokens = [shape for shape in shapes if shape[3:] == ("?",)]
    # those of a query alone are true, as a token that looks at none has no attention
    return of_tokens == [("?", "1", "1", "?")]


def _conjuncts(mask: Any) -> list[Any]:
    """The shapes of the truth values that must all hold."""
    node = mask.get_node()
    kind = node.get_type_name()
    if kind == "Broadcast":
        return _conjuncts(node.input_value(0))
    if kind in ("BitwiseAnd", "LogicalAnd"):
        return [*_conjuncts(node.input_value(0)), *_conjuncts(node.input_value(1))]
    return [mask.get_partial_shape()]


def _padding(openvino: ModuleType, model: Any) -> Any:
    """What is added to the scores, shape (batch, 1, 1, tokens): 0 for tokens, for padding -HIDDEN."""
    operations = openvino.opset13
    mask = operations.convert(model.input("attention_mask"), "f32")
    hidden = operations.multiply(operations.subtract(mask, _constant(openvino, 1.0)), _constant(openvino, HIDDEN))
    return operations.unsqueeze(hidden, _constant(openvino, [1, 2]))


def _constant(openvino: ModuleType, value: Any) -> Any:
    array = np.asarray(value)
    return openvino.op.Constant(array.astype(np.int64 if array.dtype.kind == "i" else np.float32))
