"""How many texts got which answers."""

from collections import Counter
from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, Field

from nlp_service.feedback.answered import Answer


class Tally(BaseModel):
    """Counts of answers, which can be added up."""

    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    """From a sentiment to the kinds that texts of it are of."""
    kinds: list[str] = Field(default_factory=list)
    """All kinds, in the order of the model."""
    review: int = 0
    """Texts of which a person should look at an answer."""
    bad: int = 0
    """Lines that could not be analysed."""

    @property
    def texts(self) -> int:
        """All texts."""
        return sum(sum(kinds.values()) for kinds in self.counts.values())

    def count(self, answers: Iterable[Answer]) -> None:
        """Count answers."""
        for sentiment, kind in answers:
            self.kinds = self.kinds or list(kind.probabilities)
            kinds = self.counts.setdefault(sentiment.label, {})
            kinds[kind.label] = kinds.get(kind.label, 0) + 1
            self.review += sentiment.needs_review or kind.needs_review

    def add(self, other: Self) -> None:
        """Count what another one counted."""
        for sentiment, kinds in other.counts.items():
            self.counts[sentiment] = dict(Counter(self.counts.get(sentiment, {})) + Counter(kinds))
        self.kinds = self.kinds or other.kinds
        self.review += other.review
        self.bad += other.bad
