"""What there is: texts, where they come from, how long they are, how they begin."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.audit.entry import Counts, Entry, Share, count, count_by
from training.data.example import Split
from training.data.split import SPLITS

OPENING_CHARACTERS = 4
OPENINGS = 10


@dataclass(frozen=True)
class Lengths:
    """Of texts, in characters."""

    minimum: int
    median: float
    p90: float
    maximum: int


@dataclass(frozen=True)
class Opening:
    """The first characters of several texts, and the share of all texts that begin so."""

    characters: str
    share: Share


@dataclass(frozen=True)
class Overview:
    """Counts of all texts. `lengths` names the splits that have texts; `hard` is of the texts that are rated for it."""

    texts: Counts
    lengths: Mapping[Split, Lengths]
    sources: Mapping[str, Counts]
    languages: Mapping[str, Counts]
    channels: Mapping[str, Counts]
    hard: Mapping[Split, Share]
    openings: tuple[Opening, ...]


def overview(entries: Sequence[Entry]) -> Overview:
    """Count the texts."""
    texts = count(entries)
    return Overview(
        texts=texts,
        lengths={split: _lengths(entries, split) for split in SPLITS if texts[split]},
        sources=count_by(entries, lambda example: example.source),
        languages=count_by(entries, lambda example: example.slices.get("language")),
        channels=count_by(entries, lambda example: example.slices.get("channel")),
        hard={split: _hard(entries, split) for split in SPLITS},
        openings=_openings(entries),
    )


def _lengths(entries: Sequence[Entry], split: Split) -> Lengths:
    lengths = [len(entry.example.text) for entry in entries if entry.split == split]
    median, p90 = np.percentile(lengths, [50, 90])
    return Lengths(min(lengths), float(median), float(p90), max(lengths))


def _hard(entries: Sequence[Entry], split: Split) -> Share:
    rated = [
        entry.example.slices["hard"] for entry in entries if entry.split == split and "hard" in entry.example.slices
    ]
    return Share(rated.count("hard"), len(rated))


def _openings(entries: Sequence[Entry]) -> tuple[Opening, ...]:
    """The most repeated first characters, most frequent first."""
    found = Counter(start for entry in entries if (start := entry.example.text.strip()[:OPENING_CHARACTERS]))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Opening(start, Share(times, len(entries))) for start, times in ranked[:OPENINGS] if times > 1)
