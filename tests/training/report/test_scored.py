import numpy as np
import pytest

from tests.training.report.sets import certain, reviews, scored
from training.data.example import ASPECTS
from training.report.scored import Scored


def test_the_key_tells_the_same_texts_of_two_tasks_apart() -> None:
    by_kind = scored([0], certain([0], 4))
    by_severity = scored([0], certain([0], 3), task="severity")
    assert (by_kind.key, by_severity.key) == ("classify/tickets/test", "severity/tickets/test")


def test_the_answer_is_the_most_probable_label() -> None:
    assert scored([0, 1], certain([2, 3], 4)).answers.tolist() == [2, 3]


def test_an_aspect_is_answered_when_it_is_more_probably_present_than_not() -> None:
    probabilities = np.tile(np.array([1, 0, 0, 0], np.float32), (1, len(ASPECTS), 1))
    probabilities[0, 0] = [0.4, 0.25, 0.05, 0.3]  # absent is the single most probable label, but present is 0.6
    found = scored(np.zeros((1, len(ASPECTS)), np.int64), probabilities, task="aspects")
    assert found.answers[0].tolist() == [3] + [0] * (len(ASPECTS) - 1)


def test_the_presence_threshold_moves_what_is_answered() -> None:
    found = reviews([{"speed": 1}], [{"speed": 1}], confidence=0.7)
    strict = Scored(
        "aspects",
        found.name,
        found.labels,
        found.examples,
        found.truth,
        found.probabilities,
        found.uncalibrated,
        found.threshold,
        presence_threshold=0.95,
    )
    assert found.answers.max() == 1
    assert strict.answers.max() == 0


def test_a_set_without_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="no texts"):
        scored([], np.zeros((0, 4), np.float32))


def test_probabilities_for_another_number_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="probabilities"):
        scored([0, 1], certain([0, 1], 3))


def test_a_class_outside_the_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        scored([-100, 1], certain([0, 1], 4))


def test_aspects_whose_first_label_is_not_absent_are_refused() -> None:
    truth = np.zeros((1, len(ASPECTS)), np.int64)
    with pytest.raises(ValueError, match="absent"):
        scored(truth, certain(truth, 4), task="aspects", labels=("negative", "absent", "neutral", "positive"))
