"""How much worse answers become when the same texts are written differently."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.perturbation.perturbations import PERTURBATIONS
from training.report.measures import headline, totals
from training.report.resampling import Resamples, Values, rounded
from training.report.scored import Classes, Scored

Predict = Callable[[list[str]], NDArray[np.float32]]


def robustness(scored: Scored, predict: Predict, seed: int) -> dict[str, Any]:
    """For each perturbation the measure (macro-F1, of aspects micro-F1), its loss and the share of changed answers.

    `predict` gives probabilities of the shape of `scored.probabilities` for any number of texts. It also answers the
    texts as they are, so that only the perturbation makes a difference; texts that a perturbation leaves alone are not
    asked again (`altered` is the share of the others). An answer for aspects counts as changed when any aspect's is.
    """
    texts = [example.text for example in scored.examples]
    resamples = Resamples(len(texts))

    def measured(answers: Classes) -> Values:
        return headline(totals(answers, scored.truth, len(scored.labels), resamples))

    plain = scored.answers_of(predict(texts))
    unperturbed = measured(plain)
    perturbations: dict[str, Any] = {}
    for name in PERTURBATIONS:
        perturbed = _perturbed(texts, name, seed)
        rows = [row for row, (old, new) in enumerate(zip(texts, perturbed, strict=True)) if old != new]
        answers = plain.copy()
        if rows:
            answers[rows] = scored.answers_of(predict([perturbed[row] for row in rows]))
        values = measured(answers)
        changed = (answers != plain).reshape(len(texts), -1).any(axis=1)
        perturbations[name] = {
            "altered": round(len(rows) / len(texts), 4),
            scored.measure: rounded(values),
            "loss": rounded(unperturbed - values),
            "changed": rounded(resamples.totals(changed) / len(texts)),
        }
    return {
        "texts": len(texts),
        "measure": scored.measure,
        "unperturbed": rounded(unperturbed),
        "perturbations": perturbations,
    }


def _perturbed(texts: list[str], name: str, seed: int) -> list[str]:
    """Each text with random numbers of its own, so that the others do not matter."""
    perturb = PERTURBATIONS[name]
    return [perturb(text, random.Random(f"{seed} {name} {text}")) for text in texts]
