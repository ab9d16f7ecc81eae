"""Both sides of a search: passages have the whole encoder, short queries a graph of fewer layers where there is one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nlp_service.inference.bundle import QUERY, EncoderBundle
from nlp_service.inference.encoder import Encoder, Vectors
from nlp_service.inference.windows import Window


def is_short(bundle: EncoderBundle, windows: Sequence[Window]) -> bool:
    """Whether the windows of a query are as short as those that the graph of queries was trained for."""
    longest = bundle.queries.max_tokens if bundle.queries is not None else 0
    return sum(len(window.ids) for window in windows) <= longest


class SearchEncoder:
    """A search bundle that encodes as the service does, without its queue."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """Raises BundleError when the bundle is missing, damaged or does not answer as it should."""
        self._whole = Encoder.load(folder, threads=threads)
        self.bundle = self._whole.bundle
        self._short = None if self.bundle.queries is None else Encoder.load(folder, threads=threads, files=QUERY)

    def query(self, texts: Sequence[str]) -> Vectors:
        """Pooled vectors of queries, shape (texts, dimension), not normalised."""
        if self._short is None:
            return self._whole.encode(texts, "query")
        short = np.array([is_short(self.bundle, self._whole.windows([text], "query")) for text in texts])
        vectors = np.empty((len(texts), self.bundle.dimension), np.float32)
        for encoder, chosen in ((self._short, short), (self._whole, ~short)):
            rows = np.flatnonzero(chosen).tolist()
            if rows:
                vectors[rows] = encoder.encode([texts[row] for row in rows], "query")
        return vectors

    def passage(self, texts: Sequence[str]) -> Vectors:
        """Pooled vectors of passages, likewise."""
        return self._whole.encode(texts, "passage")
