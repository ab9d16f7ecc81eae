"""Fit a head alone on the vectors of a frozen encoder: logistic regression, in seconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.example import UNKNOWN

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse regularisation (scikit-learn's C) to choose from, on standardised vectors."""
NEVER = -20.0
"""Logit of a class that training never saw."""
Vectors = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class LinearHead:
    """Logits = vectors @ weight.T + bias; rows are outputs × labels."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    outputs: int

    def logits(self, vectors: Vectors) -> NDArray[np.float32]:
        """Shape (texts, outputs, labels)."""
        flat: NDArray[np.float32] = vectors @ self.weight.T + self.bias
        return flat.reshape(len(vectors), self.outputs, len(self.bias) // self.outputs)


def fit_head(train: Vectors, truth: Classes, validation: Vectors, validation_truth: Classes, labels: int) -> LinearHead:
    """Fit on `train`, truth of shape (texts, outputs); the strength with the lowest validation loss wins.

    Classes of `UNKNOWN` are left out. Vectors are standardised for fitting, and that is folded into the weights.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
    scaled, scaled_validation = (train - mean) / spread, (validation - mean) / spread
    weights, biases = [], []
    for output in range(truth.shape[1]):
        weight, bias = _fit_output(scaled, truth[:, output], scaled_validation, validation_truth[:, output], labels)
        weights.append(weight / spread)
        biases.append(bias - (weight / spread) @ mean)
    return LinearHead(
        np.concatenate(weights).astype(np.float32), np.concatenate(biases).astype(np.float32), truth.shape[1]
    )


def _fit_output(
    train: Vectors, truth: Classes, validation: Vectors, validation_truth: Classes, labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    known, judged = truth != UNKNOWN, validation_truth != UNKNOWN
    seen = np.unique(truth[known])
    if len(seen) < 2:
        bias = np.full(labels, NEVER)
        bias[seen] = 0.0
        return np.zeros((labels, train.shape[1])), bias
    best: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(train[known], truth[known])
        weight, bias = _all_classes(model.coef_, model.intercept_, seen, labels)
        loss = _loss(validation[judged] @ weight.T + bias, validation_truth[judged])
        if best is None or loss < best[0]:
            best = (loss, weight, bias)
    assert best is not None  # noqa: S101 - there is at least one strength
    return best[1], best[2]


def _all_classes(
    coefficients: NDArray[np.float64], intercepts: NDArray[np.float64], seen: Classes, labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(seen) == 2:  # scikit-learn keeps one row for two classes: half of it against each
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight, bias = np.zeros((labels, coefficients.shape[1])), np.full(labels, NEVER)
    weight[seen], bias[seen] = coefficients, intercepts
    return weight, bias


def _loss(logits: NDArray[np.float64], truth: Classes) -> float:
    if not len(truth):
        return 0.0
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(log_probabilities[np.arange(len(truth)), truth].mean())
