import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.report.sets import certain, reviews, scored, tickets
from training.report.markdown import write_report
from training.report.robustness import robustness
from training.report.scored import Scored

PRIVATE = "退款单号八八六三 secret words of a customer"
LINK = re.compile(r"\]\(([^)]*)\)")
TICKETS = tickets(80)
REVIEWS = reviews([{"speed": 1}, {}], [{"speed": 1}, {"price": 2}])
CUSTOM = scored(
    [0, 1, 1],
    certain([0, 1, 0], 2),
    labels=("故障|报错", "需\n求*"),
    name="我的|数据/test",
    texts=[PRIVATE, f"{PRIVATE} 2", f"3 {PRIVATE}"],
    slices=[{"地区|": "华<b>北"}] * 3,
)


def written(folder: Path, *sets: Scored, **parts: Any) -> str:
    """The Markdown of a report on some sets."""
    settings: dict[str, Any] = {"robustness": {}, "baselines": {}, "quantised_loss": {}, "speed": {}, "facts": {}}
    write_report(folder, title="Encoder `feedback`", scored=sets, **{**settings, **parts})
    return (folder / "report.md").read_text("utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it."""
    folder = tmp_path_factory.mktemp("models") / "report"
    written(
        folder,
        TICKETS,
        REVIEWS,
        CUSTOM,
        facts={"encoder": "feedback|x"},
        robustness={CUSTOM.key: robustness(CUSTOM, lambda texts: certain([0] * len(texts), 2), 1)},
        baselines={TICKETS.key: {"keyword rules": certain([0] * 80, 4)}},
        quantised_loss={"classify": {"macro-F1": 0.0021}, "aspects": {"micro-F1": 0.004}},
        speed={"texts a second": 1234.5},
    )
    return folder


def markdown(report: Path) -> str:
    return (report / "report.md").read_text("utf-8")


def test_every_link_leads_to_a_file(report: Path) -> None:
    links = LINK.findall(markdown(report))
    assert links
    assert [link for link in links if not (report / link).is_file()] == []


def test_every_file_is_linked(report: Path) -> None:
    assert {file.name for file in report.glob("*.png")} == set(LINK.findall(markdown(report)))


def test_the_key_figures_of_every_set_come_first(report: Path) -> None:
    first = markdown(report).split("\n## ")[1]
    assert first.startswith("主要结果 · Key figures")
    assert len([line for line in first.splitlines() if line.startswith("|")]) == 2 + 3


def test_key_figures_have_intervals(report: Path) -> None:
    row = next(line for line in markdown(report).splitlines() if line.startswith("| classify · tickets/test"))
    assert len(re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", row)) == 4


def test_each_set_says_what_it_is_and_how_many_texts_it_has(report: Path) -> None:
    text = markdown(report)
    assert "80 texts; `data/tickets`, written for this project; test split" in text
    assert "2 texts; `data/reviews`, written for this project; test split" in text


def test_headings_are_in_chinese_and_english(report: Path) -> None:
    headings = re.findall(r"^##+ (.*)$", markdown(report), re.MULTILINE)
    general = [heading for heading in headings if not re.match(r"(classify|aspects) · ", heading)]
    assert [heading for heading in general if not re.fullmatch(r"[\u4e00-\u9fff]+ · [A-Z].*", heading)] == []


def test_no_text_of_an_example_is_written(report: Path) -> None:
    everything = markdown(report) + (report / "figures.json").read_text("utf-8")
    assert "secret" not in everything
    assert "退款单号" not in everything


@pytest.mark.parametrize("name", ["故障\\|报错", "需 求\\*", "我的\\|数据/test", "feedback\\|x"])
def test_names_of_customers_do_not_break_the_markdown(report: Path, name: str) -> None:
    assert name in markdown(report)


def test_every_row_of_a_table_has_as_many_cells_as_its_header(report: Path) -> None:
    for block in markdown(report).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


@pytest.mark.parametrize(
    "heading", ["基线 · Baselines", "稳健性 · Robustness", "量化损失 · Loss by quantisation", "速度 · Speed"]
)
def test_what_was_measured_is_reported(report: Path, heading: str) -> None:
    assert markdown(report).count(heading) == 1


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    text = written(tmp_path / "report", REVIEWS)
    assert [
        word for word in ("Baselines", "Robustness", "quantisation", "Speed", "What was measured") if word in text
    ] == []


def test_all_figures_are_in_the_json(report: Path) -> None:
    content = json.loads((report / "figures.json").read_text("utf-8"))
    assert list(content["sets"]) == [TICKETS.key, REVIEWS.key, CUSTOM.key]
    assert content["baselines"][TICKETS.key]["keyword rules"]["accuracy"]["value"] == 0.25
    assert content["sets"][CUSTOM.key]["labels"] == list(CUSTOM.labels)
    assert content["quantised_loss"]["classify"] == {"macro-F1": 0.0021}


@pytest.mark.usefixtures("own_fonts")
def test_labels_that_a_plot_cannot_show_are_explained(tmp_path: Path) -> None:
    assert "图例 · In the plots: label 1: 故障\\|报错; label 2: 需 求\\*." in written(tmp_path / "report", CUSTOM)


def test_one_text_and_missing_classes_are_reported(tmp_path: Path) -> None:
    text = written(tmp_path / "report", scored([1], certain([1], 4)))
    assert "1 text;" in text
    assert "| fault | 0 | 0 | – | – | – |" in text


def test_a_new_report_replaces_the_old_one(tmp_path: Path) -> None:
    written(tmp_path / "report", TICKETS, REVIEWS)
    written(tmp_path / "report", REVIEWS)
    assert "tickets/test" not in markdown(tmp_path / "report")
    assert [file.name for file in tmp_path.iterdir()] == ["report"]
    assert {file.name[:2] for file in (tmp_path / "report").glob("*.png")} == {"01"}


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    before = written(tmp_path / "report", REVIEWS)
    with pytest.raises(ValueError, match="JSON"):
        written(tmp_path / "report", REVIEWS, speed={"texts a second": float("nan")})
    assert markdown(tmp_path / "report") == before


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.docx"):
        written(tmp_path, REVIEWS)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_figures_of_a_set_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no set tickets"):
        written(tmp_path / "report", REVIEWS, baselines={"tickets": {}})


def test_two_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two sets"):
        written(tmp_path / "report", REVIEWS, REVIEWS)


def test_figures_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    written(tmp_path / "report", REVIEWS, speed={"texts a second": np.float32(2.5)})
    assert json.loads((tmp_path / "report" / "figures.json").read_text("utf-8"))["speed"] == {"texts a second": 2.5}
