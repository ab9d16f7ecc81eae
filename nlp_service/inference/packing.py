"""Rewrites an encoder's graph so that the windows of a batch follow one another in a single row of tokens.

Everything but attention looks at one token at a time, so it computes no padding between windows. Attention gets numbers
that hide from each token those of other windows, and each token's place in its window is an input as well.
"""

from types import ModuleType
from typing import Any

import numpy as np

IDS, PLACES, HIDDEN = "input_ids", "places", "hidden"
"""Inputs: token ids and their places, shape (1, tokens); and what is added to the scores of attention, shape (1, 1,
tokens, tokens): 0 where a token sees another, else a number so far below that it does not count."""


def packed(openvino: ModuleType, model: Any) -> Any | None:
    """A graph whose output are the states of all tokens, shape (1, tokens, hidden), made from that of `openvino.Model`.

    The given graph has attention spelled out and gives mean states; it cannot be used afterwards. None when it is of
    another kind.
    """
    places = [node for node in model.get_ordered_ops() if _gives_places(node)]
    masked = [node.input_value(0).get_node() for node in model.get_ordered_ops() if node.get_type_name() == "Softmax"]
    states = _states(model)
    if len(places) != 1 or not masked or not all(map(_adds_padding, masked)) or states is None:
        return None
    parameter, types, shape = openvino.op.Parameter, openvino.Type, openvino.PartialShape
    given = parameter(types.i64, shape([1, -1]))
    hidden = parameter(types.f32, shape([1, 1, -1, -1]))
    given.output(0).set_names({PLACES})
    hidden.output(0).set_names({HIDDEN})
    for reader in places[0].output(0).get_target_inputs():
        reader.replace_source_output(given.output(0))
    for node in masked:
        node.input(1).replace_source_output(hidden.output(0))
    inputs = [model.input(IDS).get_node(), given, hidden]
    if _parameters(states.get_node()) != {node.get_name() for node in inputs}:
        return None
    return openvino.Model([openvino.opset13.result(states)], inputs, "packed")


def _gives_places(node: Any) -> bool:
    """Whether it cuts off, from all places that there are, those of the tokens of a batch."""
    if node.get_type_name() != "Slice" or node.input_value(0).get_node().get_type_name() != "Constant":
        return False
    places = node.input_value(0).get_node().get_data().ravel()
    return np.array_equal(places, np.arange(len(places)))


def _parameters(node: Any) -> set[str]:
    """The names of those that a node depends on."""
    found: dict[str, Any] = {}
    left = [node]
    while left:
        one = left.pop()
        if one.get_name() not in found:
            found[one.get_name()] = one
            left += [one.input_value(place).get_node() for place in range(one.get_input_size())]
    return {name for name, one in found.items() if one.get_type_name() == "Parameter"}


def _adds_padding(node: Any) -> bool:
    """Whether what is added to the scores is the same for all tokens of a text."""
    kinds = [one.get_type_name() for one in (node, node.input_value(1).get_node())]
    return kinds == ["Add", "Unsqueeze"]


def _states(model: Any) -> Any | None:
    """What the mean is taken of, shape (batch, tokens, hidden)."""
    node = model.get_results()[0]
    for kind in ("Divide", "ReduceSum", "Multiply"):
        node = node.input_value(0).get_node()
        if node.get_type_name() != kind:
            return None
    return node.input_value(0)
