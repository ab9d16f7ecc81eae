"""Texts that differ in what is to be done alone (如何开启免打扰, 如何关闭免打扰), by the pairs of ``opposites.txt``."""

import re
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

ALIKE = 0.8
"""Least likeness of what is left of two texts without the pair: twice the equal characters, of all."""
LONGEST = 200
"""Characters; longer texts tell more than what is to be done."""
_SIGNS = re.compile(r"[\W_]+")


def are_opposites(one: str, other: str) -> bool:
    """Whether each says only one word of a pair, and both say nearly the same beside them."""
    if max(len(one), len(other)) > LONGEST:
        return False
    first, second = (_SIGNS.sub("", text.lower()) for text in (one, other))
    return any(
        _says(first, word, opposite) and _says(second, opposite, word) and _are_alike(first, second, word, opposite)
        for pair in _pairs()
        for word, opposite in (pair, pair[::-1])
    )


def _says(text: str, word: str, opposite: str) -> bool:
    """Whether `word` alone is said; one of them may be part of the other, as in lock, unlock."""
    shorter, longer = sorted((word, opposite), key=len)
    said = {longer: longer in text, shorter: shorter in text.replace(longer, " ")}
    return said[word] and not said[opposite]


def _are_alike(first: str, second: str, word: str, opposite: str) -> bool:
    rest, other = first.replace(word, ""), second.replace(opposite, "")
    return SequenceMatcher(None, rest, other, autojunk=False).ratio() >= ALIKE


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    lines = files(__package__).joinpath("opposites.txt").read_text("utf-8").splitlines()
    return tuple((word, opposite) for word, opposite in map(str.split, lines))
