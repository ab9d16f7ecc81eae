"""Figures of parts of a test set."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import slice_rows
from training.report.measures import headline, totals
from training.report.resampling import Resamples, rounded
from training.report.scored import Classes, Scored

MIN_SLICE = 20
MAX_PRODUCTS = 30
SIDES = ("fault", "feature_request")
FAULT_OR_REQUEST = "fault | request"


def slice_figures(scored: Scored) -> dict[str, dict[str, Any]]:
    """For each field and value of the examples' slices: texts, accuracy and the measure.

    Values of fewer than 20 texts are left out, and the field `product` when it has more than 30 values.
    """
    answers = scored.answers
    result: dict[str, dict[str, Any]] = {}
    for field in sorted({field for example in scored.examples for field in example.slices}):
        counts = Counter(example.slices[field] for example in scored.examples if field in example.slices)
        if field == "product" and len(counts) > MAX_PRODUCTS:
            continue
        rows = slice_rows([example.slices.get(field, "") for example in scored.examples])
        shown = {
            value: _part(answers[rows[value]], scored.truth[rows[value]], len(scored.labels), scored.measure)
            for value in sorted(counts)
            if counts[value] >= MIN_SLICE
        }
        result |= {field: shown} if shown else {}
    return result


def fault_or_request(scored: Scored) -> dict[str, Any] | None:
    """How well a fault is told from a feature request, of all texts that are one of the two and of hard and plain ones.

    The choice is between these two columns. None for another task or label set, or when there is no such text.
    """
    if scored.task != "classify" or not set(SIDES) <= set(scored.labels):
        return None
    columns = [scored.labels.index(side) for side in SIDES]
    answers = scored.probabilities[:, columns].argmax(axis=1)
    either = np.isin(scored.truth, columns)
    truth = np.where(scored.truth == columns[0], 0, 1).astype(np.int64)
    hardness = np.array([example.slices.get("hard", "") for example in scored.examples])
    parts: dict[str, NDArray[np.bool_]] = {value: either & (hardness == value) for value in ("hard", "plain")}
    shown = {name: rows for name, rows in parts.items() if rows.sum() >= MIN_SLICE}
    everything = {"all": either} if either.any() else {}
    return {
        name: _part(answers[rows], truth[rows], len(SIDES), scored.measure)
        for name, rows in {**everything, **shown}.items()
    } or None


def _part(answers: Classes, truth: Classes, classes: int, measure: str) -> dict[str, Any]:
    found = totals(answers, truth, classes, Resamples(len(truth)))
    return {"texts": len(truth), "accuracy": rounded(found.accuracy), measure: rounded(headline(found))}
