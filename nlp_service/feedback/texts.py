"""Texts from a file: CSV, JSON Lines, or one a line. A bad line is kept as a problem with its number, never dropped."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_service.errors import InvalidText
from nlp_service.feedback.layout import TEXT_COLUMNS, CsvLines, Layout, Span, line_encoding, read_layout
from nlp_service.text.validation import check_text


@dataclass(frozen=True)
class Line:
    """A text with its line number in the file (from 1) and the record that it came from."""

    number: int
    text: str
    record: dict[str, Any]


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be analysed, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Entry:
    """What stands in one record, and where the next one begins: its byte and its line."""

    line: Line | BadLine
    next_byte: int
    next_line: int


@dataclass(frozen=True)
class _Row:
    number: int
    text: str
    record: dict[str, Any]


_Read = tuple[_Row | BadLine, int, int]
"""A record, and the byte and the line at which the next one begins."""


def read_texts(file: Path, column: str | None = None) -> Iterator[Line | BadLine]:
    """Every text of the file, in order; blank lines are bad lines too.

    `column` names the CSV column or JSON field; by default the first of the usual names. Raises ServiceError when the
    file as a whole cannot be read.
    """
    layout = read_layout(file, column)
    for entry in read_span(file, layout, layout.records):
        yield entry.line


def read_span(file: Path, layout: Layout, span: Span) -> Iterator[Entry]:
    """The records of a span, in order; a part of a file reads as it does in the whole."""
    read = _csv if layout.form == "csv" else _lines
    for row, next_byte, next_line in read(file, layout, span):
        yield Entry(row if isinstance(row, BadLine) else _checked(row), next_byte, next_line)


def _checked(row: _Row) -> Line | BadLine:
    try:
        return Line(row.number, check_text(row.text.strip()), row.record)
    except InvalidText as error:
        return BadLine(row.number, str(error))


def _lines(file: Path, layout: Layout, span: Span) -> Iterator[_Read]:
    position = span.start
    with file.open("rb") as stream:
        stream.seek(position)
        number = span.line
        while position < span.end:
            raw = stream.readline()
            row = _line(number, raw, layout, line_encoding(layout.encoding, position))
            position, number = position + len(raw), number + 1
            yield row, position, number


def _line(number: int, raw: bytes, layout: Layout, encoding: str) -> _Row | BadLine:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return BadLine(number, "不是有效的 UTF-8 · not valid UTF-8")
    if layout.form == "plain":
        return _Row(number, text, {"text": text.strip()})
    return _json_row(number, text, layout.column) if text.strip() else _Row(number, "", {})


def _json_row(number: int, line: str, column: str | None) -> _Row | BadLine:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"不是有效的 JSON · not valid JSON: {str(error)[:80]}")
    if isinstance(record, str):
        record = {"text": record}
    if not isinstance(record, dict):
        return BadLine(number, "不是 JSON 对象 · not a JSON object")
    name = column or next((name for name in TEXT_COLUMNS if name in record), "text")
    text = record.get(name)
    if not isinstance(text, str):
        return BadLine(number, f"字段 {name} 不是字符串 · field {name} is not a string")
    return _Row(number, text, record)


def _csv(file: Path, layout: Layout, span: Span) -> Iterator[_Read]:
    with closing(CsvLines(file, layout.encoding, span)) as lines:
        reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
        while True:
            number = lines.line
            try:
                row = _csv_row(number, next(reader), layout)
            except StopIteration:
                return
            except csv.Error as error:
                last = lines.line - 1
                row = BadLine(number, f"至第 {last} 行 · up to line {last}: CSV: {error}")
            yield row, lines.position, lines.line


def _csv_row(number: int, cells: list[str], layout: Layout) -> _Row | BadLine:
    record = dict(zip(layout.header, cells, strict=False))
    name, header = str(layout.column), layout.header
    if not cells:
        return _Row(number, "", {})
    if len(cells) > len(header):
        detail = f"{len(cells)} 列多于表头的 {len(header)} 列 · {len(cells)} cells, the header has {len(header)}"
        return BadLine(number, detail)
    if name not in record:
        return BadLine(number, f"缺少列 {name} · column {name} is missing")
    if any("\udc80" <= character <= "\udcff" for character in record[name]):
        return BadLine(number, f"不是有效的 {layout.encoding} · not valid {layout.encoding}")
    return _Row(number, record[name], record)
