"""A head: calibrated probabilities of one task from an encoder's pooled vectors."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, Task, read_bundle

WEIGHTS_FILE = "head.safetensors"
TEST_ANSWERS_FILE = "test_answers.safetensors"
LABELS: dict[Task, tuple[str, ...]] = {
    "sentiment": ("negative", "neutral", "positive"),
    "classify": ("fault", "feature_request", "question", "other"),
    "severity": ("blocking", "degraded", "minor"),
    "aspects": ("absent", "negative", "neutral", "positive"),
}
"""The label sets of the HTTP contract; `aspects` answers with one of its labels for each of `ASPECTS`."""

ASPECTS = (
    "functions",
    "ease_of_use",
    "stability",
    "speed",
    "interface",
    "price",
    "customer_service",
    "privacy_security",
)
OUTPUTS: dict[Task, int] = {"sentiment": 1, "classify": 1, "severity": 1, "aspects": len(ASPECTS)}
"""How many answers a head gives for one text."""


TEST_TOLERANCE = 0.1
"""How far a probability may lie from the test answer: processors round 8-bit products differently."""


class Head:
    """Linear layer, temperature, softmax; for `aspects` one softmax for each of them."""

    def __init__(self, bundle: HeadBundle, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self.bundle = bundle
        self._weight = weight
        self._bias = bias
        self._shape = (len(bundle.aspects), len(bundle.labels)) if bundle.aspects else (len(bundle.labels),)

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
        _check_labels(folder, bundle)
        rows = max(len(bundle.aspects), 1) * len(bundle.labels)
        if (weight.shape, bias.shape) != ((rows, encoder.dimension), (rows,)):
            raise BundleError(f"{folder}: weight has shape {weight.shape}, labels need {rows} rows")
        return cls(bundle, weight, bias)

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (texts, labels), or (texts, aspects, labels); the last axis sums to 1."""
        logits = (pooled @ self._weight.T + self._bias) / self.bundle.temperature
        return softmax(logits.reshape(len(pooled), *self._shape))

    def at_temperature(self, temperature: float) -> "Head":
        """The same head with another temperature."""
        return Head(self.bundle.model_copy(update={"temperature": temperature}), self._weight, self._bias)

    def check(self, folder: Path, encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> None:
        """Raise BundleError unless the head gives the test answers in `folder` for their texts, encoded by `encode`."""
        stored = load_file(folder / TEST_ANSWERS_FILE)
        texts = bytes(stored["texts"]).decode("utf-8").split("\n")
        answers, expected = self.probabilities(encode(texts)), stored["probabilities"]
        if answers.shape != expected.shape:
            raise BundleError(f"{folder}: answers have shape {answers.shape}, its test answers {expected.shape}")
        difference = float(np.abs(answers - expected).max())
        if not difference <= TEST_TOLERANCE:  # also when it is not a number
            raise BundleError(
                f"{folder}: 与自带测试答案不符 · differs from its own test answers by {difference:.3f}, "
                f"at most {TEST_TOLERANCE} is allowed"
            )


def _check_labels(folder: Path, bundle: HeadBundle) -> None:
    fixed = {"sentiment", "aspects"}  # the contract computes with these; other tasks may have labels of their own
    if bundle.task in fixed and bundle.labels != LABELS[bundle.task]:
        raise BundleError(f"{folder}: labels are {bundle.labels}, {bundle.task} has {LABELS[bundle.task]}")
    if bundle.aspects != (ASPECTS if bundle.task == "aspects" else ()):
        raise BundleError(f"{folder}: aspects are {bundle.aspects}, {bundle.task} has {ASPECTS}")
    if len(set(bundle.labels)) != len(bundle.labels) or len(bundle.labels) < 2:
        raise BundleError(f"{folder}: labels are {bundle.labels}: at least two different ones are needed")


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
