"""From what a search measures of a record to the probability that it answers the query.

A hybrid search ranks by a weighted sum of the cosine and of the share of the best possible BM25 score, which beats both
and their fusion by rank (docs/decisions/0014). What a hit reaches, and how far it stands above the next one, gives the
probability by logistic regression (Platt 1999); that makes scores of different queries comparable.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from nlp_service.errors import BundleError
from nlp_service.knowledge.keys import Mask

Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
Values = NDArray[np.float64]


class Calibration(BaseModel):
    """The logit of the probability: strength, its distance to the best hit of another matter, and an intercept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strength: float
    lead: float
    intercept: float

    def probabilities(self, strengths: Values, twins: Mask | None = None) -> Values:
        """Of each hit, shape (hits,); ordered as the strengths are. `twins` as for `rivals`."""
        if not len(strengths):
            return strengths
        order = np.argsort(-strengths, kind="stable")
        ranked = strengths[order]
        logits = self.strength * ranked + self.lead * (ranked - rivals(ranked, twins)) + self.intercept
        probabilities = np.empty(len(strengths))
        probabilities[order] = np.minimum.accumulate(1 / (1 + np.exp(-logits)))
        return probabilities


class Relevance(BaseModel):
    """Weights that belong to one search encoder, fitted on queries whose answers are known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cosine: float
    lexical: float
    hybrid_calibration: Calibration
    dense_calibration: Calibration
    lexical_calibration: Calibration

    def strengths(self, mode: Mode, cosines: Sequence[float], shares: Sequence[float]) -> Values:
        """What ranks the records, shape (records,), from cosines and shares of the best possible BM25 score."""
        parts = {
            "dense": (1.0, 0.0),
            "lexical": (0.0, 1.0),
            "hybrid": (self.cosine, self.lexical),
        }[mode]
        return parts[0] * np.asarray(cosines, np.float64) + parts[1] * np.asarray(shares, np.float64)

    def probabilities(self, mode: Mode, strengths: Values, twins: Mask | None = None) -> Values:
        """That each record answers the query, shape (records,); `twins` as for `rivals`."""
        calibration: Calibration = getattr(self, f"{mode}_calibration")
        return calibration.probabilities(strengths, twins)


UNFITTED = Relevance(
    cosine=23.52,
    lexical=22.45,
    hybrid_calibration=Calibration(strength=0.23, lead=0.789, intercept=-7.145),
    dense_calibration=Calibration(strength=13.985, lead=58.72, intercept=-13.212),
    lexical_calibration=Calibration(strength=3.685, lead=23.493, intercept=-2.933),
)
"""For an encoder that comes without its own: what was fitted for the one that this project ships."""


def relevance_of(fitted: dict[str, Any] | None) -> Relevance:
    """What belongs to an encoder, from its bundle; raises BundleError when it is broken."""
    if fitted is None:
        return UNFITTED
    try:
        return Relevance.model_validate(fitted)
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(f"relevance: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def rivals(strengths: Values, twins: Mask | None = None) -> Values:
    """For each hit, the best first, the strength of the best of the others; its own when there is none.

    `twins`, shape (n, n), says which of the first n hits tell the same: a hit has no rival in its twin, for what is
    stored twice answers no worse.
    """
    near = 1 if twins is None else len(twins)
    found = np.full(len(strengths), strengths[0])
    for place in range(min(near + 1, len(strengths))):
        different = np.arange(len(strengths)) != place
        if twins is not None and place < near:
            different[:near] &= ~twins[place][: len(strengths)]
        others = np.flatnonzero(different)
        found[place] = strengths[others[0]] if len(others) else strengths[place]
    return found
