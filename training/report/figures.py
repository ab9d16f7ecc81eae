"""All figures of one test set, ready for JSON.

A figure with an interval is ``{"value", "low", "high"}`` (95 %, bootstrap over texts); one that the texts do not
define, such as the recall of a class that does not occur, is None.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.data.example import ASPECTS
from training.metrics import confusion, expected_calibration_error
from training.report.confidence import Selection, reliability
from training.report.measures import AspectTotals, ClassTotals, headline, totals
from training.report.resampling import Resamples, rounded
from training.report.scored import Scored
from training.report.slices import FAULT_OR_REQUEST, fault_or_request, slice_figures


def figures(scored: Scored) -> dict[str, Any]:
    """Figures of the set as a whole, by class or aspect, by confidence and by slice."""
    resamples = Resamples(len(scored.examples))
    found = totals(scored.answers, scored.truth, len(scored.labels), resamples)
    selection = Selection(scored)
    sides = fault_or_request(scored)
    return {
        "task": scored.task,
        "name": scored.name,
        "texts": len(scored.examples),
        "labels": list(scored.labels),
        "measure": scored.measure,
        "accuracy": rounded(found.accuracy),
        scored.measure: rounded(headline(found)),
        **({"classes": _classes(found, scored)} if isinstance(found, ClassTotals) else {"aspects": _aspects(found)}),
        "confusion": _confusion(scored),
        **_calibration(scored),
        "risk_coverage": selection.curve(),
        "review": selection.at(scored.threshold, resamples),
        "slices": slice_figures(scored),
        **({FAULT_OR_REQUEST: sides} if sides else {}),
    }


def _classes(found: ClassTotals, scored: Scored) -> dict[str, Any]:
    measures = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    return {
        label: {
            "texts": int(found.actual[0, number]),
            "answered": int(found.answered[0, number]),
            **{name: rounded(values[:, number]) for name, values in measures.items()},
        }
        for number, label in enumerate(scored.labels)
    }


def _aspects(found: AspectTotals) -> dict[str, Any]:
    measures = {"mention_f1": found.mention_f1, "polarity_accuracy": found.polarity_accuracy}
    return {
        aspect: {
            "mentions": int(found.actual[0, number]),
            "answered": int(found.answered[0, number]),
            "found": int(found.found[0, number]),
            **{name: rounded(values[:, number]) for name, values in measures.items()},
        }
        for number, aspect in enumerate(ASPECTS)
    }


def _confusion(scored: Scored) -> list[list[int]]:
    """Rows by truth and columns by answer; of aspects over all of them."""
    certain = np.eye(len(scored.labels), dtype=np.float32)[scored.answers.ravel()]
    return confusion(certain, scored.truth.ravel(), len(scored.labels))


def _calibration(scored: Scored) -> Mapping[str, Any]:
    """Before (temperature 1) and after; of aspects over all answers, one for each text and aspect."""
    truth = scored.truth.ravel()
    rows = {
        name: probabilities.reshape(len(truth), -1)
        for name, probabilities in (("before", scored.uncalibrated), ("after", scored.probabilities))
    }
    return {
        "ece": {name: round(expected_calibration_error(part, truth), 4) for name, part in rows.items()},
        "reliability": {name: reliability(part, truth) for name, part in rows.items()},
    }
