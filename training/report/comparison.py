"""A model beside simpler methods on the same texts."""

from collections.abc import Mapping
from typing import Any

from training.report.measures import headline, totals
from training.report.resampling import Resamples, rounded
from training.report.scored import Probabilities, Scored


def comparison(scored: Scored, others: Mapping[str, Probabilities]) -> dict[str, dict[str, Any]]:
    """For each method its accuracy, its measure and by how much the model's is higher, over the same resampled texts.

    Raises ValueError for probabilities of another shape than the model's.
    """
    resamples = Resamples(len(scored.examples))
    model = headline(totals(scored.answers, scored.truth, len(scored.labels), resamples))
    result: dict[str, dict[str, Any]] = {}
    for method, probabilities in others.items():
        if probabilities.shape != scored.probabilities.shape:
            raise ValueError(
                f"{scored.key}: {method} has shape {probabilities.shape}, not {scored.probabilities.shape}"
            )
        found = totals(scored.answers_of(probabilities), scored.truth, len(scored.labels), resamples)
        result[method] = {
            "accuracy": rounded(found.accuracy),
            scored.measure: rounded(headline(found)),
            "lead": rounded(model - headline(found)),
        }
    return result
