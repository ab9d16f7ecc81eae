"""A picture of recall against time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

TARGET = 0.97


def plot(points: Mapping[str, Sequence[tuple[float, float]]], file: Path) -> None:
    """Draw (p50 in ms, recall@10) of each method, its settings joined, into a PNG."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, rows in points.items():
        axes.plot(*zip(*rows, strict=True), marker="o", label=name)
    axes.axhline(TARGET, color="grey", linestyle=":", label=f"{TARGET} wanted")
    axes.set(xscale="log", xlabel="p50 of one query, ms (log)", ylabel="recall@10 against exact float32")
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=120)
