import numpy as np
import pytest
from numpy.typing import NDArray

from training.metrics import (
    Figure,
    Measure,
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    macro_f1,
    slice_rows,
)

Classes = NDArray[np.int64]


def answers(*classes: int, width: int = 3) -> NDArray[np.float32]:
    """Probabilities that are certain of `classes`."""
    return np.eye(width, dtype=np.float32)[list(classes)]


def truth(*classes: int) -> Classes:
    return np.array(classes, dtype=np.int64)


def noisy(texts: int) -> tuple[NDArray[np.float32], Classes]:
    """Answers of which four in five are right."""
    generator = np.random.default_rng(1)
    classes = generator.integers(0, 3, texts)
    given = np.where(np.arange(texts) % 5 == 0, (classes + 1) % 3, classes)
    return answers(*given), classes.astype(np.int64)


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert accuracy(answers(0, 1, 2, 0), truth(0, 1, 2, 2)) == 0.75


def test_macro_f1_is_the_mean_over_the_classes() -> None:
    # Class 0: precision 1/2, recall 1, F1 2/3. Class 1: F1 1. Class 2: precision 1, recall 1/2, F1 2/3.
    assert macro_f1(answers(0, 1, 2, 0), truth(0, 1, 2, 2)) == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_macro_f1_of_a_class_that_is_never_answered_is_zero() -> None:
    # Class 0: precision 2/3, recall 1, F1 4/5. Class 1: F1 0.
    assert macro_f1(answers(0, 0, 0), truth(0, 0, 1)) == pytest.approx(0.4)


def test_macro_f1_leaves_out_classes_that_do_not_occur() -> None:
    assert macro_f1(answers(0, 1), truth(0, 1)) == 1.0


def test_calibration_error_is_the_gap_of_each_bin_by_its_size() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.3, 0.7]], dtype=np.float32)
    # Bin of 0.9: three texts, two right, gap 0.9 − 2/3. Bin of 0.7: one text, right, gap 0.3.
    expected = 3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.3
    assert expected_calibration_error(probabilities, truth(0, 0, 1, 1)) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_averages_within_a_bin_before_it_compares() -> None:
    probabilities = np.array([[0.81, 0.19], [0.85, 0.15]], dtype=np.float32)  # one bin, 12/15 … 13/15
    assert expected_calibration_error(probabilities, truth(0, 1)) == pytest.approx(0.83 - 0.5, abs=1e-6)


def test_answers_that_are_certain_and_right_have_no_calibration_error() -> None:
    assert expected_calibration_error(answers(0, 1, 2), truth(0, 1, 2)) == 0.0


def test_answers_that_are_certain_and_wrong_have_the_largest_calibration_error() -> None:
    assert expected_calibration_error(answers(1, 2, 0), truth(0, 1, 2)) == 1.0


@pytest.mark.parametrize("measure", [accuracy, macro_f1])
def test_the_bootstrap_interval_contains_the_value(measure: Measure) -> None:
    figure = bootstrap(measure, *noisy(100))
    assert figure.low < figure.value < figure.high


def test_the_bootstrap_value_is_that_of_all_texts() -> None:
    assert bootstrap(accuracy, *noisy(100)).value == pytest.approx(0.8)


def test_the_bootstrap_interval_of_a_share_is_about_two_standard_errors_either_way() -> None:
    figure = bootstrap(accuracy, *noisy(400))
    standard_error = (0.8 * 0.2 / 400) ** 0.5
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * standard_error, rel=0.15)


def test_the_bootstrap_interval_narrows_with_more_texts() -> None:
    few, many = bootstrap(accuracy, *noisy(50)), bootstrap(accuracy, *noisy(800))
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    assert bootstrap(accuracy, *noisy(50), seed=4) == bootstrap(accuracy, *noisy(50), seed=4)


def test_confusion_counts_by_truth_and_answer() -> None:
    assert confusion(answers(0, 1, 1, 2), truth(0, 0, 0, 2), 3) == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_slice_rows_are_the_places_of_each_value() -> None:
    rows = slice_rows(["zh", "en", "zh"])
    assert {value: places.tolist() for value, places in rows.items()} == {"zh": [0, 2], "en": [1]}


def test_a_figure_is_rounded_for_files() -> None:
    assert Figure(0.123456, 0.1, 0.98765).as_dict() == {"value": 0.1235, "low": 0.1, "high": 0.9877}


def test_a_figure_is_shown_with_its_interval() -> None:
    assert str(Figure(0.8, 0.75, 0.85)) == "0.800 [0.750, 0.850]"
