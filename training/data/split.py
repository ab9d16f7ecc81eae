"""Which text is trained on, calibrated on and tested on.

Near-duplicates stay on one side, whatever their source. How the texts of a source are spread is a rule of the
configuration: whole products held out, a hash of the text, groups with the labels balanced, or the latest texts.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.data.duplicates import groups
from training.data.example import Example, Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Share = Annotated[float, Field(gt=0, lt=0.5)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ByProduct(_Rule):
    """Whole products are held out, so that the test set says how a model does on products it never saw."""

    by: Literal["product"]
    test: frozenset[str]
    validation: frozenset[str]


class ByHash(_Rule):
    """A hash of the text decides, so that new texts never move old ones. `share` is validated on, as much tested on."""

    by: Literal["hash"]
    share: Share


class ByGroup(_Rule):
    """Groups (of the examples, else each text its own) are held out whole, the labels in the same proportions."""

    by: Literal["group"]
    share: Share


class ByTime(_Rule):
    """The latest `share` of the texts is tested on, as many before them are validated on."""

    by: Literal["time"]
    share: Share


Rule = Annotated[ByProduct | ByHash | ByGroup | ByTime, Field(discriminator="by")]
SplitConfig = dict[str, Rule]
"""The rule of each source."""


def split(examples: Iterable[Example], rules: SplitConfig) -> dict[Split, list[Example]]:
    """Assign each example to one split; raises ValueError for a source without a rule, or a time split without times.

    A group of near-duplicates that spans splits goes wholly to the first of test, validation, train that it touches,
    and only one of its texts is kept in each of the held-out splits.
    """
    everything = list(examples)
    wanted = _wanted(everything, rules)
    by_group: defaultdict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(groups([example.text for example in everything])):
        by_group[number].append(index)
    result: dict[Split, list[Example]] = {"train": [], "validation": [], "test": []}
    for members in by_group.values():
        asked = {wanted[index] for index in members}
        target: Split = next(name for name in ("test", "validation", "train") if name in asked)
        held_out = [index for index in members if wanted[index] == target][:1]
        result[target].extend(everything[index] for index in (members if target == "train" else held_out))
    return result


def _wanted(examples: Sequence[Example], rules: SplitConfig) -> list[Split]:
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        by_source[example.source].append(index)
    result: list[Split] = ["train"] * len(examples)
    for source, indexes in by_source.items():
        if source not in rules:
            raise ValueError(f"split: no rule for the source {source!r}")
        part = [examples[index] for index in indexes]
        for index, name in zip(indexes, _assign(part, rules[source]), strict=True):
            result[index] = name
    return result


def _assign(examples: Sequence[Example], rule: ByProduct | ByHash | ByGroup | ByTime) -> list[Split]:
    match rule:
        case ByProduct():
            return [_of_product(example.slices["product"], rule) for example in examples]
        case ByHash():
            return [_of_position(_position(example.text), rule.share) for example in examples]
        case ByGroup():
            return _balanced(examples, rule.share)
        case ByTime():
            return _latest(examples, rule.share)


def _of_product(product: str, rule: ByProduct) -> Split:
    if product in rule.test:
        return "test"
    return "validation" if product in rule.validation else "train"


def _of_position(position: float, share: float) -> Split:
    if position < share:
        return "test"
    return "validation" if position < 2 * share else "train"


def _position(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _latest(examples: Sequence[Example], share: float) -> list[Split]:
    if missing := next((example.id for example in examples if example.time is None), None):
        raise ValueError(f"split by time: {missing} has no time")
    order = sorted(range(len(examples)), key=lambda index: (examples[index].time or "", examples[index].id))
    result: list[Split] = ["train"] * len(examples)
    for place, index in enumerate(reversed(order)):
        result[index] = _of_position(place / len(examples), share)
    return result


def _balanced(examples: Sequence[Example], share: float) -> list[Split]:
    """Largest groups first, each to the split whose counts of labels it brings nearest to what they should be."""
    by_group: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        by_group[example.group or f"text {hashlib.sha256(example.text.encode()).hexdigest()}"].append(index)
    strata = [_stratum(example) for example in examples]
    total = Counter(strata)
    shares: dict[Split, float] = {"train": 1 - 2 * share, "validation": share, "test": share}
    have: dict[Split, Counter[str]] = {name: Counter() for name in SPLITS}

    def growth(name: Split, counts: Counter[str]) -> float:
        """How much the squared distance from the wanted counts grows, each relative to what is wanted."""
        wanted = {label: shares[name] * total[label] for label in counts}
        return sum(
            count * (2 * (have[name][label] - wanted[label]) + count) / wanted[label] for label, count in counts.items()
        )

    result: list[Split] = ["train"] * len(examples)
    for _, members in sorted(by_group.items(), key=lambda item: (-len(item[1]), item[0])):
        counts = Counter(strata[index] for index in members)
        target = min(SPLITS, key=lambda name: growth(name, counts))
        have[target].update(counts)
        for index in members:
            result[index] = target
    return result


def _stratum(example: Example) -> str:
    return " ".join(f"{task}={label}" for task, label in sorted(example.labels.items()))


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over texts and labels, whatever their order; names a data set in metrics and model cards."""
    lines = sorted(
        "\t".join(
            [
                *(f"{task}={label}" for task, label in sorted(example.labels.items())),
                *(["aspects"] if example.aspects is not None else []),
                *(f"{aspect}:{polarity}" for aspect, polarity in sorted((example.aspects or {}).items())),
                example.text,
            ]
        )
        for example in examples
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
