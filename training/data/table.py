"""Labelled texts from a table of the user's own: an export of a helpdesk as CSV or JSON Lines, one label a row."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from training.data.example import LABELS, Example, Task
from training.data.sources import DataError, language, length_slice

DROP = "-"
MIN_TEXTS = 20
"""So many texts of a label are needed to train, calibrate and test on it."""
MAX_CHARACTERS = 2000


class Table(BaseModel):
    """Where a table lies and what its columns mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    task: Task
    text_columns: tuple[str, ...] = Field(min_length=1)
    """Joined by line breaks, such as a subject and a body."""
    label_column: str
    map: dict[str, str] = Field(default_factory=dict)
    """The table's label to the label that is learned; `-` leaves its rows out. Others keep their names."""
    group_column: str = ""
    """Rows of one value are never spread over splits (a customer, a product); empty: each row by itself."""
    time_column: str = ""
    """Sorts a split by time; ISO 8601 or anything else that sorts as text."""
    slice_columns: tuple[str, ...] = ()
    """Results are broken down by these."""


def table_examples(table: Table) -> Iterator[Example]:
    """The rows with a text and a label; raises DataError that names the file, the line and the column."""
    for number, row in _rows(table):
        text = "\n".join(_cell(row, column) for column in table.text_columns).strip()
        label = _cell(row, table.label_column)
        label = table.map.get(label, label)
        if not any(character.isalnum() for character in text) or not label or label == DROP:
            continue
        time = _cell(row, table.time_column) if table.time_column else None
        if time == "":
            raise DataError(f"{table.path}:{number}: {table.time_column}: 没有时间 · no time")
        yield Example(
            id=f"{table.path.stem}-{number}",
            text=text[:MAX_CHARACTERS],
            source="table",
            labels={table.task: label},
            slices={
                "language": language(text),
                "length": length_slice(text),
                **{column: _cell(row, column) for column in table.slice_columns},
            },
            group=(_cell(row, table.group_column) or None) if table.group_column else None,
            time=time,
        )


def _cell(row: Mapping[str, Any], column: str) -> str:
    """The value as text, 0 and false too; empty where there is none."""
    value = row[column]
    return "" if value is None else str(value).strip()


def label_set(table: Table) -> tuple[str, ...]:
    """The labels of the table: the project's own when all are among them, else the table's by frequency.

    Raises DataError when fewer than two labels remain, or one has fewer than 20 texts.
    """
    counts = Counter(example.labels[table.task] for example in table_examples(table))
    if len(counts) < 2:
        raise DataError(
            f"{table.path}: {table.label_column}: 至少要有两个标签 · needs at least two labels, found {len(counts)}"
        )
    if rare := [f"{label} ({count})" for label, count in counts.items() if count < MIN_TEXTS]:
        raise DataError(
            f"{table.path}: 标签的文本太少 · labels with fewer than {MIN_TEXTS} texts: {', '.join(sorted(rare)[:10])}; "
            "合并或去掉 · join or drop them: --map 'rare=other' --map 'noise=-'"
        )
    if set(counts) <= set(LABELS[table.task]):
        return LABELS[table.task]
    return tuple(label for label, _ in counts.most_common())


def _rows(table: Table) -> Iterator[tuple[int, Mapping[str, Any]]]:
    wanted = [*table.text_columns, table.label_column, *table.slice_columns]
    wanted += [column for column in (table.group_column, table.time_column) if column]
    read = _jsonl if table.path.suffix.lower() in {".jsonl", ".ndjson"} else _csv
    try:
        for number, row in read(table.path):
            if missing := [column for column in wanted if column not in row]:
                there = ", ".join(map(str, row))
                raise DataError(f"{table.path}:{number}: 缺少列 · no column {missing[0]!r}; 有 · there are: {there}")
            yield number, row
    except UnicodeDecodeError as error:
        raise DataError(f"{table.path}: 不是 UTF-8 · not UTF-8 at byte {error.start}") from error


def _csv(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(10_000_000)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
        for row in reader:
            yield reader.line_num, row


def _jsonl(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{file}:{number}: 不是 JSON · not JSON: {error.msg}") from error
            if not isinstance(row, dict):
                raise DataError(f"{file}:{number}: 应为 JSON 对象 · should be a JSON object")
            yield number, row
