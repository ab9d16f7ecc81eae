"""States between the first norm and the last in bf16.

Told to compute in bf16, the runtime keeps the sums and norms that lead from layer to layer in float32, and turns them
into bf16 and back around every matrix. It does not where the graph itself says bf16.
"""

from types import ModuleType
from typing import Any

from nlp_service.inference.unpacking import bf16_constant, constant_value, rounded


def round_states(openvino: ModuleType, model: Any) -> None:
    """Let an `openvino.Model` hold in bf16 what it computes after its first norm and before its last one."""
    nodes = model.get_ordered_ops()
    norms = [node for node in nodes if node.get_type_name() == "MVN"]
    if not norms:
        return
    first, last = norms[0], norms[-1].get_name()
    readers = first.output(0).get_target_inputs()
    states = openvino.opset13.convert(first, "bf16")
    for reader in readers:
        reader.replace_source_output(states.output(0))
    inside = {states.get_name()}
    for node in nodes:
        reached = [place for place in node.inputs() if _source(place).get_name() in inside]
        if not reached or node.get_type_name() == "ShapeOf":
            continue
        if node.get_name() == last or node.get_type_name() == "Result":
            for place in reached:
                place.replace_source_output(openvino.opset13.convert(_source(place), "f32").output(0))
            continue
        inside.add(node.get_name())
        for place in node.inputs():
            if _source(place).get_name() not in inside and place.get_element_type() == openvino.Type.f32:
                place.replace_source_output(_in_bf16(openvino, _source(place)).output(0))
    model.validate_nodes_and_infer_types()


def _source(place: Any) -> Any:
    return place.get_source_output().get_node()


def _in_bf16(openvino: ModuleType, node: Any) -> Any:
    if node.get_type_name() == "Convert" and node.get_input_element_type(0) == openvino.Type.bf16:
        return node.input_value(0).get_node()
    value = constant_value(node)
    return openvino.opset13.convert(node, "bf16") if value is None else bf16_constant(openvino, rounded(value))
