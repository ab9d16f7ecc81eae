"""The source form of an encoder: the change of the base, or of some of its layers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.base.source import read_weights
from training.delta import save_delta
from training.encoder import load_transformer, weights_of
from training.shallow import shallow
from training.stored import DELTA_FILE, DESCRIPTION_FILE, load_stored, weights_of_layers

LAYERS = (2, 0)


def write_source(folder: Path, base: Path, transformer: Any, **description: Any) -> Path:
    begun = weights_of_layers(read_weights(base), description.get("layers"))
    save_delta(folder / DELTA_FILE, begun, weights_of(transformer), {})
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description), "utf-8")
    return folder


def trained(transformer: Any) -> Any:
    """The transformer with every matrix of its layers somewhat changed."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in transformer.encoder.parameters():
            parameter += 0.01 * torch.randn(parameter.shape)
    return transformer


def assert_like(found: Any, wanted: Any) -> None:
    expected = weights_of(wanted)
    for name, weight in weights_of(found).items():
        np.testing.assert_allclose(weight, expected[name], atol=5e-3, err_msg=name)


def test_an_encoder_begins_with_the_layers_that_are_named_in_their_order(deep: Path) -> None:
    begun = weights_of_layers(read_weights(deep), LAYERS)
    expected = weights_of(shallow(load_transformer(deep), LAYERS))
    assert begun.keys() == expected.keys()
    for name, weight in begun.items():
        np.testing.assert_array_equal(weight, expected[name], err_msg=name)


def test_without_layers_it_begins_with_all(deep: Path) -> None:
    weights = read_weights(deep)
    assert weights_of_layers(weights, None).keys() == weights.keys()


@pytest.mark.parametrize("description", [{}, {"layers": LAYERS}])
def test_what_was_stored_is_what_is_read(deep: Path, tmp_path: Path, description: dict[str, Any]) -> None:
    transformer = load_transformer(deep)
    student = trained(shallow(transformer, LAYERS) if description else transformer)
    found = load_stored(write_source(tmp_path, deep, student, **description), deep)
    assert found.config.num_hidden_layers == len(student.encoder.layer)
    assert_like(found, student)
