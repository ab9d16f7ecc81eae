"""An encoder: from texts to pooled vectors, or as a cross-encoder from pairs to scores."""

import threading
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import FIXED, QUERY, WHOLE, EncoderBundle, GraphFiles, read_bundle
from nlp_service.inference.pairs import PairWindower
from nlp_service.inference.processor import has_matrix_units, multiplies_bytes
from nlp_service.inference.session import Arithmetic, OpenVinoSession, Session
from nlp_service.inference.windows import Window, Windower

TEST_VECTORS_MIN_COSINE = 0.985
PAD = 1
BATCH_TOKENS = 512
"""Larger batches are no faster on CPUs, and keep those that wait longer (docs/decisions/0020)."""
BATCH_COST = 24
"""Padded tokens that are computed in the time that a batch takes beside its tokens (8 to 26 were measured)."""
LENGTHS = (
    (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
    if has_matrix_units()
    else (*range(8, 64, 8), *range(64, 257, 16), 320, 384, 448, 512)
)
"""Padded lengths: the runtime prepares kernels for each shape, and matrix units take 16 rows at a time."""
ROWS_ALIKE = not has_matrix_units()
"""Whether batches are filled up with rows of nothing, so that few numbers of tokens occur (`padded_rows`)."""

Side = Literal["query", "passage"]
Vectors = NDArray[np.float32]


class Encoder:
    """A verified encoder bundle with its session.

    `streams` is how many batches it computes at a time, of threads that call `run`; `passes` counts the windows that
    went through the graph since loading.
    """

    def __init__(
        self, bundle: EncoderBundle, windower: Windower | PairWindower, session: Session, *, streams: int = 1
    ) -> None:
        self.bundle = bundle
        self.passes = 0
        self.streams = streams
        self._windower = windower
        self._session = session
        self._counting = threading.Lock()

    @classmethod
    def load(cls, folder: Path, *, threads: int, files: GraphFiles = WHOLE, streams: int = 1) -> "Encoder":
        """Load a graph of a bundle and check it against its own test vectors, which also warms it up.

        Raises BundleError when the bundle is missing, damaged or does not answer as it should.
        """
        bundle = read_bundle(folder, EncoderBundle)
        graph, arithmetic = quickest(bundle, files)
        session = OpenVinoSession(folder, threads, arithmetic, files=graph, streams=streams)
        windower_of = PairWindower if bundle.pooling == "score" else Windower
        windower = windower_of(folder / bundle.tokenizer_file, bundle.window_tokens)
        encoder = cls(bundle, windower, session, streams=streams)
        encoder._check_test_vectors(folder / files.test_vectors)
        return encoder

    def windows(self, texts: Sequence[str], side: Side) -> list[Window]:
        """The token windows of the texts, with the prefix of that side."""
        prefix = self.bundle.prefix.query if side == "query" else self.bundle.prefix.passage
        return self._windower.windows(texts, prefix)

    def run(self, windows: Sequence[Window]) -> Vectors:
        """Mean token states of each window, shape (windows, dimension)."""
        with self._counting:
            self.passes += len(windows)
        return run_windows(self._session, windows, self.bundle.dimension)

    def encode(self, texts: Sequence[str], side: Side = "query") -> Vectors:
        """Mean token states of each text, shape (texts, dimension), not normalised."""
        windows = self.windows(texts, side)
        return merge(windows, self.run(windows), len(texts))

    def _check_test_vectors(self, file: Path) -> None:
        stored = load_file(file)
        texts = bytes(stored["texts"]).decode("utf-8").split("\n")
        vectors, expected = self.encode(texts), stored["vectors"].astype(np.float32)
        if self.bundle.pooling == "score":
            vectors, expected = centred(vectors.T), centred(expected.T)
        cosines = (normalise(vectors) * normalise(expected)).sum(axis=1)
        if float(cosines.min()) < TEST_VECTORS_MIN_COSINE:
            raise BundleError(
                f"{file.parent}: 与自带测试向量不符 · cosine to its own test vectors is {cosines.min():.4f}, "
                f"at least {TEST_VECTORS_MIN_COSINE} is needed"
            )
        self.passes = 0


def quickest(bundle: EncoderBundle, files: GraphFiles = WHOLE) -> tuple[GraphFiles, Arithmetic]:
    """Which graph of a bundle gives the vectors of `files` soonest on this processor, and in which arithmetic."""
    if files is QUERY:  # one short text between two searches waits for its weights, which are half as many in 8 bits
        return files, "int8-dynamic"
    if has_matrix_units():
        return files, "bf16"
    if bundle.precision == "int8-static" and multiplies_bytes():
        return FIXED, "int8-static"
    return files, "int8-dynamic"


def run_windows(session: Session, windows: Sequence[Window], dimension: int) -> Vectors:
    """Mean token states of each window, shape (windows, dimension); in batches of similar length."""
    pooled = np.empty((len(windows), dimension), dtype=np.float32)
    for rows in batches([len(window.ids) for window in windows]):
        pooled[rows] = session.run(*pad([windows[row].ids for row in rows]))[: len(rows)]
    return pooled


def merge(windows: Sequence[Window], pooled: Vectors, texts: int) -> Vectors:
    """Average the windows of each text, weighted by their tokens, shape (texts, dimension)."""
    if len(windows) == texts:
        return pooled
    owners = np.array([window.text for window in windows])
    weights = np.array([len(window.ids) for window in windows], dtype=np.float32)
    total = np.zeros((texts, pooled.shape[1]), dtype=np.float32)
    np.add.at(total, owners, pooled * weights[:, None])
    merged: Vectors = total / np.bincount(owners, weights=weights, minlength=texts).astype(np.float32)[:, None]
    return merged


def normalise(vectors: Vectors) -> Vectors:
    """Scale each row to length 1."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit


def centred(vectors: Vectors) -> Vectors:
    """Each row less its mean, so that the cosine of two rows is their correlation."""
    deviations: Vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return deviations


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group rows of similar length into batches of at most `BATCH_TOKENS` padded tokens, the shortest first.

    Of all ways to cut the rows in order of length it takes the one with the fewest padded tokens, rows of nothing
    included, where each batch counts `BATCH_COST` more.
    """
    rows = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs, starts = [0], [0]  # of the first so many rows: what they cost, and where the last batch of them starts
    for end, row in enumerate(rows, 1):
        width = padded_length(lengths[row])
        options = []
        for start in range(max(0, end - max(1, BATCH_TOKENS // width)), end):
            tokens = padded_rows(end - start, width) * width
            if tokens <= BATCH_TOKENS or start == end - 1:
                options.append((costs[start] + BATCH_COST + tokens, start))
        cost, start = min(options)
        costs.append(cost)
        starts.append(start)
    result: list[list[int]] = []
    end = len(rows)
    while end:
        result.append(rows[starts[end] : end])
        end = starts[end]
    return result[::-1]


def padded_length(length: int) -> int:
    """The smallest of `LENGTHS` that holds `length` tokens, or `length` itself beyond them."""
    return next((bound for bound in LENGTHS if bound >= length), length)


def padded_rows(rows: int, width: int) -> int:
    """The smallest number of rows, at least so many, whose tokens are on the grid; one row stays alone.

    The grid are multiples of 16 tokens, above 256 of 32. The runtime keeps kernels for each number of tokens that it
    has seen, some megabytes (docs/decisions/0001).
    """
    if rows == 1 or not ROWS_ALIKE:
        return rows
    return next(more for more in count(rows) if more * width % (16 if more * width <= 256 else 32) == 0)


def pad(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, shape (padded rows, padded length); rows of nothing see their first token."""
    width = padded_length(max(map(len, rows)))
    height = padded_rows(len(rows), width)
    ids = np.full((height, width), PAD, dtype=np.int64)
    mask = np.zeros((height, width), dtype=np.int64)
    mask[len(rows) :, 0] = 1
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
