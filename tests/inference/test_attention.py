"""Attention spelled out for the runtime gives what it gave before."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_service.inference.attention import spell_out_attention
from nlp_service.inference.engine import Engine
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.release import encoder_folder
from tests.conftest import BUNDLES
from training.build.cross_encoder import load_cross_encoder, score_graph

IDS = np.random.default_rng(5).integers(4, 40, (3, 24))
MASK = (np.arange(24) < np.array([[24], [17], [1]])).astype(np.int64)


def attentions(graph: Any) -> int:
    return sum(node.get_type_name() == "ScaledDotProductAttention" for node in graph.get_ops())


def scores(graph: Any) -> Any:
    compiled = import_openvino().Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"input_ids": IDS, "attention_mask": MASK})[0]


@pytest.fixture
def graph(cross_encoder: Path) -> Any:
    return score_graph(load_cross_encoder(cross_encoder))


def test_scores_stay(graph: Any) -> None:
    expected = scores(graph)
    spell_out_attention(import_openvino(), graph)
    assert attentions(graph) == 0
    np.testing.assert_allclose(scores(graph), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["encoder.xml", "query.xml"])
def test_none_is_left_in_the_graphs_that_serve(engine: Engine, name: str) -> None:
    openvino = import_openvino()
    bundle = engine.search_model
    folder = BUNDLES / encoder_folder(bundle.name, bundle.fingerprint)
    graph = openvino.Core().read_model(folder / name, folder / "encoder.bin")
    assert attentions(graph) > 0
    spell_out_attention(openvino, graph)
    assert attentions(graph) == 0


def test_queries_that_are_keys_and_values_as_well_are_scaled_alone() -> None:
    states, expected = attention_of(mask_shape=[-1, 1, 1, -1]), attention_of(mask_shape=[-1, 1, 1, -1])
    spell_out_attention(import_openvino(), states)
    assert attentions(states) == 0
    np.testing.assert_allclose(scores(states), scores(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("causal", "mask_shape"),
    [(True, [-1, 1, 1, -1]), (False, [-1, 1, -1, -1]), (False, None)],
    ids=["causal", "a mask for every pair of tokens", "no mask"],
)
def test_attention_that_hides_more_than_padding_stays(causal: bool, mask_shape: list[int] | None) -> None:
    graph = attention_of(mask_shape=mask_shape, causal=causal)
    spell_out_attention(import_openvino(), graph)
    assert attentions(graph) == 1


def attention_of(*, mask_shape: list[int] | None, causal: bool = False) -> Any:
    """A graph that looks up states of its tokens, of two heads, and attends to them once."""
    openvino = import_openvino()
    operations = openvino.opset13
    ids = operations.parameter([-1, -1], np.int64, name="input_ids")
    mask = operations.parameter([-1, -1], np.int64, name="attention_mask")
    for parameter in (ids, mask):
        parameter.output(0).set_names({parameter.get_friendly_name()})
    table = np.random.default_rng(7).normal(size=(40, 16)).astype(np.float32)
    states = operations.gather(table, ids, np.int64(0))
    heads = operations.transpose(operations.reshape(states, [0, 0, 2, 8], special_zero=True), [0, 2, 1, 3])
    given = []
    if mask_shape is not None:
        row = operations.unsqueeze(operations.convert(mask, "boolean"), [1, 2])
        if mask_shape[2] == -1:
            row = operations.logical_or(row, operations.unsqueeze(operations.convert(ids, "boolean"), [1, 3]))
        given = [row]
    attended = operations.scaled_dot_product_attention(heads, heads, heads, *given, causal=causal)
    return openvino.Model([attended], [ids, mask])
