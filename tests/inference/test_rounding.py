"""Which states of an encoder are in bf16."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.rounding import round_states
from nlp_service.inference.unpacking import unpack_weights
from training.build.cross_encoder import load_cross_encoder, score_graph
from training.build.graph import compress


@pytest.fixture
def graph(cross_encoder: Path) -> Any:
    return compress(score_graph(load_cross_encoder(cross_encoder)))


def types(graph: Any, kind: str) -> list[str]:
    nodes = [node for node in graph.get_ordered_ops() if node.get_type_name() == kind]
    return [node.get_input_element_type(0).get_type_name() for node in nodes]


def test_norms_between_the_first_and_the_last_read_bf16(graph: Any) -> None:
    round_states(import_openvino(), graph)
    first, *between, last = types(graph, "MVN")
    assert (first, set(between), last) == ("f32", {"bf16"}, "f32")


def test_what_the_graph_gives_stays_float32(graph: Any) -> None:
    round_states(import_openvino(), graph)
    assert graph.output(0).get_element_type().get_type_name() == "f32"


def test_unpacked_weights_are_read_as_they_are(graph: Any) -> None:
    openvino = import_openvino()
    mapped = unpack_weights(openvino, graph)
    assert mapped is not None
    round_states(openvino, graph)
    matrices = [node for node in graph.get_ops() if node.get_type_name() == "MatMul"]
    inside = [node for node in matrices if node.get_output_element_type(0) == openvino.Type.bf16]
    assert {node.input_value(1).get_node().get_type_name() for node in inside} >= {"Constant"}
    assert "Multiply" not in {node.input_value(1).get_node().get_type_name() for node in matrices}


def test_a_graph_without_norms_stays() -> None:
    openvino = import_openvino()
    ids = openvino.opset13.parameter([-1, 4], np.float32)
    graph = openvino.Model([openvino.opset13.add(ids, np.float32(1))], [ids])
    round_states(openvino, graph)
    assert "Convert" not in {node.get_type_name() for node in graph.get_ops()}
