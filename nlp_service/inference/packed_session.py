"""Runs windows that are packed into one row of tokens, by graphs of few fixed numbers of tokens.

A graph whose number of tokens varies is made ready for it anew with each batch, which takes as long as computing 30
more (docs/decisions/0001). These never are.
"""

from collections.abc import Sequence
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import GraphFiles
from nlp_service.inference.mapped import Mapped
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.packing import HIDDEN, IDS, PLACES, packed
from nlp_service.inference.session import compiled, read_graph

TOKENS = (16, 32, 128)
"""Numbers of tokens that there is a graph for, 36 MB each. Attention within a longer row costs more than is saved."""
SHORT = 32
"""Windows of up to so many tokens are packed, always: packed and padded vectors differ in the third digit, so by this a
text has the same vector whatever is beside it. A longer one alone would waste more of a row than its own shape costs."""
COST = 3
"""Tokens that are computed in the time that a row takes beside its own."""
OUT_OF_SIGHT = np.float32(-1e4)
"""Added to the scores of other windows: their share of the attention becomes 0."""


class PackedSession:
    """Graphs on the CPU, with ranges of activations that were fixed when they were built. For one thread at a time."""

    def __init__(self, requests: dict[int, Any], mapped: list[Mapped]) -> None:
        """By tokens, the requests of graphs that read the weights in these files."""
        self._requests = requests
        self._mapped = mapped
        for tokens in TOKENS:  # packs the weights for its kernels: after that those of the files are not read again
            self.run([range(tokens)])
        for file in mapped:
            file.release()

    @classmethod
    def open(cls, folder: Path, threads: int, files: GraphFiles) -> "PackedSession | None":
        """None when the graph is of a kind that is not known; raises OSError when a file cannot be read."""
        openvino = import_openvino()
        read, mapped = read_graph(openvino, folder, files)
        model = packed(openvino, read)
        if model is None:
            return None
        requests = {}
        for tokens in TOKENS:
            sized = model.clone()
            sized.reshape({IDS: [1, tokens], PLACES: [1, tokens], HIDDEN: [1, 1, tokens, tokens]})
            requests[tokens] = compiled(openvino, sized, threads, {})
        return cls(requests, mapped)

    def run(self, windows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Mean token states, shape (windows, hidden), of token ids: altogether no more than the longest row has."""
        lengths = np.array([len(window) for window in windows], np.int32)
        starts = np.cumsum(lengths) - lengths
        total = int(lengths.sum())
        tokens = next(tokens for tokens in TOKENS if tokens >= total)
        ids, places, owners = np.zeros((3, tokens), np.int64)
        ids[:total] = np.fromiter(chain.from_iterable(windows), np.int64, total)
        places[:total] = np.arange(total) - np.repeat(starts, lengths)
        owners[:total] = np.repeat(np.arange(1, len(windows) + 1), lengths)
        hidden = np.where(owners[:, None] == owners, np.float32(0), OUT_OF_SIGHT)
        request = self._requests[tokens]
        request.infer({IDS: ids[None], PLACES: places[None], HIDDEN: hidden[None, None]}, share_inputs=True)
        states = request.get_output_tensor().data[0, :total]
        means: NDArray[np.float32] = np.add.reduceat(states, starts)
        means /= lengths[:, None]
        return means


def packed_cost(tokens: int) -> float:
    """Of windows of so many tokens in one row, in the time that a token takes; infinite when they are too many."""
    return next((row + COST for row in TOKENS if row >= tokens), inf)
