"""The sentence of a record that is most similar to the query, for hits that share few words with it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.highlight import sentences
from nlp_service.knowledge.store import EncodePassages

MAX_SENTENCES = 12
"""So many of a record are compared, from its beginning: each costs an encoding."""


@dataclass(frozen=True)
class Closest:
    """A sentence of a field, and its cosine to the query."""

    field: str
    text: str
    similarity: float


def closest_sentences(
    vector: NDArray[np.float32], documents: Sequence[Document], encode: EncodePassages
) -> list[Closest | None]:
    """One for each document, in one batch; `vector` is the query's, normalised. None for one without sentences."""
    split = [
        list(
            itertools.islice(
                ((name, sentence) for name, text in document.fields.items() for sentence in sentences(text)),
                MAX_SENTENCES,
            )
        )
        for document in documents
    ]
    texts = list(dict.fromkeys(sentence for found in split for _, sentence in found))
    if not texts:
        return [None] * len(documents)
    similarity = dict(zip(texts, (encode(texts) @ vector.reshape(-1)).tolist(), strict=True))
    return [
        max(
            (Closest(name, text, similarity[text]) for name, text in found),
            key=lambda one: one.similarity,
            default=None,
        )
        for found in split
    ]
