"""Runs an encoder's graph."""

from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.attention import spell_out_attention
from nlp_service.inference.bundle import WHOLE, GraphFiles
from nlp_service.inference.mapped import Mapped, share_tables
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.rounding import round_states
from nlp_service.inference.unpacking import unpack_weights

CPU_FLAGS = Path("/proc/cpuinfo")
Precision = Literal["int8-static", "int8-dynamic"]


class Session(Protocol):
    """A compiled encoder."""

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean token states, shape (batch, hidden), of padded ids and mask, shape (batch, tokens)."""
        ...


class OpenVinoSession:
    """An OpenVINO graph on the CPU. Not safe for use by several threads at once.

    A graph with 8-bit weights and dynamic ranges is computed in bf16 where the processor has units for it, which takes
    down to half of the time and is nearer to full precision; elsewhere in 8 bits (docs/decisions/0001).
    """

    def __init__(
        self,
        folder: Path,
        threads: int,
        precision: Precision,
        *,
        files: GraphFiles = WHOLE,
        matrix_units: bool | None = None,
        counting: bool = False,
    ) -> None:
        """`threads` 0 means all cores; `matrix_units` says whether to compute in bf16, None to ask the processor.

        `counting` counts the time of each node, for `node_seconds`; batches take a little longer.
        Raises OSError when a file cannot be read.
        """
        openvino = import_openvino()
        core = openvino.Core()
        weights = Mapped(folder / files.weights)
        model = core.read_model((folder / files.graph).read_bytes(), openvino.Tensor(weights.bytes, shared_memory=True))
        self._mapped = [weights, *share_tables(openvino, model, weights)]
        options: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "PERF_COUNT": counting,
            # bf16 between 8-bit matrices costs more accuracy (cosine 0.991) than the quantisation itself (0.9993).
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if precision == "int8-dynamic":
            in_bf16 = has_matrix_units() if matrix_units is None else matrix_units
            spell_out_attention(openvino, model)
            options |= self._in_bf16(openvino, model) if in_bf16 else {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 128}
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self._batches = 0
        self._pack()

    def _in_bf16(self, openvino: ModuleType, model: Any) -> dict[str, str]:
        """Prepare an `openvino.Model` to be computed in bf16; gives the options for it."""
        if unpacked := unpack_weights(openvino, model):
            self._mapped.append(unpacked)
        round_states(openvino, model)
        return {"INFERENCE_PRECISION_HINT": "bf16"}

    def _pack(self) -> None:
        """With the first batch the runtime packs the weights for its kernels: after that theirs are not read again."""
        one = np.ones((1, 1), np.int64)
        self.run(one, one)
        for mapped in self._mapped:
            mapped.release()

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Session.run`."""
        self._request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
        self._batches += 1
        output: NDArray[np.float32] = self._request.get_output_tensor().data
        return output.copy()

    def node_seconds(self) -> dict[str, float]:
        """Seconds that each type of node took in all batches since loading; empty without `counting`."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for node in self._request.get_profiling_info():  # a mean of all batches, in whole microseconds
            seconds[node.node_type] += node.real_time.total_seconds() * self._batches
        return dict(seconds)


def has_matrix_units() -> bool:
    """Whether the processor multiplies matrices of bf16 in units of their own (Intel AMX)."""
    try:
        return "amx_bf16" in CPU_FLAGS.read_text("ascii", errors="replace")
    except OSError:
        return False
