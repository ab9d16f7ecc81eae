"""An encoder: from texts to pooled vectors, or as a cross-encoder from pairs to scores."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import FIXED, QUERY, WHOLE, EncoderBundle, GraphFiles, read_bundle
from nlp_service.inference.kernel.library import library
from nlp_service.inference.kernel.session import KernelSession
from nlp_service.inference.kernel.weights import UnsupportedGraph
from nlp_service.inference.padding import PADDED, Packing, batches, pad
from nlp_service.inference.pairs import PairWindower
from nlp_service.inference.processor import has_matrix_units, multiplies_bytes
from nlp_service.inference.session import Arithmetic, OpenVinoSession, Session
from nlp_service.inference.windows import Window, Windower

TEST_VECTORS_MIN_COSINE = 0.985
Side = Literal["query", "passage"]
Vectors = NDArray[np.float32]


class Encoder:
    """A verified encoder bundle with its session.

    `streams` is how many batches it computes at a time; `passes` counts the windows that went through the graph since
    loading.
    """

    def __init__(
        self,
        bundle: EncoderBundle,
        windower: Windower | PairWindower,
        session: Session | KernelSession,
        *,
        streams: int = 1,
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
        session = open_session(bundle, folder, threads=threads, files=files, streams=streams)
        windower_of = PairWindower if bundle.pooling == "score" else Windower
        windower = windower_of(folder / bundle.tokenizer_file, bundle.window_tokens)
        encoder = cls(bundle, windower, session, streams=streams)
        try:
            encoder._check_test_vectors(folder / files.test_vectors)
        except BundleError:
            if not isinstance(session, KernelSession):
                raise
            # The same parts may be put together otherwise: positions of RoBERTa, for one, begin with 2.
            session = _openvino_session(bundle, folder, threads, files, streams)
            encoder = cls(bundle, windower, session, streams=streams)
            encoder._check_test_vectors(folder / files.test_vectors)
        return encoder

    @property
    def packing(self) -> Packing:
        """What a batch may hold."""
        return self._session.packing if isinstance(self._session, KernelSession) else PADDED

    def windows(self, texts: Sequence[str], side: Side) -> list[Window]:
        """The token windows of the texts, with the prefix of that side."""
        prefix = self.bundle.prefix.query if side == "query" else self.bundle.prefix.passage
        return self._windower.windows(texts, prefix)

    def run(self, windows: Sequence[Window]) -> Vectors:
        """Mean token states of each window, shape (windows, dimension)."""
        self._count(windows)
        return run_windows(self._session, windows, self.bundle.dimension)

    @property
    def computes_beside(self) -> bool:
        """Whether there is `begin`: threads of its own compute, so that none of Python's has to wait for a batch."""
        return isinstance(self._session, KernelSession)

    def begin(self, windows: Sequence[Window], done: Callable[[Vectors | Exception], None]) -> None:
        """Begin what `run` does; `done` gets what comes of it, in whatever thread that is told in.

        Raises what `run` raises, and then nothing was begun.
        """
        assert isinstance(self._session, KernelSession)  # noqa: S101 - see `computes_beside`
        self._count(windows)
        self._session.begin([window.ids for window in windows], done)

    def encode(self, texts: Sequence[str], side: Side = "query") -> Vectors:
        """Mean token states of each text, shape (texts, dimension), not normalised."""
        windows = self.windows(texts, side)
        return merge(windows, self.run(windows), len(texts))

    def _count(self, windows: Sequence[Window]) -> None:
        with self._counting:
            self.passes += len(windows)

    def _check_test_vectors(self, file: Path) -> None:
        stored = load_file(file)
        texts = bytes(stored["texts"]).decode("utf-8").split("\n")
        vectors, expected = self.encode(texts), stored["vectors"].astype(np.float32)
        if self.bundle.pooling == "score":
            vectors, expected = centred(vectors.T), centred(expected.T)
        cosines = (normalise(vectors) * normalise(expected)).sum(axis=1)
        if not float(cosines.min()) >= TEST_VECTORS_MIN_COSINE:  # also when it is not a number
            raise BundleError(
                f"{file.parent}: 与自带测试向量不符 · cosine to its own test vectors is {cosines.min():.4f}, "
                f"at least {TEST_VECTORS_MIN_COSINE} is needed"
            )
        self.passes = 0


def open_session(
    bundle: EncoderBundle, folder: Path, *, threads: int, files: GraphFiles = WHOLE, streams: int = 1
) -> Session | KernelSession:
    """What computes a graph of a bundle soonest on this processor (docs/decisions/0001 and 0027)."""
    if library() is not None and not has_matrix_units() and bundle.pooling == "mean":
        with suppress(UnsupportedGraph):
            return KernelSession.load(folder, threads, files)
    return _openvino_session(bundle, folder, threads, files, streams)


def _openvino_session(
    bundle: EncoderBundle, folder: Path, threads: int, files: GraphFiles, streams: int
) -> OpenVinoSession:
    graph, arithmetic = quickest(bundle, files)
    return OpenVinoSession(folder, threads, arithmetic, files=graph, streams=streams)


def quickest(bundle: EncoderBundle, files: GraphFiles = WHOLE) -> tuple[GraphFiles, Arithmetic]:
    """Which graph of a bundle OpenVINO computes soonest on this processor for the vectors of `files`, and how."""
    if files is QUERY:  # one short text between two searches waits for its weights, which are half as many in 8 bits
        return files, "int8-dynamic"
    if has_matrix_units():
        return files, "bf16"
    if bundle.precision == "int8-static" and multiplies_bytes():
        return FIXED, "int8-static"
    return files, "int8-dynamic"


def run_windows(session: Session | KernelSession, windows: Sequence[Window], dimension: int) -> Vectors:
    """Mean token states of each window, shape (windows, dimension); padded in batches of similar length if need be."""
    if isinstance(session, KernelSession):
        return session.run([window.ids for window in windows])
    pooled = np.empty((len(windows), dimension), dtype=np.float32)
    for rows in batches([len(window.ids) for window in windows]):
        pooled[rows] = session.run(*pad([windows[row].ids for row in rows]))[: len(rows)]
    return pooled


def merge(windows: Sequence[Window], pooled: Vectors, texts: int) -> Vectors:
    """Average the windows of each text, weighted by their tokens, shape (texts, dimension).

    Windows are in the order of their texts, of which each has one or more.
    """
    if len(windows) == texts:
        return pooled
    owners = np.array([window.text for window in windows])
    weights = np.array([len(window.ids) for window in windows], dtype=np.float32)
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    total = np.add.reduceat(pooled * weights[:, None], starts, axis=0)
    merged: Vectors = (total / np.add.reduceat(weights, starts)[:, None]).astype(np.float32)
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
