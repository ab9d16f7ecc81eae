"""What is computed of texts before they are stored, so that no transaction waits for an encoder."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from nlp_service.feedback.analysis import Analyse, Analysis
from nlp_service.knowledge.store import EncodePassages

Vector = NDArray[np.float32]


class Encodings:
    """Analyses of texts and vectors of passages.

    One that was not prepared is computed when it is asked for: another process changed the record meanwhile.
    """

    def __init__(self, analyse: Analyse, encode: EncodePassages) -> None:
        self._analyse = analyse
        self._encode = encode
        self._analyses: dict[str, Analysis] = {}
        self._vectors: dict[str, Vector] = {}

    def prepare(self, texts: Collection[str], passages: Collection[str], known: Mapping[str, Vector]) -> None:
        """Compute the analyses of `texts`, and the vectors of those `passages` whose vector is not `known`."""
        self._vectors.update(known)
        wanted = list(dict.fromkeys(texts))
        if wanted:
            self._analyses.update(zip(wanted, self._analyse(wanted), strict=True))
        missing = [passage for passage in dict.fromkeys(passages) if passage not in self._vectors]
        if missing:
            self._vectors.update(zip(missing, self._encode(missing), strict=True))

    def analysis(self, text: str) -> Analysis:
        """The analysis of a text."""
        if text not in self._analyses:
            self.prepare([text], [], {})
        return self._analyses[text]

    def vector(self, passage: str) -> Vector:
        """The normalised vector of a passage, shape (dimension,)."""
        if passage not in self._vectors:
            self.prepare([], [passage], {})
        return self._vectors[passage]
