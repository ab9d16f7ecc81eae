"""What the models say of a ticket or review: kind, severity and sentiment, from one pass of their encoder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlp_service.inference.bundle import Task
from nlp_service.inference.classification import Classification
from nlp_service.inference.engine import Engine
from nlp_service.inference.sentiment import Sentiment

TASKS: tuple[Task, ...] = ("classify", "severity", "sentiment")


@dataclass(frozen=True)
class Analysis:
    """The answers for one text."""

    kind: Classification
    severity: Classification
    sentiment: Sentiment


Analyse = Callable[[Sequence[str]], list[Analysis]]
"""The analysis of each text, in order; raises Overloaded when too much waits."""


def analyse(engine: Engine, texts: Sequence[str]) -> list[Analysis]:
    """The analysis of each text; tasks whose heads share an encoder share its pass. Raises Overloaded."""
    pooled = engine.encode(texts, TASKS)
    answers = zip(engine.classifications(pooled), engine.severities(pooled), engine.sentiments(pooled), strict=True)
    return [Analysis(*answer) for answer in answers]
