"""The source form of an encoder, as git holds it: what training changed in the base, or in some of its layers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.source import read_weights
from training.delta import Weights, apply_delta
from training.encoder import load_transformer, with_weights
from training.shallow import shallow

DELTA_FILE = "change.safetensors"
DESCRIPTION_FILE = "encoder.json"
LAYERS = "encoder.layer."


def read_description(folder: Path) -> dict[str, Any]:
    """What encoder.json says; ``layers`` names those of the base that the encoder has, without it it has all."""
    description: dict[str, Any] = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
    return description


def stored_weights(folder: Path, base: Path) -> dict[str, NDArray[np.float32]]:
    """The merged weights of the encoder whose source form lies in `folder`."""
    return apply_delta(
        folder / DELTA_FILE, weights_of_layers(read_weights(base), read_description(folder).get("layers"))
    )


def load_stored(folder: Path, base: Path) -> Any:
    """The encoder whose source form lies in `folder`, in float32, to evaluate with."""
    return of_layers(base, read_description(folder).get("layers"), stored_weights(folder, base))


def of_layers(base: Path, layers: Sequence[int] | None, weights: Weights) -> Any:
    """A transformer with some layers of a checkpoint, all when None, and these weights, to evaluate with."""
    transformer = load_transformer(base)
    return with_weights(transformer if layers is None else shallow(transformer, layers), weights)


def weights_of_layers(weights: Weights, layers: Sequence[int] | None) -> dict[str, NDArray[np.float32]]:
    """The weights that a transformer with these layers alone begins with, layers counted anew; all when None."""
    if layers is None:
        return dict(weights)
    kept = {name: weight for name, weight in weights.items() if not name.startswith(LAYERS)}
    for number, layer in enumerate(layers):
        old = f"{LAYERS}{layer}."
        parts = {name.removeprefix(old): weight for name, weight in weights.items() if name.startswith(old)}
        kept |= {f"{LAYERS}{number}.{part}": weight for part, weight in parts.items()}
    return kept
