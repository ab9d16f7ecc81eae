"""The evaluation report of a search encoder: a table and a plot."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot

from training.metrics import Figure

COLOURS = {"BM25": "#999999", "plain": "#56B4E9", "candidate": "#D55E00"}
"""Okabe & Ito's colours, which colour-blind readers can tell apart."""


@dataclass(frozen=True)
class SearchRow:
    """One measure on one set, for each method."""

    name: str
    size: int
    measure: str
    figures: dict[str, Figure]


def write_search_report(folder: Path, title: str, facts: Mapping[str, str], rows: Sequence[SearchRow]) -> None:
    """Write report.md, figures.json and search.png into `folder`."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    methods = [method for method in COLOURS if any(method in row.figures for row in rows)]
    lines = [
        f"# 评估报告 · Evaluation: {title}",
        "",
        "Square brackets are 95 % bootstrap intervals. `candidate` is the quantised bundle, `plain` the base encoder",
        "in full precision. " + ", ".join(f"{name} {value}" for name, value in facts.items()) + ".",
        "",
        f"| set | size | measure | {' | '.join(methods)} |",
        f"| --- | ---: | --- |{' --- |' * len(methods)}",
        *(
            f"| {row.name} | {row.size} | {row.measure} | "
            + " | ".join(str(row.figures.get(method, "–")) for method in methods)
            + " |"
            for row in rows
        ),
        "",
        "![all sets](search.png)",
        "",
    ]
    (partial / "report.md").write_text("\n".join(lines), "utf-8")
    figures = {
        f"{row.name} {row.measure}": {method: figure.as_dict() for method, figure in row.figures.items()}
        for row in rows
    }
    (partial / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    _plot(rows, methods, partial / "search.png")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _plot(rows: Sequence[SearchRow], methods: Sequence[str], file: Path) -> None:
    plot = Plot(figsize=(8, 0.8 + 0.45 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    height = 0.8 / len(methods)
    for number, method in enumerate(methods):
        shown = [(place, row.figures[method]) for place, row in enumerate(rows) if method in row.figures]
        places = [place + (number - (len(methods) - 1) / 2) * height for place, _ in shown]
        values = [figure.value for _, figure in shown]
        errors = [
            [max(figure.value - figure.low, 0) for _, figure in shown],
            [max(figure.high - figure.value, 0) for _, figure in shown],
        ]
        axes.barh(places, values, height * 0.9, xerr=errors, color=COLOURS[method], label=method, ecolor="#444444")
    axes.set_yticks(range(len(rows)), [f"{row.name}\n{row.measure}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", fontsize=8)
    plot.savefig(file)
