import numpy as np
import pytest

from tests.training.report.sets import certain, scored, tickets
from training.report.comparison import comparison


def test_the_lead_is_the_difference_of_the_measures() -> None:
    truth = np.arange(40) % 4
    found = comparison(scored(truth, certain(truth, 4)), {"always fault": certain([0] * 40, 4)})["always fault"]
    assert (found["macro_f1"]["value"], found["accuracy"]["value"], found["lead"]["value"]) == (0.1, 0.25, 0.9)


def test_a_method_that_answers_as_the_model_does_leaves_no_doubt_about_the_lead() -> None:
    found = tickets(60)
    assert comparison(found, {"same": found.probabilities})["same"]["lead"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_probabilities_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        comparison(tickets(8), {"short": certain([0] * 7, 4)})
