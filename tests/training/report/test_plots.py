from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tests.training.report.sets import certain, reviews, scored, tickets
from training.report.figures import figures
from training.report.scored import Scored
from training.report.set_plots import SetPlots

KINDS: dict[str, Callable[[SetPlots], str]] = {
    "confusion": SetPlots.confusion,
    "classes": SetPlots.classes,
    "reliability": SetPlots.reliability,
    "risk-coverage": SetPlots.risk_coverage,
    "slices": SetPlots.slices,
    "baselines": lambda plots: plots.baselines({"other": {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}}}),
}
EDGES: dict[str, Scored] = {
    "one text": scored([1], certain([1], 4)),
    "a class missing": scored([0, 1, 2], certain([0, 1, 2], 4)),
    "no answer reaches the threshold": scored([0, 1], certain([0, 1], 4, 0.6), threshold=0.99),
    "every answer wrong": scored([0, 1, 2, 3], certain([1, 2, 3, 0], 4)),
    "aspects without a mention": reviews([{}], [{}]),
    "labels that look like formulas": scored([0, 1], certain([0, 1], 2), labels=("$x^2$", "a_{b}$")),
    "forty labels": scored(np.arange(80) % 40, certain(np.arange(80) % 40, 40), labels=tuple(map(str, range(40)))),
    "long labels": scored([0, 1], certain([0, 1], 2), labels=("x" * 300, "word " * 60)),
}


def opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_is_a_png_of_reasonable_size(kind: str, tmp_path: Path) -> None:
    file = tmp_path / KINDS[kind](SetPlots(figures(tickets(120)), 1, tmp_path))
    picture = opened(file)
    assert picture.format == "PNG"
    assert all(250 < side < 1500 for side in picture.size)
    assert file.stat().st_size < 300_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_shows_something(kind: str, tmp_path: Path) -> None:
    picture = opened(tmp_path / KINDS[kind](SetPlots(figures(tickets(120)), 1, tmp_path)))
    assert len(picture.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 50


@pytest.mark.parametrize("edge", EDGES)
def test_rare_sets_are_drawn_too(edge: str, tmp_path: Path) -> None:
    drawn = SetPlots(figures(EDGES[edge]), 1, tmp_path)
    files = [KINDS[kind](drawn) for kind in ("confusion", "classes", "reliability", "risk-coverage")]
    assert all(max(opened(tmp_path / file).size) < 2500 for file in files)


def test_many_slices_make_a_taller_plot(tmp_path: Path) -> None:
    def height(products: int) -> int:
        slices = [{"product": f"product-{number % products}"} for number in range(20 * products)]
        found = scored([0] * 20 * products, certain([0] * 20 * products, 4), slices=slices)
        return opened(tmp_path / SetPlots(figures(found), products, tmp_path).slices()).height

    assert height(30) > 2 * height(3)


def test_the_threshold_is_marked_on_the_curve(tmp_path: Path) -> None:
    def vermillion(threshold: float) -> int:
        generator = np.random.default_rng(1)
        probabilities = generator.dirichlet(np.ones(4), 100).astype(np.float32)
        found = scored(np.arange(100) % 4, probabilities, threshold=threshold)
        pixels = np.asarray(opened(tmp_path / SetPlots(figures(found), 1, tmp_path).risk_coverage()).convert("RGB"))
        return int((np.abs(pixels.astype(int) - [0xD5, 0x5E, 0x00]).sum(axis=2) < 30).sum())

    assert vermillion(0.6) > vermillion(2.0) + 50


@pytest.mark.usefixtures("own_fonts")
def test_chinese_labels_are_numbered_and_explained_where_no_font_has_them(tmp_path: Path) -> None:
    drawn = SetPlots(figures(scored([0, 1], certain([0, 1], 2), labels=("故障", "需求"))), 1, tmp_path)
    drawn.confusion()
    assert drawn.legend == {"label 1": "故障", "label 2": "需求"}


def test_sets_of_like_names_have_files_of_their_own(tmp_path: Path) -> None:
    found = figures(scored([0, 1], certain([0, 1], 4), name="我的数据/test"))
    assert SetPlots(found, 1, tmp_path).classes() != SetPlots(found, 2, tmp_path).classes()


def test_matplotlibs_own_settings_stay(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    SetPlots(figures(tickets(40)), 1, tmp_path).reliability()
    assert dict(matplotlib.rcParams) == before
