import json
from typing import Any

import numpy as np
import pytest

from tests.training.report.sets import certain, reviews, scored
from training.perturbation.perturbations import PERTURBATIONS
from training.report.robustness import robustness
from training.report.scored import Probabilities, Scored

FAULTS = ["app闪退了，数据全没了", "Login fails with error 502", "付款失败，一直转圈", "the page is blank"]
REQUESTS = ["希望增加导出功能", "Please add a dark mode", "建议支持批量打印", "would be nice to have tags"]
TEXTS = FAULTS + REQUESTS


@pytest.fixture
def tickets() -> Scored:
    """Four faults and four feature requests, all answered rightly."""
    truth = [0] * len(FAULTS) + [1] * len(REQUESTS)
    return scored(truth, certain(truth, 4), texts=TEXTS)


def by_heart(texts: list[str]) -> Probabilities:
    """Knows the texts as they are written, and calls anything else a question."""
    return certain([0 if text in FAULTS else 1 if text in REQUESTS else 2 for text in texts], 4)


def deaf(texts: list[str]) -> Probabilities:
    """Answers every text alike."""
    return certain([0] * len(texts), 4)


def by_latin_letters(texts: list[str]) -> Probabilities:
    return certain([0 if any(mark.isascii() and mark.isalpha() for mark in text) else 1 for text in texts], 4)


def values(found: dict[str, Any], part: str) -> dict[str, float]:
    return {name: row[part]["value"] for name, row in found["perturbations"].items()}


def test_every_perturbation_is_tried(tickets: Scored) -> None:
    assert list(robustness(tickets, by_heart, 1)["perturbations"]) == list(PERTURBATIONS)


def test_a_model_that_does_not_read_loses_nothing(tickets: Scored) -> None:
    found = robustness(tickets, deaf, 1)
    assert set(values(found, "loss").values()) == set(values(found, "changed").values()) == {0.0}


def test_a_model_that_knows_texts_by_heart_loses_them_when_they_change(tickets: Scored) -> None:
    found = robustness(tickets, by_heart, 1)
    assert found["unperturbed"]["value"] == 1.0
    assert found["perturbations"]["courtesy"]["macro_f1"]["value"] == 0.0
    assert found["perturbations"]["courtesy"]["loss"]["value"] == 1.0


def test_texts_that_a_perturbation_leaves_alone_keep_their_answers(tickets: Scored) -> None:
    row = robustness(tickets, by_heart, 1)["perturbations"]["upper_case"]
    assert row["altered"] == row["changed"]["value"] == 5 / 8


def test_the_loss_is_against_the_answers_for_the_texts_as_they_are(tickets: Scored) -> None:
    found = robustness(tickets, by_latin_letters, 1)
    assert found["unperturbed"]["value"] < 1
    assert found["perturbations"]["emoji"]["loss"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_texts_that_did_not_change_are_not_asked_again(tickets: Scored) -> None:
    asked: list[str] = []

    def predict(texts: list[str]) -> Probabilities:
        asked.extend(texts)
        return deaf(texts)

    robustness(tickets, predict, 1)
    assert [asked.count(text) for text in TEXTS] == [1] * len(TEXTS)


def test_the_same_seed_gives_the_same_figures(tickets: Scored) -> None:
    assert robustness(tickets, by_latin_letters, 5) == robustness(tickets, by_latin_letters, 5)


def test_aspects_are_measured_by_micro_f1() -> None:
    found = reviews([{"speed": 1}] * 3, [{"speed": 1}] * 3)

    def forgetful(texts: list[str]) -> Probabilities:
        answers = np.zeros((len(texts), found.truth.shape[1]), np.int64)
        answers[[text.startswith("text") for text in texts]] = found.truth[0]
        return certain(answers, 4)

    row = robustness(found, forgetful, 1)["perturbations"]["upper_case"]
    assert (row["micro_f1"]["value"], row["changed"]["value"]) == (0.0, 1.0)


def test_figures_can_be_written_as_json(tickets: Scored) -> None:
    found = robustness(tickets, by_heart, 1)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
