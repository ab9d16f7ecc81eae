import numpy as np
import pytest

from training import metrics
from training.report.measures import ClassTotals
from training.report.resampling import Resamples, figure, ratio, rounded

TEXTS = 120
GENERATOR = np.random.default_rng(8)
PROBABILITIES = GENERATOR.dirichlet(np.ones(4), TEXTS).astype(np.float32)
TRUTH = GENERATOR.integers(0, 4, TEXTS)


def test_the_first_row_counts_every_text_once() -> None:
    assert Resamples(7).totals(np.ones(7))[0] == 7


def test_every_sample_draws_as_many_texts_as_there_are() -> None:
    assert set(Resamples(7).totals(np.ones(7)).tolist()) == {7.0}


def test_totals_keep_the_shape_of_what_is_counted() -> None:
    assert Resamples(5).totals(np.ones((5, 3, 2))).shape == (1001, 3, 2)


@pytest.mark.parametrize("measure", ["accuracy", "macro_f1"])
def test_value_and_interval_are_those_of_the_plain_bootstrap(measure: str) -> None:
    totals = ClassTotals.of(PROBABILITIES.argmax(axis=1), TRUTH, 4, Resamples(TEXTS))
    expected = metrics.bootstrap(getattr(metrics, measure), PROBABILITIES, TRUTH)
    found = figure(getattr(totals, measure))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_a_ratio_without_a_denominator_is_undefined() -> None:
    assert np.isnan(ratio(np.array([0.0, 1.0]), np.array([0.0, 2.0]))).tolist() == [True, False]


def test_samples_that_do_not_define_a_figure_are_left_out_of_its_interval() -> None:
    found = figure(np.array([0.5, np.nan, 0.4, 0.6]))
    assert found is not None
    assert 0.4 <= found.low < found.high <= 0.6


def test_a_figure_that_the_texts_do_not_define_is_none() -> None:
    assert rounded(np.array([np.nan, 0.5])) is None


def test_the_interval_of_one_text_is_its_value() -> None:
    found = figure(ratio(Resamples(1).totals(np.ones(1)), Resamples(1).totals(np.ones(1))))
    assert found is not None
    assert (found.low, found.high) == (1.0, 1.0)
