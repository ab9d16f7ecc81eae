"""A transformer with some layers of another one, and what training changed in them."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from nlp_service.errors import BundleError
from training.base.source import fingerprint
from training.delta import apply_delta, save_delta
from training.encoder import weights_of, with_weights

QUERY_DELTA_FILE = "query_change.safetensors"


def shallow(transformer: Any, layers: Sequence[int]) -> Any:
    """A copy of a transformer with some of its layers, counted from 0."""
    student = copy.deepcopy(transformer)
    student.encoder.layer = nn.ModuleList(student.encoder.layer[layer] for layer in layers)
    student.config.num_hidden_layers = len(layers)
    return student


def write_student(folder: Path, transformer: Any, layers: Sequence[int], student: Any) -> dict[str, Any]:
    """Store what `student` differs in from these layers of `transformer`; gives its description for `read_student`."""
    begun = weights_of(shallow(transformer, layers))
    save_delta(folder / QUERY_DELTA_FILE, begun, weights_of(student), {})
    (folder / QUERY_DELTA_FILE).chmod(0o644)
    return {"layers": list(layers), "fingerprint": fingerprint(apply_delta(folder / QUERY_DELTA_FILE, begun))}


def read_student(folder: Path, transformer: Any, description: Mapping[str, Any]) -> Any:
    """The student that was stored; raises BundleError when `transformer` is not the one that it was made from."""
    student = shallow(transformer, description["layers"])
    merged = apply_delta(folder / QUERY_DELTA_FILE, weights_of(student))
    if (found := fingerprint(merged)) != description["fingerprint"]:
        raise BundleError(f"{folder}: queries: weights are {found[:12]}, expected {description['fingerprint'][:12]}")
    return with_weights(student, merged)
