"""Bootstrap over texts, for many figures at once.

Figures here are computed from sums over texts. `Resamples.totals` gives these sums for the texts as they are (row 0)
and for each bootstrap sample (the rows after it), so that a figure is one array operation over all rows.
"""

import numpy as np
from numpy.typing import NDArray

from training.metrics import BOOTSTRAP_SAMPLES, Figure

Values = NDArray[np.float64]
"""A figure of the texts (index 0) and of each bootstrap sample; not a number where it is undefined."""


class Resamples:
    """How often each text counts: once in row 0, in each other row as often as a bootstrap sample drew it.

    The samples are those of `training.metrics.bootstrap` with the same seed.
    """

    def __init__(self, texts: int, *, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._counts = np.ones((1 + BOOTSTRAP_SAMPLES, texts), np.float32)
        for row in self._counts[1:]:
            row[:] = np.bincount(generator.integers(0, texts, texts), minlength=texts)

    def totals(self, statistics: NDArray[np.generic]) -> Values:
        """Sums of whole numbers, shape (texts, …), over the texts of each sample: shape (1 + samples, …)."""
        flat = statistics.reshape(len(statistics), -1).astype(np.float32)
        return (self._counts @ flat).astype(np.float64).reshape(-1, *statistics.shape[1:])


def ratio(numerator: Values, denominator: Values) -> Values:
    """Quotient; not a number where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def figure(values: Values) -> Figure | None:
    """Value and 95 % interval over the samples that define it; None when the texts themselves do not."""
    value, samples = float(values[0]), values[1:]
    if np.isnan(value):
        return None
    defined = samples[~np.isnan(samples)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (value, value)
    return Figure(value, float(low), float(high))


def rounded(values: Values) -> dict[str, float] | None:
    """`figure`, rounded for files."""
    found = figure(values)
    return None if found is None else found.as_dict()
