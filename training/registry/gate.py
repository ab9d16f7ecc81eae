"""Whether a candidate may serve."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nlp_service.inference.release import Parts
from training.data.example import Task
from training.metrics import Figure
from training.registry.comparison import Comparison, TaskComparison

_ROUNDING = 1e-9
"""Differences of figures are not exact: 0.75 - 0.80 is a little less than -0.05."""


class GateConfig(BaseModel):
    """The table ``[gate]`` of a training configuration. Differences are candidate minus champion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    main: tuple[Task | Literal["search"], ...] = ()
    """The tasks that the candidate is trained for, of several; all of them when none is named."""
    margin: float = Field(default=0.0, ge=-1, le=1)
    """Least difference in F1 of a main task."""
    other_margin: float = Field(default=-0.01, ge=-1, le=1)
    """Least difference in F1 of any other task."""
    slice_loss: float = Field(default=0.05, ge=0, le=1)
    """Most that F1 may fall on any slice; a fall counts if its 95 % interval is below zero: few texts say little."""
    ece: float = Field(default=0.05, ge=0, le=1)
    """Most expected calibration error."""
    slower: float = Field(default=1.10, gt=0)
    """Most seconds for the same texts, as a multiple of the champion's."""


@dataclass(frozen=True)
class Refusal:
    """One reason why a candidate may not serve."""

    rule: Literal["outdated", "labels", "difference", "slice", "ece", "slower"]
    sentence: str
    """Chinese · English: what failed, both values, and by how much it misses the bound."""

    def __str__(self) -> str:
        return self.sentence


def decide(
    comparison: Comparison, config: GateConfig, serving: Parts, accept_new_labels: bool = False
) -> list[Refusal]:
    """Every reason to refuse the candidate; none when it may serve.

    `serving` is what serves now. With other labels than the champion's, which `accept_new_labels` allows, only
    calibration and speed can be judged.
    """
    main = set(config.main) & comparison.tasks.keys() or comparison.tasks.keys()
    return [
        *_outdated(comparison, serving),
        *(
            refusal
            for name, task in comparison.tasks.items()
            for refusal in (
                *_labels(name, task, accept_new_labels),
                *_difference(name, task, config.margin if name in main else config.other_margin),
                *_slices(name, task, config.slice_loss),
                *_calibration(name, task, config.ece),
                *_speed(name, task, config.slower),
            )
        ),
    ]


def _outdated(comparison: Comparison, serving: Parts) -> Iterator[Refusal]:
    for part in comparison.tasks:
        then, now = comparison.champion.get(part, "–"), serving.get(part, "–")
        if then != now:
            yield Refusal(
                "outdated",
                f"{part}: 比较的对象是 {then},现在服务的是 {now},请重新评估 · compared with {then}, "
                f"but {now} serves now: run evaluate again",
            )


def _labels(name: str, task: TaskComparison, accepted: bool) -> Iterator[Refusal]:
    if not task.same_labels and not accepted:
        new, old = ", ".join(task.labels), ", ".join(task.champion_labels)
        many = len(set(task.labels) ^ set(task.champion_labels))
        yield Refusal(
            "labels",
            f"{name}: 标签集不同({many} 个标签):候选 {new};现用 {old};需明确接受新标签 · the label sets differ by "
            f"{many}: the candidate has {new}, the champion {old}; new labels must be accepted explicitly",
        )


def _difference(name: str, task: TaskComparison, margin: float) -> Iterator[Refusal]:
    if task.difference is None or task.difference.value >= margin - _ROUNDING:
        return
    value = task.difference.value
    yield Refusal(
        "difference",
        f"{name}: {task.metric} {task.candidate:.4f},现用 {task.champion:.4f},差 {value:+.4f},低于下限 {margin:+.4f} "
        f"达 {margin - value:.4f} · {task.metric} is {task.candidate:.4f}, the champion's {task.champion:.4f}: "
        f"{value:+.4f} is {margin - value:.4f} below the least of {margin:+.4f}",
    )


def _slices(name: str, task: TaskComparison, most: float) -> Iterator[Refusal]:
    for key, values in task.slices.items():
        for value, part in values.items():
            if part.difference is None or not _falls(part.difference, most):
                continue
            loss = -part.difference.value
            yield Refusal(
                "slice",
                f"{name}, {key} = {value} ({part.texts}): {task.metric} {part.candidate:.4f},现用 {part.champion:.4f},"
                f"下降 {loss:.4f},超过上限 {most:.4f} 达 {loss - most:.4f} · {task.metric} on {part.texts} texts is "
                f"{part.candidate:.4f}, the champion's {part.champion:.4f}: the loss of {loss:.4f} is "
                f"{loss - most:.4f} above the most of {most:.4f}",
            )


def _falls(difference: Figure, most: float) -> bool:
    """Whether the fall is larger than `most`, and more than the chance of which texts the slice holds."""
    return -difference.value > most + _ROUNDING and difference.high < 0


def _calibration(name: str, task: TaskComparison, most: float) -> Iterator[Refusal]:
    if task.ece is not None and task.ece > most + _ROUNDING:
        yield Refusal(
            "ece",
            f"{name}: 校准误差 {task.ece:.4f},上限 {most:.4f},超出 {task.ece - most:.4f} · the calibration error is "
            f"{task.ece:.4f}, {task.ece - most:.4f} above the most of {most:.4f}",
        )


def _speed(name: str, task: TaskComparison, most: float) -> Iterator[Refusal]:
    if task.slower > most + _ROUNDING:
        yield Refusal(
            "slower",
            f"{name}: 用时为现用的 {task.slower:.2f} 倍,上限 {most:.2f} 倍,超出 {task.slower - most:.2f} · takes "
            f"{task.slower:.2f} times the champion's time, {task.slower - most:.2f} above the most of {most:.2f}",
        )
