from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.example import Example
from training.metrics import BOOTSTRAP_SAMPLES, aspect_f1, expected_calibration_error, macro_f1
from training.registry.comparison import (
    Answers,
    Comparison,
    TaskComparison,
    compare,
    paired_difference,
    read_comparison,
    write_comparison,
)
from training.registry.errors import RegistryError

KINDS = ("fault", "question", "other")
POLARITIES = ("absent", "negative", "positive")
Probabilities = NDArray[np.float32]
Classes = NDArray[np.int64]


def certain(classes: Classes, width: int = 3) -> Probabilities:
    return np.eye(width, dtype=np.float32)[classes]


def wrong_at(truth: Classes, rows: Sequence[int] | slice) -> Classes:
    answers = truth.copy()
    answers[rows] = (answers[rows] + 1) % 3
    return answers


def examples(count: int, **slices: Sequence[str]) -> list[Example]:
    return [
        Example(
            str(number), f"text {number}", "tickets", slices={key: values[number] for key, values in slices.items()}
        )
        for number in range(count)
    ]


TRUTH = np.arange(120, dtype=np.int64) % 3
RIGHT = certain(TRUTH)
WRONG = wrong_at(TRUTH, slice(0, 30))
SOME_WRONG = certain(WRONG)


def compared(
    some: Sequence[Example], candidate: Probabilities = RIGHT, champion: Probabilities = SOME_WRONG
) -> TaskComparison:
    return compare("classify", some, TRUTH, Answers(KINDS, candidate), Answers(KINDS, champion), slower=1.02)


def test_the_figures_are_macro_f1_and_their_difference() -> None:
    result = compared(examples(120))
    assert result.difference is not None
    expected = (1.0, macro_f1(SOME_WRONG, TRUTH), 1.0 - macro_f1(SOME_WRONG, TRUTH))
    assert (result.candidate, result.champion, result.difference.value) == expected


def test_the_interval_is_that_of_texts_drawn_for_both_at_once() -> None:
    generator = np.random.default_rng(0)
    naive = []
    other = wrong_at(TRUTH, slice(20, 60))
    for _ in range(BOOTSTRAP_SAMPLES):
        rows = generator.integers(0, len(TRUTH), len(TRUTH))
        naive.append(macro_f1(certain(other[rows]), TRUTH[rows]) - macro_f1(SOME_WRONG[rows], TRUTH[rows]))
    figure = paired_difference("classify", other, WRONG, TRUTH)
    assert (figure.low, figure.high) == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=1e-5)


def test_what_is_hard_for_both_does_not_widen_the_interval() -> None:
    figure = paired_difference("classify", WRONG, WRONG, TRUTH)
    assert (figure.low, figure.value, figure.high) == (0.0, 0.0, 0.0)


def test_aspects_are_compared_by_micro_f1_of_the_mentions() -> None:
    truth = np.stack([TRUTH, np.zeros_like(TRUTH)], axis=1)
    champion = wrong_at(truth, slice(0, 30))
    answers = Answers(POLARITIES, certain(truth)), Answers(POLARITIES, certain(champion))
    result = compare("aspects", examples(120), truth, *answers, slower=1.0)
    assert (result.metric, result.candidate, result.champion) == ("micro-F1", 1.0, aspect_f1(champion, truth))


def test_the_interval_of_aspects_is_that_of_their_micro_f1() -> None:
    truth = np.stack([TRUTH, np.zeros_like(TRUTH)], axis=1)
    mine, theirs = wrong_at(truth, slice(100, 110)), wrong_at(truth, slice(0, 30))
    generator = np.random.default_rng(0)
    naive = []
    for _ in range(BOOTSTRAP_SAMPLES):
        rows = generator.integers(0, len(truth), len(truth))
        naive.append(aspect_f1(mine[rows], truth[rows]) - aspect_f1(theirs[rows], truth[rows]))
    figure = paired_difference("aspects", mine, theirs, truth)
    assert (figure.low, figure.high) == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=1e-5)


def test_an_aspect_is_spoken_of_from_the_threshold_of_its_own_model_on() -> None:
    truth = np.ones((40, 1), np.int64)
    unsure = np.tile(np.array([0.6, 0.3, 0.1], np.float32), (40, 1, 1))
    bold, shy = Answers(POLARITIES, unsure, presence=0.3), Answers(POLARITIES, unsure, presence=0.5)
    result = compare("aspects", examples(40), truth, bold, shy, slower=1.0)
    assert (result.candidate, result.champion) == (1.0, 0.0)


def test_the_calibration_error_is_the_candidates() -> None:
    hesitant = RIGHT * np.float32(0.7) + np.float32(0.1)
    assert compared(examples(120), hesitant).ece == expected_calibration_error(hesitant, TRUTH)


def test_each_slice_has_both_figures_and_their_difference() -> None:
    channels = ["chat"] * 60 + ["email"] * 60
    part = compared(examples(120, channel=channels)).slices["channel"]["chat"]
    champion = macro_f1(SOME_WRONG[:60], TRUTH[:60])
    assert (part.texts, part.candidate, part.champion) == (60, 1.0, champion)
    assert part.difference is not None
    assert part.difference.low <= part.difference.value == 1.0 - champion <= part.difference.high


def test_a_slice_of_fewer_than_thirty_texts_is_left_out() -> None:
    channels = ["chat"] * 91 + ["email"] * 29
    assert compared(examples(120, channel=channels)).slices["channel"].keys() == {"chat"}


def test_texts_that_lack_a_slice_are_in_none_of_its_values() -> None:
    some = [*examples(60, channel=["chat"] * 60), *examples(60)]
    assert {value: part.texts for value, part in compared(some).slices["channel"].items()} == {"chat": 60}


@pytest.mark.parametrize(("products", "told"), [(30, True), (31, False)])
def test_products_are_a_slice_unless_there_are_over_thirty(products: int, told: bool) -> None:
    names = [f"p{max(number - 90, 0) % products}" for number in range(120)]
    names[-(products - 1) :] = [f"p{number}" for number in range(1, products)]
    assert len(set(names)) == products
    assert ("product" in compared(examples(120, product=names)).slices) is told


def test_labels_in_another_order_are_the_same_labels() -> None:
    champion = Answers(KINDS[::-1], SOME_WRONG[:, ::-1])
    turned = compare("classify", examples(120), TRUTH, Answers(KINDS, RIGHT), champion, slower=1.0)
    assert turned.champion == macro_f1(SOME_WRONG, TRUTH)


def test_other_labels_leave_no_figures_of_the_champion() -> None:
    result = compare(
        "classify",
        examples(120, channel=["chat"] * 120),
        TRUTH,
        Answers(KINDS, RIGHT),
        Answers(("fault", "other"), np.full((120, 2), 0.5, dtype=np.float32)),
        slower=1.0,
    )
    part = result.slices["channel"]["chat"]
    assert (result.same_labels, result.champion, result.difference, part.champion) == (False, None, None, None)


def test_without_a_champion_there_are_only_the_figures_of_the_candidate() -> None:
    result = compare("classify", examples(120), TRUTH, Answers(KINDS, SOME_WRONG), None, slower=1.0)
    assert (result.candidate, result.champion, result.same_labels) == (macro_f1(SOME_WRONG, TRUTH), None, False)


def test_a_comparison_is_read_as_it_was_written(tmp_path: Path) -> None:
    comparison = Comparison(
        champion={"classify": "heads/classify-1"}, tasks={"classify": compared(examples(120, channel=["chat"] * 120))}
    )
    write_comparison(tmp_path / "comparison.json", comparison)
    assert read_comparison(tmp_path / "comparison.json") == comparison


def test_a_missing_comparison_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="run evaluate"):
        read_comparison(tmp_path / "comparison.json")


def test_a_broken_comparison_names_the_field(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text('{"champion": {"classify": 3}, "tasks": {}}', "utf-8")
    with pytest.raises(RegistryError, match=r"champion\.classify"):
        read_comparison(tmp_path / "comparison.json")


def test_a_comparison_without_the_champions_figures_is_refused_when_the_labels_are_equal(tmp_path: Path) -> None:
    comparison = Comparison(champion={}, tasks={"classify": compared(examples(120))})
    broken = comparison.model_dump_json().replace(
        f'"champion":{comparison.tasks["classify"].champion}', '"champion":null'
    )
    (tmp_path / "comparison.json").write_text(broken, "utf-8")
    with pytest.raises(RegistryError, match="equal label sets"):
        read_comparison(tmp_path / "comparison.json")
