import numpy as np

from tests.training.report.sets import certain, reviews, scored, tickets
from training.report.slices import fault_or_request, slice_figures

FAULT, REQUEST, QUESTION = 0, 1, 2


def test_each_value_of_a_slice_has_its_own_figures() -> None:
    slices = [{"language": "zh"}] * 20 + [{"language": "en"}] * 30
    found = scored([0] * 50, certain([0] * 20 + [1] * 15 + [0] * 15, 4), slices=slices)
    parts = slice_figures(found)["language"]
    assert {value: (part["texts"], part["accuracy"]["value"]) for value, part in parts.items()} == {
        "en": (30, 0.5),
        "zh": (20, 1.0),
    }


def test_slices_of_few_texts_are_left_out() -> None:
    slices = [{"language": "zh"}] * 40 + [{"language": "en"}] * 19
    assert list(slice_figures(scored([0] * 59, certain([0] * 59, 4), slices=slices))["language"]) == ["zh"]


def test_texts_that_lack_a_field_are_not_a_slice_of_it() -> None:
    slices = [{"language": "zh"}] * 20 + [{}] * 30
    parts = slice_figures(scored([0] * 50, certain([0] * 50, 4), slices=slices))
    assert {value: part["texts"] for value, part in parts["language"].items()} == {"zh": 20}


def test_products_are_shown_while_they_are_few() -> None:
    slices = [{"product": f"p{number % 30}"} for number in range(600)]
    assert len(slice_figures(scored([0] * 600, certain([0] * 600, 4), slices=slices))["product"]) == 30


def test_products_are_left_out_when_they_are_many() -> None:
    slices = [{"product": f"p{number % 31}"} for number in range(620)]
    assert slice_figures(scored([0] * 620, certain([0] * 620, 4), slices=slices)) == {}


def test_slices_of_aspects_have_micro_f1() -> None:
    found = reviews([{"speed": 1}] * 20, [{"speed": 1}] * 20)
    marked = scored(found.truth, found.probabilities, task="aspects", slices=[{"language": "zh"}] * 20)
    assert slice_figures(marked)["language"]["zh"]["micro_f1"]["value"] == 1.0


def test_fault_or_request_is_a_choice_between_the_two_columns() -> None:
    # Questions do not count, and an answer "question" is read as the more probable of the two.
    probabilities = np.array([[0.3, 0.1, 0.6, 0.0], [0.5, 0.4, 0.1, 0.0], [0.0, 0.0, 1.0, 0.0]], np.float32)
    parts = fault_or_request(scored([FAULT, REQUEST, QUESTION], probabilities))
    assert parts is not None
    assert (parts["all"]["texts"], parts["all"]["accuracy"]["value"]) == (2, 0.5)


def test_fault_or_request_is_shown_for_hard_and_for_plain_texts() -> None:
    parts = fault_or_request(tickets(100))
    assert parts is not None
    assert {name: part["texts"] for name, part in parts.items()} == {"all": 50, "hard": 25, "plain": 25}


def test_fault_or_request_needs_such_texts() -> None:
    assert fault_or_request(scored([QUESTION], certain([QUESTION], 4))) is None


def test_other_label_sets_have_no_fault_or_request() -> None:
    assert fault_or_request(scored([0], certain([0], 2), labels=("故障", "需求"))) is None
