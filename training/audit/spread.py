"""Groups of texts that belong together and stand in several splits."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from training.audit.entry import Counts, Entry, count_by
from training.data.example import Example

TELLING_PRODUCT = 5
"""Texts from which on a product would hardly stand in one split by chance (0.7⁵ = 0.17 with 70 % training texts)."""
WHOLE_PRODUCTS = 0.9


@dataclass(frozen=True)
class Spread:
    """A group of `source` (of its examples, or all texts of a product) that stands in several splits."""

    kind: Literal["group", "product"]
    source: str
    name: str
    texts: Counts


def sources_by_product(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Sources whose split holds out whole products, judged by the result.

    The texts stand in several splits, and of the products with 5 texts or more at least nine in ten stand in one.
    """
    sources = sorted({entry.example.source for entry in entries})
    return tuple(source for source in sources if _holds_out_products(_of_source(entries, source)))


def find_spread(entries: Sequence[Entry], by_product: Collection[str]) -> tuple[Spread, ...]:
    """Groups of all sources, and products of the sources `by_product`, that stand in several splits."""
    found: list[Spread] = []
    for source in sorted({entry.example.source for entry in entries}):
        part = _of_source(entries, source)
        found += [Spread("group", source, name, texts) for name, texts in _spread(part, lambda example: example.group)]
        if source in by_product:
            found += [Spread("product", source, name, texts) for name, texts in _spread(part, _product)]
    return tuple(found)


def _holds_out_products(entries: Sequence[Entry]) -> bool:
    telling = [texts for texts in count_by(entries, _product).values() if sum(texts.values()) >= TELLING_PRODUCT]
    whole = sum(_splits(texts) == 1 for texts in telling)
    several = len({entry.split for entry in entries}) > 1
    return several and len(telling) > 1 and whole >= WHOLE_PRODUCTS * len(telling)


def _of_source(entries: Sequence[Entry], source: str) -> list[Entry]:
    return [entry for entry in entries if entry.example.source == source]


def _product(example: Example) -> str | None:
    return example.slices.get("product")


def _spread(entries: Sequence[Entry], key: Callable[[Example], str | None]) -> list[tuple[str, Counts]]:
    return [(name, texts) for name, texts in count_by(entries, key).items() if _splits(texts) > 1]


def _splits(texts: Counts) -> int:
    return sum(number > 0 for number in texts.values())
