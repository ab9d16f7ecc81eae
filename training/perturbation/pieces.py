"""Texts that nobody labelled, made of sentences of others: a student learns what its teacher says of them."""

import random
import re
from collections.abc import Iterator, Sequence

from training.data.sources import language

SENTENCES = re.compile(r"(?<=[。!?!?;;\n])|(?<=[.!?]) ")
JOINED = 0.6
"""Share of the pieces that are sentences of two texts, one after the other; the others are one sentence."""
AT_MOST = 3
"""Sentences of one text in a row."""


def pieces(texts: Sequence[str], times: float, generator: random.Random) -> Iterator[str]:
    """For each text so many pieces, on average; a text without sentences gives none."""
    split = [sentences(text) for text in texts]
    split = [found for found in split if found]
    for own in split:
        for _ in range(int(times) + (generator.random() < times % 1)):
            if generator.random() < JOINED:
                start = generator.randrange(len(own))
                yield _together(_some(own[start:], generator), _some(generator.choice(split), generator))
            else:
                yield generator.choice(own)


def sentences(text: str) -> list[str]:
    """Of more than two characters."""
    return [part.strip() for part in SENTENCES.split(text) if len(part.strip()) > 2]


def _some(parts: Sequence[str], generator: random.Random) -> Sequence[str]:
    return parts[: generator.randint(1, AT_MOST)]


def _together(first: Sequence[str], second: Sequence[str]) -> str:
    parts = [*first, *second]
    return (" " if all(language(part) == "en" for part in parts) else "").join(parts)
