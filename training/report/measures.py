"""What is right about answers, for the texts as they are and for each bootstrap sample."""

from dataclasses import dataclass

import numpy as np

from training.report.resampling import Resamples, Values, ratio
from training.report.scored import Classes


@dataclass(frozen=True)
class ClassTotals:
    """Texts that were rightly given each class, that were given it, and that are of it: (1 + samples, classes)."""

    right: Values
    answered: Values
    actual: Values

    @classmethod
    def of(cls, answers: Classes, truth: Classes, classes: int, resamples: Resamples) -> "ClassTotals":
        """From answers and truth, both shape (texts,)."""
        given, wanted = np.eye(classes)[answers], np.eye(classes)[truth]
        return cls(resamples.totals(given * wanted), resamples.totals(given), resamples.totals(wanted))

    @property
    def accuracy(self) -> Values:
        """Share of texts whose answer is right."""
        return ratio(self.right.sum(axis=1), self.actual.sum(axis=1))

    @property
    def precision(self) -> Values:
        """Of the texts given a class, the share that are of it."""
        return ratio(self.right, self.answered)

    @property
    def recall(self) -> Values:
        """Of the texts of a class, the share that were given it."""
        return ratio(self.right, self.actual)

    @property
    def f1(self) -> Values:
        """Harmonic mean of precision and recall; not a number for a class that no text is of."""
        return np.where(self.actual > 0, ratio(2 * self.right, self.answered + self.actual), np.nan)

    @property
    def macro_f1(self) -> Values:
        """Mean F1 over the classes that occur, as `training.metrics.macro_f1`."""
        occurring = (self.actual > 0).sum(axis=1).astype(np.float64)
        return ratio(np.nansum(self.f1, axis=1), occurring)


@dataclass(frozen=True)
class AspectTotals:
    """Sums over texts for each aspect, shape (1 + samples, aspects). Class 0 means that the text does not speak of it.

    `found`: mentions that were found; `right`: those whose polarity is right too; `answered`: mentions that were given;
    `actual`: mentions that are there; `exact`: answers that are right, absent ones among them.
    """

    found: Values
    right: Values
    answered: Values
    actual: Values
    exact: Values
    texts: int

    @classmethod
    def of(cls, answers: Classes, truth: Classes, resamples: Resamples) -> "AspectTotals":
        """From answers and truth, both shape (texts, aspects)."""
        given, wanted, same = answers > 0, truth > 0, answers == truth
        return cls(
            found=resamples.totals(given & wanted),
            right=resamples.totals(same & wanted),
            answered=resamples.totals(given),
            actual=resamples.totals(wanted),
            exact=resamples.totals(same),
            texts=len(truth),
        )

    @property
    def mention_f1(self) -> Values:
        """F1 of finding that a text speaks of an aspect; not a number for one that no text speaks of."""
        return np.where(self.actual > 0, ratio(2 * self.found, self.answered + self.actual), np.nan)

    @property
    def polarity_accuracy(self) -> Values:
        """Of the mentions that were found, the share whose polarity is right."""
        return ratio(self.right, self.found)

    @property
    def micro_f1(self) -> Values:
        """F1 of the pairs of aspect and polarity over all aspects, as `training.metrics.aspect_f1`."""
        pairs = self.answered.sum(axis=1) + self.actual.sum(axis=1)
        return ratio(2 * self.right.sum(axis=1), np.maximum(pairs, 1.0))

    @property
    def accuracy(self) -> Values:
        """Share of all answers, one for each text and aspect, that are right."""
        accuracy: Values = self.exact.sum(axis=1) / (self.texts * self.exact.shape[1])
        return accuracy


def totals(answers: Classes, truth: Classes, classes: int, resamples: Resamples) -> ClassTotals | AspectTotals:
    """Of one answer a text, or of one for each text and aspect."""
    if truth.ndim == 1:
        return ClassTotals.of(answers, truth, classes, resamples)
    return AspectTotals.of(answers, truth, resamples)


def headline(found: ClassTotals | AspectTotals) -> Values:
    """Macro-F1, of aspects micro-F1."""
    return found.macro_f1 if isinstance(found, ClassTotals) else found.micro_f1
