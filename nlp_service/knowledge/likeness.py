"""The probability that two tickets tell the same matter.

Logistic regression (Platt 1999) over the cosine of their vectors, the length of the shorter text, since short texts
come close to anything of their product, and whether both are of one class, since a wish and a fault may share all
words. Shared words were tried and add nothing (docs/decisions/0015).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from nlp_service.errors import BundleError

Values = NDArray[np.float64]
LONG = 40
"""Letters and digits from which on a text counts as long: the length of longer ones says nothing more."""


class Likeness(BaseModel):
    """The logit of the probability, for the vectors of one search encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cosine: float
    length: float
    """For the natural logarithm of the number of letters and digits of the shorter text."""
    same_label: float
    intercept: float

    def probabilities(self, cosines: Values, lengths: Values, same_label: NDArray[np.bool_]) -> Values:
        """Of each pair, shape (pairs,); `lengths` are the logarithms of `log_length`, of the shorter text each."""
        logits = self.cosine * cosines + self.length * lengths + self.same_label * same_label + self.intercept
        probabilities: Values = 1 / (1 + np.exp(-logits))
        return probabilities


UNFITTED = Likeness(cosine=75.89, length=2.83, same_label=2.27, intercept=-77.58)
"""For an encoder that comes without its own: fitted by training/search/duplicates.py for the one that is shipped."""


def likeness_of(fitted: dict[str, Any] | None) -> Likeness:
    """What belongs to an encoder, from its bundle; raises BundleError when it is broken."""
    if fitted is None:
        return UNFITTED
    try:
        return Likeness.model_validate(fitted)
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(f"likeness: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def log_lengths(texts: Sequence[str]) -> Values:
    """Natural logarithm of the number of letters and digits of each text, 1 to LONG of them, shape (texts,)."""
    counts: Values = np.array([sum(map(str.isalnum, text)) for text in texts], np.float64)
    return np.log(np.clip(counts, 1, LONG))
