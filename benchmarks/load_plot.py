"""Draws the curves of the load benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Point(Protocol):
    """What is drawn of a step."""

    @property
    def offered(self) -> float: ...
    @property
    def accepted(self) -> float: ...
    @property
    def p50_ms(self) -> float: ...
    @property
    def p99_ms(self) -> float: ...


def plot(curves: Mapping[str, Sequence[Point]], file: Path) -> None:
    """Answers a second and their times against what is asked, a column for each kind of load."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(curves), 6), layout="constrained")
    axes = figure.subplots(2, len(curves), squeeze=False, sharex="col")
    for column, (name, steps) in enumerate(curves.items()):
        ordered = sorted(steps, key=lambda step: step.offered)
        offered = [step.offered for step in ordered]
        upper, lower = axes[0][column], axes[1][column]
        upper.plot(offered, [step.accepted for step in ordered], marker="o", label="answered")
        upper.plot(offered, offered, linestyle=":", color="grey", label="asked")
        upper.set(title=name, ylabel="requests/s" if column == 0 else "", ylim=(0, None))
        for share, times in (("p50", [step.p50_ms for step in ordered]), ("p99", [step.p99_ms for step in ordered])):
            lower.plot(offered, times, marker="o", label=share)
        lower.set(xlabel="asked, requests/s", ylabel="ms" if column == 0 else "", yscale="log")
        upper.legend()
        lower.legend()
    figure.savefig(file, dpi=110)
