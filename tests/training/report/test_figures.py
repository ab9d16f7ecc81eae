import json
import time

import numpy as np
import pytest

from tests.training.report.sets import certain, reviews, scored, tickets
from training.data.example import ASPECTS
from training.metrics import aspect_f1
from training.report.figures import figures

SPEED, PRICE = "speed", "price"
NEGATIVE, POSITIVE = 1, 3


def test_a_perfect_classifier_has_every_figure_at_one() -> None:
    found = figures(scored(np.arange(40) % 4, certain(np.arange(40) % 4, 4)))
    one = {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found["accuracy"] == found["macro_f1"] == one
    assert all(part["f1"] == one for part in found["classes"].values())


def test_a_classifier_whose_answers_do_not_depend_on_the_text_is_right_in_one_case_of_four() -> None:
    found = figures(scored(np.arange(400) % 4, certain(np.arange(400) // 4 % 4, 4)))
    assert (found["accuracy"]["value"], found["macro_f1"]["value"]) == (0.25, 0.25)
    assert found["accuracy"]["high"] < 0.3


def test_precision_recall_and_f1_of_each_class() -> None:
    # Class 0: given three times, twice rightly; class 1: one of two found; class 2: as it is.
    found = figures(scored([0, 0, 1, 1, 2], certain([0, 0, 0, 1, 2], 4)))
    fault, request = found["classes"]["fault"], found["classes"]["feature_request"]
    assert (fault["texts"], fault["answered"]) == (2, 3)
    assert (fault["precision"]["value"], fault["recall"]["value"], fault["f1"]["value"]) == (0.6667, 1.0, 0.8)
    assert (request["precision"]["value"], request["recall"]["value"], request["f1"]["value"]) == (1.0, 0.5, 0.6667)


def test_intervals_contain_their_values() -> None:
    found = figures(tickets(200))
    parts = [found["accuracy"], found["macro_f1"], found["review"]["precision"]]
    parts += [row[measure] for row in found["classes"].values() for measure in ("precision", "recall", "f1")]
    assert all(part["low"] < part["value"] < part["high"] for part in parts)


def test_a_class_without_texts_has_no_recall_and_no_f1() -> None:
    missing = figures(scored([0, 1, 2], certain([0, 1, 2], 4)))["classes"]["other"]
    assert missing == {"texts": 0, "answered": 0, "precision": None, "recall": None, "f1": None}


def test_a_class_without_texts_does_not_lower_macro_f1() -> None:
    assert figures(scored([0, 1, 2], certain([0, 1, 2], 4)))["macro_f1"]["value"] == 1.0


def test_the_confusion_matrix_counts_by_truth_and_answer() -> None:
    found = figures(scored([0, 0, 3], certain([0, 1, 3], 4)))
    assert found["confusion"] == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_one_text_is_enough() -> None:
    found = figures(scored([1], certain([1], 4)))
    assert (found["texts"], found["macro_f1"]["value"], found["slices"]) == (1, 1.0, {})


def test_figures_can_be_written_as_json() -> None:
    every = [tickets(40), scored([1], certain([1], 4)), reviews([{SPEED: NEGATIVE}], [{}])]
    assert all(json.loads(json.dumps(found, allow_nan=False)) == found for found in map(figures, every))


def test_two_thousand_texts_take_seconds() -> None:
    started = time.perf_counter()
    figures(tickets(2000))
    assert time.perf_counter() - started < 5


def test_mentions_of_an_aspect_count_whatever_their_polarity() -> None:
    # Found twice, missed once, and given once where nobody speaks of it: F1 = 2 · 2 / (3 + 3).
    truth = [{SPEED: NEGATIVE}, {SPEED: NEGATIVE}, {SPEED: NEGATIVE}, {}]
    found = figures(reviews(truth, [{SPEED: NEGATIVE}, {SPEED: POSITIVE}, {}, {SPEED: NEGATIVE}]))["aspects"][SPEED]
    assert (found["mentions"], found["answered"], found["found"]) == (3, 3, 2)
    assert found["mention_f1"]["value"] == 0.6667


def test_polarity_is_judged_among_the_mentions_that_were_found() -> None:
    truth = [{SPEED: NEGATIVE}, {SPEED: NEGATIVE}, {SPEED: NEGATIVE}]
    found = figures(reviews(truth, [{SPEED: NEGATIVE}, {SPEED: POSITIVE}, {}]))
    assert found["aspects"][SPEED]["polarity_accuracy"]["value"] == 0.5


def test_an_aspect_that_nobody_speaks_of_has_no_figures() -> None:
    found = figures(reviews([{SPEED: NEGATIVE}], [{SPEED: NEGATIVE}]))["aspects"][PRICE]
    assert (found["mention_f1"], found["polarity_accuracy"]) == (None, None)


def test_micro_f1_of_aspects_is_that_of_the_metrics() -> None:
    generator = np.random.default_rng(4)
    shape = (60, len(ASPECTS))
    truth = generator.integers(0, 4, shape) * (generator.random(shape) < 0.3)
    answers = np.where(generator.random(shape) < 0.2, generator.integers(0, 4, shape), truth)
    found = figures(scored(truth, certain(answers, 4), task="aspects"))["micro_f1"]
    assert found["value"] == pytest.approx(aspect_f1(answers, truth), abs=5e-5)
    assert found["low"] < found["value"] < found["high"]


def test_accuracy_of_aspects_is_over_every_text_and_aspect() -> None:
    found = figures(reviews([{SPEED: NEGATIVE}, {}], [{}, {}]))
    assert found["accuracy"]["value"] == round(1 - 1 / (2 * len(ASPECTS)), 4)
