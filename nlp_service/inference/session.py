"""Runs an encoder's graph."""

import os
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.attention import spell_out_attention
from nlp_service.inference.bundle import WHOLE, GraphFiles
from nlp_service.inference.mapped import open_graph
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.rounding import round_states
from nlp_service.inference.unpacking import unpack_weights

Arithmetic = Literal["bf16", "int8-dynamic", "int8-static"]
"""`int8-static` for a graph whose ranges of activations were fixed when it was built, the others for any other."""
KERNELS_KEPT = 400
"""Of a graph with fixed ranges, which needs kernels of its own for each matrix and number of tokens: 0.1 MB each."""


class Session(Protocol):
    """A compiled encoder. As many threads as it has streams may call `run` at once; more wait for these."""

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean token states, shape (batch, hidden), of padded ids and mask, shape (batch, tokens)."""
        ...


class OpenVinoSession:
    """An OpenVINO graph on the CPU, which computes a batch in each of its streams at a time.

    docs/decisions/0001 says which arithmetic is best on which processor.
    """

    def __init__(
        self,
        folder: Path,
        threads: int,
        arithmetic: Arithmetic,
        *,
        files: GraphFiles = WHOLE,
        streams: int = 1,
        counting: bool = False,
    ) -> None:
        """The `threads` are divided among the streams; 0 means all cores.

        `counting` counts the time of each node, which makes batches a little slower.

        Raises OSError when a file cannot be read.
        """
        openvino = import_openvino()
        core = openvino.Core()
        model, self._mapped = open_graph(openvino, core, folder, files)
        options: dict[str, str | int | bool] = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, all encoders of all processes would compute on the first cores, beside idle ones.
            "ENABLE_CPU_PINNING": False,
            "PERF_COUNT": counting,
            # bf16 between 8-bit matrices costs more accuracy (cosine 0.991) than the quantisation itself (0.9993).
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if arithmetic == "int8-static":
            options["CPU_RUNTIME_CACHE_CAPACITY"] = KERNELS_KEPT // streams
        else:
            spell_out_attention(openvino, model)
            in_bf16 = arithmetic == "bf16"
            options |= self._in_bf16(openvino, model) if in_bf16 else {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 128}
        self._single = streams == threads == 1
        # The policy of the thread that compiles is inherited by the runtime's. A single one holds up those that compute
        # in their own threads, so it has theirs.
        with ThreadPoolExecutor(1, initializer=None if self._single else _give_way) as pool:
            self._compiled = pool.submit(core.compile_model, model, "CPU", options).result()
        self._requests = [self._compiled.create_infer_request()]
        self._computing = 0
        self._lock = threading.Lock()
        self._batches = 0
        self._pack(streams)

    def _in_bf16(self, openvino: ModuleType, model: Any) -> dict[str, str]:
        """Prepare an `openvino.Model` to be computed in bf16; gives the options for it."""
        if unpacked := unpack_weights(openvino, model):
            self._mapped.append(unpacked)
        round_states(openvino, model)
        return {"INFERENCE_PRECISION_HINT": "bf16"}

    def _pack(self, streams: int) -> None:
        """With the first batch the runtime packs the weights for its kernels: after that theirs are not read again."""
        one = np.ones((1, 1), np.int64)
        with ThreadPoolExecutor(streams) as pool:
            list(pool.map(self.run, [one] * streams, [one] * streams))
        for mapped in self._mapped:
            mapped.release()

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Session.run`."""
        with self._lock:
            alone = self._single and not self._computing
            self._computing += 1
            request = self._requests.pop() if self._requests else self._compiled.create_infer_request()
        try:
            inputs = {"input_ids": ids, "attention_mask": mask}
            if alone:  # in this thread: the runtime's own would have to be woken, and to wake it
                request.infer(inputs, share_inputs=True)
            else:
                request.start_async(inputs, share_inputs=True)
                request.wait()
            output: NDArray[np.float32] = request.get_output_tensor().data
            return output.copy()
        finally:
            with self._lock:
                self._computing -= 1
                self._batches += 1
                self._requests.append(request)

    def node_seconds(self) -> dict[str, float]:
        """Seconds that each type of node took in all batches since loading; empty without `counting`.

        Of a session with one stream that one thread uses.
        """
        seconds: defaultdict[str, float] = defaultdict(float)
        for node in self._requests[0].get_profiling_info():  # a mean of all batches, in whole microseconds
            seconds[node.node_type] += node.real_time.total_seconds() * self._batches
        return dict(seconds)


def _give_way() -> None:
    """Let this thread, and those that it makes, compute while nobody else needs a core.

    Threads that run Python keep everything waiting when one of them has the interpreter and no core
    (docs/decisions/0020). Where the system has no such policy, or forbids it, nothing is done.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
