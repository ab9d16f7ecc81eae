import numpy as np
import pytest

from tests.training.report.sets import certain, reviews, scored
from training.report.confidence import Selection, reliability
from training.report.figures import figures
from training.report.resampling import Resamples
from training.report.scored import Scored


def two_classes(confidences: list[float], right: list[bool], threshold: float = 0.5) -> Scored:
    """Answers of class 0 with these confidences; the truth agrees where `right` says so."""
    first = np.array(confidences, np.float32)
    probabilities = np.stack([first, 1 - first], axis=1)
    return scored(np.where(right, 0, 1), probabilities, labels=("a", "b"), threshold=threshold)


def drawn(texts: int, sharpness: float) -> Scored:
    """Calibrated answers, and as `uncalibrated` the same ones made too sure of themselves."""
    generator = np.random.default_rng(6)
    first = generator.uniform(0.5, 1, texts)
    truth = (generator.random(texts) > first).astype(np.int64)
    odds = (first / (1 - first)) ** sharpness
    shares = [np.stack([p, 1 - p], axis=1).astype(np.float32) for p in (first, odds / (1 + odds))]
    return scored(truth, shares[0], labels=("a", "b"), uncalibrated=shares[1])


def test_each_bin_has_its_confidence_its_accuracy_and_its_share() -> None:
    found = two_classes([0.92, 0.9, 0.6, 0.6], [True, True, True, False])
    assert reliability(found.probabilities, found.truth) == [
        {"confidence": 0.6, "accuracy": 0.5, "share": 0.5},
        {"confidence": 0.91, "accuracy": 1.0, "share": 0.5},
    ]


def test_the_shares_of_the_bins_add_up_to_one() -> None:
    found = drawn(500, 1.0)
    assert sum(part["share"] for part in reliability(found.probabilities, found.truth)) == pytest.approx(1, abs=1e-3)


def test_calibrated_answers_have_a_small_calibration_error() -> None:
    assert figures(drawn(3000, 3.0))["ece"]["after"] < 0.03


def test_answers_that_are_too_sure_have_a_large_calibration_error() -> None:
    assert figures(drawn(3000, 3.0))["ece"]["before"] > 0.1


def test_risk_is_the_share_of_errors_among_the_surest() -> None:
    curve = Selection(two_classes([0.9, 0.8, 0.7, 0.6], [True, False, True, False])).curve()
    assert [point["coverage"] for point in curve] == [0.25, 0.5, 0.75, 1.0]
    assert [point["risk"] for point in curve] == [0.0, 0.5, 0.3333, 0.5]


def test_answers_of_equal_confidence_are_given_together() -> None:
    curve = Selection(two_classes([0.8, 0.8, 0.8], [True, False, True])).curve()
    assert curve == [{"coverage": 1.0, "risk": 0.3333, "confidence": 0.8}]


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    curve = Selection(drawn(3000, 1.0)).curve()
    assert len(curve) <= 100
    assert curve[-1]["coverage"] == 1.0


def test_coverage_and_precision_at_the_threshold() -> None:
    found = two_classes([0.9, 0.8, 0.7, 0.6], [True, False, True, True])
    at = Selection(found).at(0.75, Resamples(4))
    assert (at["coverage"]["value"], at["precision"]["value"]) == (0.5, 0.5)


def test_there_is_no_precision_when_no_answer_reaches_the_threshold() -> None:
    at = Selection(two_classes([0.6, 0.7], [True, True])).at(0.99, Resamples(2))
    assert (at["coverage"]["value"], at["precision"]) == (0.0, None)


def test_of_aspects_only_the_mentions_that_are_given_count() -> None:
    found = reviews([{"speed": 1}, {"price": 3}], [{"speed": 1}, {"price": 1, "speed": 2}])
    assert Selection(found).at(0.5, Resamples(2))["precision"]["value"] == round(1 / 3, 4)


def test_aspects_without_a_mention_have_an_empty_curve() -> None:
    assert Selection(reviews([{"speed": 1}], [{}])).curve() == []


def test_certain_answers_fill_one_bin() -> None:
    assert len(reliability(certain([0, 1, 2], 3), np.array([0, 1, 2]))) == 1
