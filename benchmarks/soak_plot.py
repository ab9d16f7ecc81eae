"""Draws memory and times of the soak benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Point(Protocol):
    """What is drawn of a sample."""

    @property
    def requests(self) -> int: ...
    @property
    def rss(self) -> float: ...
    @property
    def anonymous(self) -> float: ...
    @property
    def p50_ms(self) -> float: ...
    @property
    def p99_ms(self) -> float: ...


def plot(samples: Sequence[Point], file: Path) -> None:
    """Memory, and below it the times of answers, against the requests so far."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    requests = [sample.requests for sample in samples]
    upper.plot(requests, [sample.rss for sample in samples], marker="o", label="resident")
    upper.plot(requests, [sample.anonymous for sample in samples], marker="o", label="anonymous")
    upper.set(ylabel="MB", ylim=(0, None))
    lower.plot(requests, [sample.p50_ms for sample in samples], marker="o", label="p50")
    lower.plot(requests, [sample.p99_ms for sample in samples], marker="o", label="p99")
    lower.set(xlabel="requests", ylabel="ms", yscale="log")
    upper.legend()
    lower.legend()
    figure.savefig(file, dpi=110)
