"""Plots of the figures of one test set. Each writes one PNG; `key` names the set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from training.metrics import ECE_BINS, Figure
from training.report.drawing import (
    BAR_INCHES,
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    VERMILLION,
    Bar,
    canvas,
    draw_bars,
    percent,
    quiet,
    save,
)
from training.report.fonts import Names

MAX_WRITTEN = 12
"""Cells of larger confusion matrices are shown by colour alone."""
FIELD_GAP = 0.6
FEW_POINTS = 10
MEASURES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "f1": "F1", "mention_f1": "F1 of mentions"}


def confusion_matrix(table: Sequence[Sequence[int]], names: Names, key: str, file: Path) -> None:
    """Shares of the texts of each class by answer, with counts."""
    counts = np.array(table)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(max(4.6, 2.6 + 0.85 * len(counts)), 11.0)
    figure = canvas(size + 0.6, size, "Confusion matrix: share of each true class", key)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    edges = np.arange(1, len(counts)) - 0.5
    axes.hlines(edges, -0.5, len(counts) - 0.5, color="white", linewidth=2)
    axes.vlines(edges, -0.5, len(counts) - 0.5, color="white", linewidth=2)
    for row, column in np.ndindex(*counts.shape) if len(counts) <= MAX_WRITTEN else ():
        written = f"{shares[row, column]:.0%}\n{counts[row, column]:,}" if counts[row].sum() else "–"
        colour = "white" if shares[row, column] > 0.6 else INK
        axes.text(column, row, written, ha="center", va="center", fontsize=9, color=colour)
    places = range(len(counts))
    axes.set_xticks(places, labels=names.shown, fontproperties=names.font, fontsize=9, parse_math=False)
    axes.set_yticks(places, labels=names.shown, fontproperties=names.font, fontsize=9, parse_math=False)
    axes.tick_params(length=0, colors=INK)
    if max(map(len, names.shown)) > 10:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.spines[:].set_visible(False)
    axes.set_xlabel("answer", fontsize=9, color=INK)
    axes.set_ylabel("truth", fontsize=9, color=INK)
    save(figure, file)


def reliability_diagram(
    bins: Mapping[str, Sequence[Mapping[str, float]]], ece: Mapping[str, float], key: str, file: Path
) -> None:
    """Accuracy by confidence and the share of answers in each bin, before calibration and after."""
    figure = canvas(8.4, 4.9, "Reliability: how often answers of a confidence are right", key)
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 1))
    largest = max(point["share"] for name in bins for point in bins[name])
    titles = {"before": "before calibration", "after": "after calibration"}
    for column, (name, title) in enumerate(titles.items()):
        colour = (ORANGE, BLUE)[column]
        upper, lower = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        points = {part: [point[part] for point in bins[name]] for part in ("confidence", "accuracy", "share")}
        upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        upper.plot(points["confidence"], points["accuracy"], color=colour, linewidth=1.2)
        upper.scatter(points["confidence"], points["accuracy"], s=[14 + 130 * n for n in points["share"]], color=colour)
        upper.set_title(f"{title}: ECE {ece[name]:.3f}", fontsize=10, color=INK)
        upper.set_ylim(-0.03, 1.03)
        lower.bar(points["confidence"], points["share"], width=0.6 / ECE_BINS, color=colour)
        lower.set_ylim(0, 1.1 * largest)
        lower.set_xlabel("confidence", fontsize=9, color=INK)
        for axes in (upper, lower):
            axes.set_xlim(0, 1.02)
            percent(axes, "x")
            percent(axes, "y")
            quiet(axes, "both" if axes is upper else "y")
        if not column:
            upper.set_ylabel("right answers", fontsize=9, color=INK)
            lower.set_ylabel("share of answers", fontsize=9, color=INK)
    save(figure, file)


def risk_coverage(points: Sequence[Mapping[str, float]], review: Mapping[str, Any], key: str, file: Path) -> None:
    """Share of wrong answers when only the surest are given, with the review threshold."""
    figure = canvas(6.4, 4.0, "Risk and coverage: errors among the surest answers", key)
    axes = figure.add_subplot()
    coverage, risk = [point["coverage"] for point in points], [point["risk"] for point in points]
    axes.plot(coverage, risk, color=BLUE, linewidth=1.8, marker="." if len(points) < FEW_POINTS else "")
    _mark_threshold(axes, review)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, max(0.05, min(1.1 * max([*risk, 0.0]), 1.02)))
    axes.set_xlabel("share of answers given (coverage)", fontsize=9, color=INK)
    axes.set_ylabel("wrong among them (risk)", fontsize=9, color=INK)
    percent(axes, "x")
    percent(axes, "y")
    quiet(axes, "both")
    figure.legend(loc="outside lower right", frameon=False, fontsize=8.5, labelcolor=INK)
    save(figure, file)


def _mark_threshold(axes: Axes, review: Mapping[str, Any]) -> None:
    text, places, heights = f"threshold {review['threshold']:.3f}: no answer reaches it", [], []
    if review["precision"] is not None:
        coverage, precision = review["coverage"]["value"], review["precision"]["value"]
        text = f"threshold {review['threshold']:.3f}: {coverage:.1%} given, {precision:.1%} of them right"
        places, heights = [coverage], [1 - precision]
    axes.vlines(places, 0, heights, color=VERMILLION, linestyle=":", linewidth=1.4)
    axes.plot(places, heights, "o", color=VERMILLION, markersize=7, clip_on=False, label=text)


def class_bars(classes: Sequence[Mapping[str, Any]], measure: str, names: Names, key: str, file: Path) -> None:
    """F1 of each class, of aspects of their mentions."""
    bars = [Bar(_interval(found[measure])) for found in classes]
    figure = canvas(7.2, 1.5 + BAR_INCHES * len(bars), "F1 by class" if measure == "f1" else "F1 by aspect", key)
    draw_bars(figure.add_subplot(), bars, names, MEASURES[measure])
    save(figure, file)


def slice_bars(
    fields: Sequence[Sequence[Mapping[str, Any]]], measure: str, whole: float, names: Names, key: str, file: Path
) -> None:
    """The measure of each value of each field, with the number of texts; a dashed line at `whole`, that of all."""
    bars = [
        Bar(_interval(part[measure]), gap=0.0 if number else FIELD_GAP)
        for values in fields
        for number, part in enumerate(values)
    ]
    texts = [part["texts"] for values in fields for part in values]
    counted = replace(names, shown=tuple(f"{name} ({n:,})" for name, n in zip(names.shown, texts, strict=True)))
    height = 1.7 + BAR_INCHES * (len(bars) + FIELD_GAP * len(fields))
    figure = canvas(7.6, height, f"{MEASURES[measure]} by slice (number of texts)", key)
    axes = figure.add_subplot()
    draw_bars(axes, bars, counted, MEASURES[measure])
    axes.axvline(whole, color=VERMILLION, linestyle="--", linewidth=1.2, label=f"all texts {whole:.3f}")
    figure.legend(loc="outside lower right", frameon=False, fontsize=8.5, labelcolor=INK)
    save(figure, file)


def baseline_bars(
    model: Mapping[str, float],
    others: Mapping[str, Mapping[str, float]],
    measure: str,
    names: Names,
    key: str,
    file: Path,
) -> None:
    """The model's measure above those of the baselines; `names` holds the model's first."""
    bars = [Bar(_interval(model), BLUE), *(Bar(_interval(other), PALE) for other in others.values())]
    figure = canvas(7.6, 1.5 + BAR_INCHES * len(bars), "Beside simpler methods", key)
    draw_bars(figure.add_subplot(), bars, names, MEASURES[measure])
    save(figure, file)


def _interval(figure: Mapping[str, float] | None) -> Figure | None:
    return None if figure is None else Figure(figure["value"], figure["low"], figure["high"])
