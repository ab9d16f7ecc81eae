"""Where the time of encoding goes, and what the processor could do at most."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_service.inference.bundle import WHOLE, EncoderBundle
from nlp_service.inference.encoder import Encoder, open_session, quickest
from nlp_service.inference.kernel.session import KernelSession
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.padding import batches, pad
from nlp_service.inference.session import OpenVinoSession
from nlp_service.inference.unpacking import unpack_weights

Ids = NDArray[np.int64]
SIDE = 2048
ROUNDS = 5
KINDS = {
    "FullyConnected": "matrices",
    "FullyConnectedCompressed": "matrices",
    "FullyConnectedQuantizedLegacy": "matrices",
    "MatMul": "attention",
    "Subgraph": "attention",
    "Softmax": "attention",
    "ScaledDotProductAttention": "attention",
    "GatherCompressed": "word embeddings",
    "Gather": "word embeddings",
    "norms and codes": "norms, sums, moves",
}
PARTS = ("tokenise", "pad", "matrices", "attention", "word embeddings", "norms, sums, moves")


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


@dataclass(frozen=True)
class Profile:
    """Where the time of encoding some texts goes.

    Both rates are multiplications and additions with the weights of the encoder's matrices, in 10⁹ a second: of the
    tokens, padded ones included, while matrices are multiplied, and of the real tokens over all of the time.
    """

    parts: list[Part]
    matrices: float
    whole: float


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


def profile(bundle: Path, texts: Sequence[str], threads: int) -> Profile:
    """Of encoding some texts together."""
    encoder = Encoder.load(bundle, threads=threads)
    session = open_session(encoder.bundle, bundle, threads=threads)
    windows = encoder.windows(texts, "query")
    rows = [window.ids for window in windows]
    seconds = {"tokenise": _quickest(lambda: encoder.windows(texts, "query"))}
    tokens = computed = sum(map(len, rows))
    if isinstance(session, KernelSession):
        passed = _quickest(lambda: session.run(rows))
        seconds |= {KINDS.get(kind, kind): share * passed for kind, share in session.shares().items()}
    else:
        groups = batches([len(row) for row in rows])
        padded = [pad([rows[row] for row in some]) for some in groups]
        computed = sum(ids.size for ids, _ in padded)
        seconds["pad"] = _quickest(lambda: [pad([rows[row] for row in some]) for some in groups])
        seconds |= _node_seconds(_counting(bundle, encoder.bundle, threads), padded)
    whole = sum(seconds.values())
    operations = 2 * _matrix_weights(bundle) / 1e9
    return Profile(
        [Part(name, seconds.get(name, 0.0) / whole, seconds.get(name, 0.0) * 1000 / len(texts)) for name in PARTS],
        operations * computed / seconds["matrices"],
        operations * tokens / whole,
    )


def _counting(folder: Path, bundle: EncoderBundle, threads: int) -> OpenVinoSession:
    files, arithmetic = quickest(bundle)
    return OpenVinoSession(folder, threads, arithmetic, files=files, counting=True)


def _node_seconds(session: OpenVinoSession, padded: Sequence[tuple[Ids, Ids]]) -> dict[str, float]:
    """Seconds that all batches take together, without the first time, which prepares the kernels."""

    def spent(rounds: int) -> dict[str, float]:
        for _ in range(rounds):
            for ids, mask in padded:
                session.run(ids, mask)
        seconds: defaultdict[str, float] = defaultdict(float)
        for node, passed in session.node_seconds().items():
            seconds[KINDS.get(node, "norms, sums, moves")] += passed
        return seconds

    first = spent(1)
    return {kind: (passed - first[kind]) / ROUNDS for kind, passed in spent(ROUNDS).items()}


def _matrix_weights(bundle: Path) -> int:
    """How many weights every token is multiplied with."""
    openvino = import_openvino()
    unpacked = unpack_weights(openvino, openvino.Core().read_model(bundle / WHOLE.graph))
    return 0 if unpacked is None else unpacked.bytes.view(np.uint16).size


def _quickest(function: Callable[[], object]) -> float:
    function()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return float(np.min(times))
