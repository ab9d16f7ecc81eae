from typing import Any

import pytest

from training.metrics import Figure
from training.registry.comparison import Comparison, SliceComparison, TaskComparison
from training.registry.gate import GateConfig, Refusal, decide

SERVING = {"classify": "heads/classify-1", "severity": "heads/severity-1"}


def task(**changes: Any) -> TaskComparison:
    """A task on which the candidate is as good as the champion, with some fields changed."""
    fields: dict[str, Any] = {
        "metric": "macro-F1",
        "labels": ("a", "b"),
        "champion_labels": ("a", "b"),
        "texts": 500,
        "candidate": 0.8,
        "champion": 0.8,
        "difference": Figure(0.0, -0.01, 0.01),
        "ece": 0.05,
        "slices": {},
        "slower": 1.10,
    }
    return TaskComparison(**{**fields, **changes})


def differing(difference: float) -> TaskComparison:
    return task(candidate=0.8 + difference, difference=Figure(difference, difference, difference))


def sliced(candidate: float, width: float = 0.0) -> TaskComparison:
    difference = Figure(candidate - 0.8, candidate - 0.8 - width, candidate - 0.8 + width)
    part = SliceComparison(texts=40, candidate=candidate, champion=0.8, difference=difference)
    return task(slices={"channel": {"chat": part}})


def new_labels(**changes: Any) -> TaskComparison:
    return task(champion_labels=("a", "b", "c"), champion=None, difference=None, **changes)


def decided(config: GateConfig | None = None, *, accept: bool = False, **tasks: TaskComparison) -> list[Refusal]:
    return decide(Comparison(champion=SERVING, tasks=tasks), config or GateConfig(), SERVING, accept)


def the_refusal(rule: str, refusals: list[Refusal]) -> str:
    assert [refusal.rule for refusal in refusals] == [rule]
    return refusals[0].sentence


def test_a_candidate_that_is_just_as_good_and_just_within_the_bounds_passes() -> None:
    assert decided(classify=task()) == []


def test_a_lower_figure_is_refused_with_both_values_and_what_is_missing() -> None:
    sentence = the_refusal("difference", decided(classify=differing(-0.0123)))
    for told in ("classify", "macro-F1 is 0.7877", "the champion's 0.8000", "0.0123 below the least of +0.0000"):
        assert told in sentence


def test_a_margin_is_part_of_what_is_missing() -> None:
    sentence = the_refusal("difference", decided(GateConfig(margin=0.01), classify=differing(0.004)))
    assert "0.0060 below the least of +0.0100" in sentence


def test_sentences_are_in_chinese_too() -> None:
    assert "低于下限 +0.0000 达 0.0123 · " in the_refusal("difference", decided(classify=differing(-0.0123)))


def test_other_tasks_than_the_main_ones_may_lose_a_little() -> None:
    config = GateConfig(main=("classify",))
    assert decided(config, classify=task(), severity=differing(-0.01)) == []


def test_other_tasks_than_the_main_ones_may_not_lose_more() -> None:
    config = GateConfig(main=("classify",))
    sentence = the_refusal("difference", decided(config, classify=task(), severity=differing(-0.03)))
    assert "severity" in sentence
    assert "0.0200 below the least of -0.0100" in sentence


def test_the_main_tasks_have_the_margin_also_beside_others() -> None:
    config = GateConfig(main=("classify",))
    assert "classify" in the_refusal("difference", decided(config, classify=differing(-0.005), severity=task()))


def test_every_task_is_a_main_one_when_none_is_named() -> None:
    refusals = decided(classify=differing(-0.005), severity=differing(-0.005))
    assert [refusal.rule for refusal in refusals] == ["difference", "difference"]


def test_the_only_task_of_a_candidate_is_its_main_one() -> None:
    assert the_refusal("difference", decided(GateConfig(main=("classify",)), severity=differing(-0.005)))


def test_a_loss_on_a_slice_up_to_the_bound_passes() -> None:
    assert decided(classify=sliced(0.75)) == []


def test_a_loss_on_a_slice_is_refused_with_both_values_and_the_excess() -> None:
    sentence = the_refusal("slice", decided(classify=sliced(0.72)))
    for told in ("channel = chat", "0.7200", "0.8000", "the loss of 0.0800 is 0.0300 above the most of 0.0500"):
        assert told in sentence


def test_a_fall_on_few_texts_that_may_be_chance_passes() -> None:
    assert decided(classify=sliced(0.72, width=0.09)) == []


def test_a_fall_that_is_more_than_chance_is_refused() -> None:
    the_refusal("slice", decided(classify=sliced(0.72, width=0.07)))


def test_a_calibration_error_is_refused_with_the_excess() -> None:
    sentence = the_refusal("ece", decided(classify=task(ece=0.0712)))
    assert "the calibration error is 0.0712, 0.0212 above the most of 0.0500" in sentence


def test_what_gives_no_probabilities_has_no_calibration_error_to_be_refused_for() -> None:
    assert decided(search=task(metric="MRR@10", labels=(), champion_labels=(), ece=None)) == []


def test_a_slower_candidate_is_refused_with_the_excess() -> None:
    sentence = the_refusal("slower", decided(classify=task(slower=1.5)))
    assert "takes 1.50 times the champion's time, 0.40 above the most of 1.10" in sentence


def test_another_champion_than_was_compared_with_is_refused() -> None:
    comparison = Comparison(champion=SERVING, tasks={"classify": task()})
    refusals = decide(comparison, GateConfig(), {**SERVING, "classify": "heads/classify-2"})
    sentence = the_refusal("outdated", refusals)
    for told in ("heads/classify-1", "heads/classify-2", "run evaluate again"):
        assert told in sentence


def test_a_change_of_a_part_that_was_not_compared_does_not_matter() -> None:
    comparison = Comparison(champion=SERVING, tasks={"classify": task()})
    assert decide(comparison, GateConfig(), {**SERVING, "severity": "heads/severity-2"}) == []


def test_other_labels_are_refused_with_both_label_sets() -> None:
    sentence = the_refusal("labels", decided(classify=new_labels()))
    assert "the label sets differ by 1: the candidate has a, b, the champion a, b, c" in sentence


def test_accepted_labels_pass_without_figures_of_the_champion() -> None:
    assert decided(classify=new_labels(), accept=True) == []


@pytest.mark.parametrize(("rule", "change"), [("ece", {"ece": 0.2}), ("slower", {"slower": 2.0})])
def test_accepted_labels_do_not_excuse_calibration_and_speed(rule: str, change: dict[str, float]) -> None:
    assert the_refusal(rule, decided(classify=new_labels(**change), accept=True))


def test_every_reason_is_told_at_once() -> None:
    bad = task(candidate=0.7, difference=Figure(-0.1, -0.1, -0.1), ece=0.3, slower=3.0)
    assert [refusal.rule for refusal in decided(classify=bad)] == ["difference", "ece", "slower"]


def test_a_figure_that_is_no_number_does_not_pass() -> None:
    nothing = float("nan")
    assert the_refusal("difference", decided(classify=task(difference=Figure(nothing, nothing, nothing))))
