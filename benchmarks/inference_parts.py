"""Where the time of encoding goes, and what the processor could do at most."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nlp_service.inference.bundle import WHOLE, EncoderBundle, read_bundle
from nlp_service.inference.encoder import Encoder, batches, pad
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.session import has_matrix_units
from nlp_service.inference.unpacking import unpack_weights

SIDE = 2048
ROUNDS = 5
KINDS = {
    "FullyConnected": "matrices",
    "FullyConnectedCompressed": "matrices",
    "MatMul": "attention",
    "Subgraph": "attention",
    "Softmax": "attention",
    "ScaledDotProductAttention": "attention",
    "GatherCompressed": "word embeddings",
    "Gather": "word embeddings",
}
PARTS = ("tokenise", "pad", "matrices", "attention", "word embeddings", "norms, sums, moves")
LAYER_WEIGHTS = 12 * (4 * 384 * 384 + 2 * 384 * 1536)
"""Of the matrices of multilingual-e5-small, one multiplication and one addition each for a token."""


@dataclass(frozen=True)
class MatrixPeak:
    """Large square matrices multiplied by PyTorch's kernels, in 10⁹ operations a second."""

    threads: int
    bf16: float
    int8: float
    float32: float


@dataclass(frozen=True)
class Part:
    """A step of encoding: its share of the whole, and milliseconds a text."""

    name: str
    share: float
    milliseconds: float


def matrix_peak(threads: int) -> MatrixPeak:
    """The quickest of some rounds of each."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    whole = torch.randint(-127, 127, (SIDE, SIDE), dtype=torch.int8)
    half = left.bfloat16(), right.bfloat16()
    operations = 2 * SIDE**3 / 1e9
    found = MatrixPeak(
        threads,
        operations / _quickest(lambda: half[0] @ half[1]),
        operations / _quickest(lambda: torch._int_mm(whole, whole)),
        operations / _quickest(lambda: left @ right),
    )
    torch.set_num_threads(before)
    return found


def parts_of(bundle: Path, texts: Sequence[str], threads: int) -> list[Part]:
    """Of encoding some texts together."""
    encoder = Encoder.load(bundle, threads=threads)
    windows = encoder.windows(texts, "query")
    seconds = {
        "tokenise": _quickest(lambda: encoder.windows(texts, "query")),
        "pad": _quickest(
            lambda: [pad([windows[row].ids for row in rows]) for rows in batches([len(one.ids) for one in windows])]
        ),
    }
    request = _profiled(bundle, threads)
    best: defaultdict[str, float] | None = None
    for _ in range(ROUNDS):
        spent: defaultdict[str, float] = defaultdict(float)
        for rows in batches([len(one.ids) for one in windows]):
            ids, mask = pad([windows[row].ids for row in rows])
            request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
            for node in request.get_profiling_info():
                kind = KINDS.get(node.node_type, "norms, sums, moves")
                spent[kind] += node.real_time.total_seconds()
        if best is None or sum(spent.values()) < sum(best.values()):
            best = spent
    seconds |= best or {}
    whole = sum(seconds.values())
    return [Part(name, seconds.get(name, 0.0) / whole, seconds.get(name, 0.0) * 1000 / len(texts)) for name in PARTS]


def _profiled(bundle: Path, threads: int) -> Any:
    """The graph as `OpenVinoSession` compiles it, counting the time of its nodes."""
    openvino = import_openvino()
    core = openvino.Core()
    model = core.read_model(bundle / WHOLE.graph)
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "PERF_COUNT": True}
    if has_matrix_units() and read_bundle(bundle, EncoderBundle).precision == "int8-dynamic":
        unpack_weights(openvino, model)
        options["INFERENCE_PRECISION_HINT"] = "bf16"
    else:
        options |= {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128}
    return core.compile_model(model, "CPU", options).create_infer_request()


def _quickest(function: Callable[[], object]) -> float:
    function()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return float(np.min(times))
