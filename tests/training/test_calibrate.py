import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.head import softmax
from training.calibrate import MIN_ANSWERED, fit_temperature, presence_threshold, review_threshold

Logits = NDArray[np.float32]
Classes = NDArray[np.int64]


@pytest.fixture(scope="module")
def calibrated() -> tuple[Logits, Classes]:
    """Logits whose softmax is the distribution that the classes are drawn from."""
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2, (20_000, 4)).astype(np.float32)
    shares = np.cumsum(softmax(logits), axis=1)
    truth = (generator.random((len(logits), 1)) > shares).sum(axis=1).clip(max=3)
    return logits, truth.astype(np.int64)


def two_classes(confidences: list[float], right: list[bool]) -> tuple[NDArray[np.float32], Classes]:
    """Probabilities that always answer class 0, and a truth that agrees where `right` says so."""
    first = np.array(confidences, dtype=np.float32)
    return np.stack([first, 1 - first], axis=1), np.where(right, 0, 1).astype(np.int64)


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0, 10.0])
def test_the_factor_that_calibrated_logits_were_scaled_by_is_recovered(
    factor: float, calibrated: tuple[Logits, Classes]
) -> None:
    logits, truth = calibrated
    assert fit_temperature(logits * np.float32(factor), truth) == pytest.approx(factor, rel=0.03)


def test_the_temperature_lowers_the_loss_of_overconfident_logits(calibrated: tuple[Logits, Classes]) -> None:
    logits, truth = calibrated[0] * np.float32(3), calibrated[1]

    def loss(temperature: float) -> float:
        chosen = softmax(logits / np.float32(temperature))[np.arange(len(truth)), truth]
        return -float(np.log(chosen).mean())

    assert loss(fit_temperature(logits, truth)) < loss(1.0)


def test_logits_that_are_always_right_get_a_finite_temperature() -> None:
    logits = np.tile(np.array([[5.0, 0.0]], dtype=np.float32), (60, 1))
    assert 0 < fit_temperature(logits, np.zeros(60, dtype=np.int64)) < 1


def test_the_answers_from_the_threshold_on_reach_the_precision() -> None:
    generator = np.random.default_rng(5)
    confidences = generator.uniform(0.5, 1, 2000)
    probabilities, truth = two_classes(confidences.tolist(), (generator.random(2000) < confidences).tolist())
    threshold = review_threshold(probabilities, truth, 0.9)
    answered = probabilities.max(axis=1) >= threshold
    assert (truth[answered] == 0).mean() >= 0.9


def test_no_lower_threshold_reaches_the_precision() -> None:
    confidences = np.linspace(0.99, 0.51, 100)
    probabilities, truth = two_classes(confidences.tolist(), [number < 60 for number in range(100)])
    # 60 right answers and then 6 wrong ones are right in 60 of 66 cases, 0.909; a seventh gives 60 of 67, 0.896.
    assert review_threshold(probabilities, truth, 0.9) == pytest.approx(confidences[65], abs=1e-6)


def test_the_threshold_is_the_lowest_confidence_when_every_answer_is_right() -> None:
    probabilities, truth = two_classes(np.linspace(0.6, 0.9, 80).tolist(), [True] * 80)
    assert review_threshold(probabilities, truth, 0.97) == pytest.approx(0.6)


def test_everything_is_reviewed_when_no_threshold_reaches_the_precision() -> None:
    probabilities, truth = two_classes(np.linspace(0.6, 0.9, 80).tolist(), [False] * 80)
    assert review_threshold(probabilities, truth, 0.97) == 1.0


def test_a_threshold_with_fewer_than_fifty_answers_above_it_is_not_trusted() -> None:
    confidences = np.linspace(0.99, 0.51, 2 * MIN_ANSWERED).tolist()
    probabilities, truth = two_classes(confidences, [number < MIN_ANSWERED - 1 for number in range(2 * MIN_ANSWERED)])
    assert review_threshold(probabilities, truth, 0.99) == 1.0


def test_answers_of_equal_confidence_stand_on_the_same_side_of_the_threshold() -> None:
    probabilities, truth = two_classes([0.9] * 120, [number < 60 for number in range(120)])
    # All or none of them can be answered, and half of them are wrong.
    assert review_threshold(probabilities, truth, 0.97) == 1.0


def test_the_presence_threshold_parts_aspects_that_are_spoken_of_from_the_others() -> None:
    present = np.array([[0.9, 0.31], [0.29, 0.1], [0.35, 0.05]], dtype=np.float32)
    assert presence_threshold(present, present > 0.3) == pytest.approx(0.3, abs=0.011)


def test_the_presence_threshold_gives_the_best_f1_of_its_range() -> None:
    generator = np.random.default_rng(6)
    present = generator.random((400, 8)).astype(np.float32)
    truth = generator.random((400, 8)) < present**2

    def f1(threshold: float) -> float:
        said = present >= threshold
        true_positives = float((said & truth).sum())
        precision, recall = true_positives / float(said.sum()), true_positives / float(truth.sum())
        return 2 * precision * recall / (precision + recall)

    assert f1(presence_threshold(present, truth)) == pytest.approx(max(map(f1, np.arange(0.2, 0.81, 0.02))))


def test_of_equally_good_presence_thresholds_the_lowest_is_taken() -> None:
    assert presence_threshold(np.full((5, 8), 0.9, dtype=np.float32), np.full((5, 8), True)) == 0.2


def test_the_highest_presence_threshold_is_four_fifths() -> None:
    present = np.array([[0.85, 0.79]], dtype=np.float32)
    assert presence_threshold(present, np.array([[True, False]])) == 0.8
