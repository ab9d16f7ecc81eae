"""Why an answer: how much its probability falls when a part of the text is left out (occlusion, Zeiler & Fergus 2014).

The parts are jieba's words; a long text has several neighbouring words in a part, so that the cost stays bounded. All
shortened texts are encoded in one batch with the text itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nlp_service.inference.encoder import Vectors
from nlp_service.text.segmentation import words

MAX_PARTS = 48


@dataclass(frozen=True)
class Part:
    """A stretch of the text, in characters: `text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True)
class Influence:
    """What one part did for the answer."""

    start: int
    end: int
    weight: float
    """Probability of the answer with this part minus without it, −1…1: above 0 it spoke for the answer."""


def parts(text: str) -> list[Part]:
    """At most 48 parts that hold every word of the text, in order; white space and punctuation lie between them."""
    found = [Part(start, end) for word, start, end in words(text) if any(character.isalnum() for character in word)]
    size = -(-len(found) // MAX_PARTS) if found else 1
    return [
        Part(found[first].start, found[min(first + size, len(found)) - 1].end) for first in range(0, len(found), size)
    ]


def without_each(text: str, of: Sequence[Part]) -> list[str]:
    """The text once for each part, with that part left out."""
    return [text[: part.start] + text[part.end :] for part in of]


def influences(of: Sequence[Part], probability: float, without: Vectors) -> list[Influence]:
    """The weight of each part: probability of the answer for the whole text minus that `without` it, shape (parts,)."""
    return [
        Influence(part.start, part.end, probability - float(other)) for part, other in zip(of, without, strict=True)
    ]
