"""Runs an encoder by the compiled forward pass."""

import ctypes
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import WHOLE, GraphFiles
from nlp_service.inference.kernel.completions import completions
from nlp_service.inference.kernel.library import KINDS, Model, library
from nlp_service.inference.kernel.weights import Weights, read_weights
from nlp_service.inference.mapped import open_graph
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.padding import Packing
from nlp_service.inference.processor import cores

NO_MEMORY = "内存不足 · no memory to compute a batch in"


class KernelSession:
    """An encoder's weights, and threads that compute with them.

    Any number of threads may call `run` at once. docs/decisions/0027 says what it is for.
    """

    packing = Packing(512, padded=False)
    """Two parts (MOST in pool.c) for each of two threads; of more tokens they compute no more in a second."""

    def __init__(self, weights: Weights, threads: int, *, halves: bool = True) -> None:
        """With a single thread, those that call `run` compute themselves, and it computes what is begun.

        Attention of long texts multiplies 16-bit floats where the processor can, unless not `halves`. Raises OSError
        where there is no thread to be had.
        """
        self._weights = weights
        self._library = library()
        self._model = Model.from_buffer_copy(weights.model)
        self._model.halves = halves and self._library.forward_halves()
        self._pool = self._library.pool_open(threads)
        if not self._pool:
            raise OSError("没有线程或内存可用 · no thread or memory to be had")
        # Not at the end of the process: threads that nobody waits for may still compute.
        weakref.finalize(self, self._library.pool_close, self._pool).atexit = False

    @classmethod
    def load(cls, folder: Path, threads: int, files: GraphFiles = WHOLE) -> "KernelSession":
        """Of a graph of a bundle; with 0 threads, one for each core.

        Raises OSError when a file cannot be read, UnsupportedGraph when it is no encoder of the kind that was compiled.
        """
        openvino = import_openvino()
        model, owners = open_graph(openvino, openvino.Core(), folder, files)
        weights = read_weights(model)
        for owner in owners:
            owner.release()
        weights.keep(owners)
        return cls(weights, threads or cores())

    def shares(self) -> dict[str, float]:
        """Which share of the time of all batches so far went into what; they add up to 1."""
        ticks = np.zeros(len(KINDS), np.uint64)
        self._library.pool_ticks(self._pool, ticks.ctypes.data)
        return dict(zip(KINDS, (ticks / max(ticks.sum(), 1)).tolist(), strict=True))

    def run(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Mean token states, shape (rows, hidden), of token ids; rows of any length, one token or more.

        Raises ValueError for ids and lengths that the encoder does not know, MemoryError.
        """
        batch = self._laid_out(rows)
        if self._library.pool_forward(self._pool, ctypes.byref(self._model), *batch.addresses):
            raise MemoryError(NO_MEMORY)
        return batch.pooled

    def begin(self, rows: Sequence[Sequence[int]], done: Callable[[NDArray[np.float32] | Exception], None]) -> None:
        """Begin what `run` does. `done` gets what comes of it, as `completions` says.

        Raises what `run` raises, ValueError without rows, OSError and RuntimeError where nobody could be told. Then
        nothing was begun.
        """
        if not rows:
            raise ValueError("rows are needed")
        batch = self._laid_out(rows)

        def ended(failed: bool) -> None:  # keeps the session and the batch until then
            done(MemoryError(NO_MEMORY) if failed else batch.pooled)

        telling = completions()
        number = telling.expect(ended)
        model = ctypes.byref(self._model)
        if self._library.pool_begin(self._pool, model, *batch.addresses, telling.queue, number):
            telling.forget(number)
            raise MemoryError(NO_MEMORY)

    def _laid_out(self, rows: Sequence[Sequence[int]]) -> "_Batch":
        lengths = np.fromiter(map(len, rows), np.int32, len(rows))
        ids = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
        known = self._weights
        if rows and (
            lengths.min() < 1 or lengths.max() > known.longest or ids.min() < 0 or ids.max() >= known.vocabulary
        ):
            raise ValueError(f"rows of 1 to {known.longest} tokens below {known.vocabulary} are needed")
        return _Batch(ids, lengths, np.empty((len(rows), known.model.hidden), np.float32))


@dataclass(frozen=True)
class _Batch:
    """Token ids, one row after the other, how many each row has, and where the mean states go, shape (rows, hidden)."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    pooled: NDArray[np.float32]

    @property
    def addresses(self) -> tuple[int, int, int, int]:
        """As `pool.h` has them."""
        return self.ids.ctypes.data, self.lengths.ctypes.data, len(self.lengths), self.pooled.ctypes.data
