"""A small encoder with random weights, for `forward.c` and, step by step, for NumPy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.kernel.library import Layer, Model, Norm
from nlp_service.inference.kernel.weights import Packed, Weights, linear

HIDDEN, FEED, LAYERS, VOCABULARY, LONGEST, HEAD = 64, 192, 2, 50, 300, 32
EPSILON = 1e-5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SmallLayer:
    """Matrices and norms of a layer."""

    query: Packed
    key: Packed
    value: Packed
    projection: Packed
    up: Packed
    down: Packed
    after_attention: tuple[Floats, Floats]
    after_feed: tuple[Floats, Floats]


class SmallEncoder:
    """Random weights, and what they make of token ids by the definition."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.words = self._random.integers(0, 256, (VOCABULARY, HIDDEN), np.uint8)
        self.zero = self._random.integers(100, 156, (VOCABULARY, 1), np.uint8)
        self.scale = self._random.uniform(0.002, 0.01, (VOCABULARY, 1)).astype(np.float16)
        self.places = self._random.normal(0, 0.3, (LONGEST, HIDDEN)).astype(np.float32)
        self.embedded = self._norm()
        self.layers = [
            SmallLayer(
                query=self._matrix(HIDDEN, HIDDEN),
                key=self._matrix(HIDDEN, HIDDEN),
                value=self._matrix(HIDDEN, HIDDEN),
                projection=self._matrix(HIDDEN, HIDDEN),
                up=self._matrix(FEED, HIDDEN),
                down=self._matrix(HIDDEN, FEED),
                after_attention=self._norm(),
                after_feed=self._norm(),
            )
            for _ in range(LAYERS)
        ]

    def weights(self) -> Weights:
        """As `forward.c` reads them."""
        weights = Weights(vocabulary=VOCABULARY, longest=LONGEST)

        def norm(gain_and_shift: tuple[Floats, Floats]) -> Norm:
            return Norm(*(weights.floats(one) for one in gain_and_shift))

        rows = [
            Layer(
                linear(weights, [layer.query.times(HEAD**-0.5), layer.key, layer.value]),
                linear(weights, [layer.projection]),
                norm(layer.after_attention),
                linear(weights, [layer.up]),
                linear(weights, [layer.down]),
                norm(layer.after_feed),
            )
            for layer in self.layers
        ]
        weights.model = Model(
            hidden=HIDDEN,
            feed=FEED,
            layers=LAYERS,
            epsilon=EPSILON,
            words=weights.at(self.words),
            word_scale=weights.at(self.scale),
            word_zero=weights.at(self.zero),
            places=weights.floats(self.places),
            embedded=norm(self.embedded),
            layer=(Layer * LAYERS)(*rows),
        )
        return weights

    def encode(self, ids: list[int], *, quantised: bool = True) -> Floats:
        """Mean token states, shape (hidden,); with what matrices read in full precision if not `quantised`."""

        def product(values: Floats, matrix: Packed) -> Floats:
            read = _quantised(values) if quantised else values
            weights = (matrix.codes.astype(np.float64) - matrix.zero[:, None]) * matrix.scale[:, None]
            return np.asarray(read @ weights.T + matrix.bias)

        words = (self.words[ids].astype(np.float64) - self.zero[ids]) * self.scale[ids].astype(np.float64)
        states = _normalised(words + self.places[: len(ids)], self.embedded)
        for layer in self.layers:
            query, key, value = (_heads(product(states, one)) for one in (layer.query, layer.key, layer.value))
            scores = query @ key.transpose(0, 2, 1) / np.sqrt(HEAD)
            share = np.exp(scores - scores.max(axis=-1, keepdims=True))
            attended = (share / share.sum(axis=-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), HIDDEN)
            states = _normalised(states + product(attended, layer.projection), layer.after_attention)
            fed = product(_gelu(product(states, layer.up)), layer.down)
            states = _normalised(states + fed, layer.after_feed)
        return np.asarray(states.mean(axis=0))

    def _matrix(self, outputs: int, inputs: int) -> Packed:
        return Packed(
            self._random.integers(0, 256, (outputs, inputs), np.uint8),
            self._random.uniform(100, 156, outputs).round().astype(np.float32),
            self._random.uniform(0.0005, 0.002, outputs).astype(np.float32),
            self._random.normal(0, 0.1, outputs).astype(np.float32),
        )

    def _norm(self) -> tuple[Floats, Floats]:
        return self._random.uniform(0.5, 1.5, HIDDEN), self._random.normal(0, 0.2, HIDDEN)


def _quantised(values: Floats) -> Floats:
    """Each row in 256 steps from its least to its greatest number."""
    low = values.min(axis=1, keepdims=True)
    step = (values.max(axis=1, keepdims=True) - low) / 255
    return np.asarray(np.round((values - low) / step) * step + low)


def _normalised(values: Floats, norm: tuple[Floats, Floats]) -> Floats:
    apart = values - values.mean(axis=1, keepdims=True)
    return np.asarray(apart / np.sqrt((apart**2).mean(axis=1, keepdims=True) + EPSILON) * norm[0] + norm[1])


def _heads(values: Floats) -> Floats:
    return values.reshape(len(values), -1, HEAD).transpose(1, 0, 2)


def _gelu(values: Floats) -> Floats:
    from scipy.special import erf

    return np.asarray(values * (1 + erf(values / np.sqrt(2))) / 2)
