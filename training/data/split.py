"""Which text is trained on, calibrated on and tested on.

Near-duplicates stay on one side. Tickets are split by product, so that the test set measures products that training
never saw; other sources by a hash of the text, so that new texts never move old ones.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.data.duplicates import groups
from training.data.example import Example, Split

BY_PRODUCT = frozenset({"tickets", "ticket_sentiment"})
"""Sources that are split by product."""


class SplitConfig(BaseModel):
    """Held-out products of the tickets, and shares of the other sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test_products: frozenset[str]
    validation_products: frozenset[str]
    held_out_share: dict[str, Annotated[float, Field(gt=0, lt=0.5)]]
    """For each source that is not split by product: the share of texts to validate on, and likewise to test on."""


def split(examples: Iterable[Example], config: SplitConfig) -> dict[Split, list[Example]]:
    """Assign each example to one split.

    A group of near-duplicates that spans splits goes wholly to the first of test, validation, train that it touches,
    and only one of its texts is kept in each of the held-out splits.
    """
    everything = list(examples)
    by_group: defaultdict[tuple[str, int], list[Example]] = defaultdict(list)
    for task in sorted({example.task for example in everything}):
        of_task = [example for example in everything if example.task == task]
        for number, example in zip(groups([example.text for example in of_task]), of_task, strict=True):
            by_group[task, number].append(example)
    result: dict[Split, list[Example]] = {"train": [], "validation": [], "test": []}
    for members in by_group.values():
        wanted = {_wanted(example, config) for example in members}
        target: Split = next(name for name in ("test", "validation", "train") if name in wanted)
        held_out = [member for member in members if _wanted(member, config) == target]
        result[target].extend(members if target == "train" else held_out[:1])
    return result


def _wanted(example: Example, config: SplitConfig) -> Split:
    if example.source in BY_PRODUCT:
        product = example.slices["product"]
        if product in config.test_products:
            return "test"
        return "validation" if product in config.validation_products else "train"
    position, share = _position(example.text), config.held_out_share[example.source]
    if position < share:
        return "test"
    return "validation" if position < 2 * share else "train"


def _position(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over texts and labels, whatever their order; names a data set in metrics and model cards."""
    lines = sorted(f"{example.task}\t{example.label}\t{example.text}" for example in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
