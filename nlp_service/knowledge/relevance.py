"""From what a search measures of a record to the probability that it answers the query.

A hybrid search ranks by a weighted sum of the cosine and of the share of the best possible BM25 score, which beats both
and their fusion by rank (docs/decisions/0014). What a hit reaches, and how far it stands above the next one, gives the
probability by logistic regression (Platt 1999); that makes scores of different queries comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """The logit of the probability: what a hit reaches, its lead over the best hit of another matter, an intercept.

    The lead counts `lead` + `worded_lead` · ln(1 + words of the query) times: that one word stands in a single record
    says little, that ten of them do says much. `lexical` is for the share of the best possible BM25 score, beside what
    the strength holds of it: the share ranks better than it tells whether anything fits (docs/decisions/0014).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strength: float
    lead: float
    intercept: float
    lexical: float = 0.0
    worded_lead: float = 0.0

    def probabilities(self, found: "Found", twins: Mask | None = None) -> Values:
        """Of each hit, shape (hits,); ordered as what ranks them is. `twins` as for `rivals`."""
        if not len(found.strengths):
            return found.strengths
        order = np.argsort(-found.ranking, kind="stable")
        ranked = found.ranking[order]
        leads = ranked - rivals(ranked, twins)
        logits = self.strength * found.strengths[order] + self.intercept
        logits += (self.lead + self.worded_lead * np.log1p(found.words)) * leads
        if found.shares is not None:
            logits += self.lexical * found.shares[order]
        probabilities = np.empty(len(order))
        probabilities[order] = np.minimum.accumulate(1 / (1 + np.exp(-logits)))
        return probabilities


@dataclass(frozen=True, eq=False)
class Found:
    """What a search measured of its hits, each of shape (hits,)."""

    strengths: Values
    shares: Values | None = None
    """Of the best possible BM25 score; None when words were not looked at."""
    words: float = 0.0
    """Of the query (see `nlp_service.knowledge.query.words_of`)."""
    bonus: Values | None = None
    """What is added to the strengths before they rank: it counts in a hit's lead, as all may have it."""

    @property
    def ranking(self) -> Values:
        """What ranks the hits."""
        return self.strengths if self.bonus is None else self.strengths + self.bonus


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

    def probabilities(self, mode: Mode, found: Found, twins: Mask | None = None) -> Values:
        """That each record answers the query, shape (records,); `twins` as for `rivals`."""
        calibration: Calibration = getattr(self, f"{mode}_calibration")
        return calibration.probabilities(found, twins)


UNFITTED = Relevance(
    cosine=23.52,
    lexical=22.45,
    hybrid_calibration=Calibration(strength=0.696, lead=0.0, worded_lead=0.381, lexical=-11.58, intercept=-15.682),
    dense_calibration=Calibration(strength=13.985, lead=58.72, intercept=-13.212),
    lexical_calibration=Calibration(strength=3.07, lead=0.0, worded_lead=12.399, intercept=-3.01),
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
    same = [] if twins is None else [np.flatnonzero(row).tolist() for row in twins]
    found = np.full(len(strengths), strengths[0])
    for place in range(min(max(len(same), 1) + 1, len(strengths))):
        no_rivals = {place, *(same[place] if place < len(same) else ())}
        found[place] = strengths[next((other for other in range(len(strengths)) if other not in no_rivals), place)]
    return found
