"""Canvas, colours and common parts of the plots. Nothing of matplotlib's global state is touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from training.metrics import Figure as Interval
from training.report.fonts import Names, default_font, font_with

DPI = 120
BLUE, ORANGE, VERMILLION, GREY = "#0072B2", "#E69F00", "#D55E00", "#8C8C8C"
"""Of the palette of Okabe and Ito 2008, which people with colour-blindness can tell apart."""
PALE, INK, FAINT = "#A6CEE3", "#333333", "#E4E4E4"
BAR_INCHES, MARGIN = 0.34, 0.1


@dataclass(frozen=True)
class Bar:
    """A figure with its interval; None where there is none to show."""

    figure: Interval | None
    colour: str = PALE
    gap: float = 0.0
    """Room above it, in bars."""


def canvas(width: float, height: float, title: str, key: str) -> Figure:
    """An empty figure of so many inches; `key` names the set below the title unless the font lacks its characters."""
    layout = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    below = f"\n{key}" if font_with(frozenset(key)) == default_font() else ""
    figure.suptitle(title + below, fontsize=11, color=INK, font=default_font(), parse_math=False)
    return figure


def save(figure: Figure, file: Path) -> None:
    """As PNG."""
    figure.savefig(file, dpi=DPI, format="png")


def quiet(axes: Axes, grid: str) -> None:
    """Faint lines along one axis (``x`` or ``y``, or ``both``), no box around."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.set_axisbelow(True)
    if grid in {"x", "both"}:
        axes.xaxis.grid(visible=True, color=FAINT, linewidth=0.8)
    if grid in {"y", "both"}:
        axes.yaxis.grid(visible=True, color=FAINT, linewidth=0.8)


def percent(axes: Axes, axis: str) -> None:
    """Write shares along ``x`` or ``y`` as percentages."""
    chosen = axes.xaxis if axis == "x" else axes.yaxis
    chosen.set_major_formatter(PercentFormatter(1))


def draw_bars(axes: Axes, bars: Sequence[Bar], names: Names, measure: str) -> None:
    """Horizontal bars from the top, each with its interval and its value on the right; the axis runs from 0 to 1."""
    places: list[float] = []
    for bar in bars:
        place = places[-1] + 1 + bar.gap if places else 0.0
        places.append(place)
        shown = "no texts"
        if bar.figure is not None:
            value = bar.figure.value
            spread = [[max(value - bar.figure.low, 0.0)], [max(bar.figure.high - value, 0.0)]]
            axes.barh(place, value, height=0.68, color=bar.colour)
            axes.errorbar(value, place, xerr=spread, color=INK, linewidth=1.2, capsize=2.5)
            shown = f"{value:.3f}"
        axes.text(1.02, place, shown, va="center", fontsize=8.5, color=INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_yticks(places, labels=names.shown, fontproperties=names.font, fontsize=9, parse_math=False)
    axes.set_xlabel(f"{measure} (line: 95 % interval)", fontsize=9, color=INK)
    quiet(axes, "x")
