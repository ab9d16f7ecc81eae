"""Word embeddings that stay packed: their codes are looked up, and only what was found is unpacked.

A graph whose ranges are fixed is otherwise compiled with the whole table in float32, four times as large.
"""

from types import ModuleType
from typing import Any


def look_up_codes(openvino: ModuleType, model: Any) -> None:
    """Let every look-up of an `openvino.Model` in a table packed row by row read codes, zero points and scales."""
    operations = openvino.opset13
    for node in model.get_ordered_ops():
        table = _unconverted(node.input_value(0)) if node.get_type_name() == "Gather" else None
        if table is None or table.get_type_name() != "Multiply":
            continue
        difference, scale = table.input_value(0).get_node(), table.input_value(1)
        codes, zero = (_unconverted(difference.input_value(place)) for place in range(2))
        rows = [_rows(openvino, node, one) for one in (codes.output(0), zero.output(0), scale)]
        found = operations.multiply(operations.subtract(rows[0], rows[1]), rows[2])
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(found.output(0))
    model.validate_nodes_and_infer_types()


def _rows(openvino: ModuleType, node: Any, table: Any) -> Any:
    operations = openvino.opset13
    return operations.convert(operations.gather(table, node.input_value(1), node.input_value(2)), "f32")


def _unconverted(values: Any) -> Any:
    node = values.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node
