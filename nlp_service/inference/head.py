"""A head: calibrated probabilities of one task from an encoder's pooled vectors."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, Task, read_bundle

WEIGHTS_FILE = "head.safetensors"
LABELS: dict[Task, tuple[str, ...]] = {
    "sentiment": ("negative", "neutral", "positive"),
    "classify": ("fault", "feature_request", "question", "other"),
}
"""What the HTTP contract can answer."""


class Head:
    """Linear layer, temperature, softmax."""

    def __init__(self, bundle: HeadBundle, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self.bundle = bundle
        self._weight = weight
        self._bias = bias

    @classmethod
    def load(cls, folder: Path, encoder: EncoderBundle) -> "Head":
        """Load a head bundle; raises BundleError when it was trained on another encoder than `encoder`."""
        bundle = read_bundle(folder, HeadBundle)
        if bundle.encoder.fingerprint != encoder.fingerprint:
            raise BundleError(
                f"{folder}: 该任务头基于另一个编码器 · trained on encoder {bundle.encoder.name} "
                f"{bundle.encoder.fingerprint[:12]}, but {encoder.fingerprint[:12]} is loaded"
            )
        tensors = load_file(folder / WEIGHTS_FILE)
        weight, bias = tensors["weight"].astype(np.float32), tensors["bias"].astype(np.float32)
        if bundle.labels != LABELS[bundle.task]:
            raise BundleError(f"{folder}: labels are {bundle.labels}, {bundle.task} has {LABELS[bundle.task]}")
        if (weight.shape, bias.shape) != ((len(bundle.labels), encoder.dimension), (len(bundle.labels),)):
            raise BundleError(f"{folder}: weight has shape {weight.shape}, labels need {len(bundle.labels)} rows")
        return cls(bundle, weight, bias)

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (texts, labels), rows summing to 1."""
        logits = (pooled @ self._weight.T + self._bias) / self.bundle.temperature
        return softmax(logits)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row-wise softmax."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
