"""Texts from a file: CSV, JSON Lines, or one a line. A bad line is kept as a problem with its number, never dropped."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_service.errors import InvalidText, ServiceError
from nlp_service.text.validation import check_text

TEXT_COLUMNS = ("text", "content", "comment", "review", "feedback", "内容", "文本", "评论", "反馈", "描述", "正文")


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
class _Row:
    number: int
    text: str
    record: dict[str, Any]


def read_texts(file: Path, column: str | None = None) -> Iterator[Line | BadLine]:
    """Every text of the file, in order; blank lines are bad lines too.

    `column` names the CSV column or JSON field; by default the first of the usual names. Raises ServiceError when the
    file as a whole cannot be read.
    """
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}
    reader = readers.get(file.suffix.lower(), _plain)
    for row in reader(file, column):
        if isinstance(row, BadLine):
            yield row
            continue
        try:
            yield Line(row.number, check_text(row.text.strip()), row.record)
        except InvalidText as error:
            yield BadLine(row.number, str(error))


def _plain(file: Path, _: str | None) -> Iterator[_Row | BadLine]:
    for number, text in _lines(file):
        if text is None:
            yield BadLine(number, "不是有效的 UTF-8 · not valid UTF-8")
        else:
            yield _Row(number, text, {"text": text.strip()})


def _jsonl(file: Path, column: str | None) -> Iterator[_Row | BadLine]:
    for number, line in _lines(file):
        if line is None:
            yield BadLine(number, "不是有效的 UTF-8 · not valid UTF-8")
        elif not line.strip():
            yield _Row(number, "", {})
        else:
            yield _json_row(number, line, column)


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


def _csv(file: Path, column: str | None) -> Iterator[_Row | BadLine]:
    encoding = _encoding(file)
    # Bytes that are no text become lone surrogates, which are recognised below; the other rows stay readable.
    text = file.read_bytes().decode(encoding, errors="surrogateescape")
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise ServiceError(f"{file}: CSV 表头无法读取 · the header cannot be read: {error}") from error
    name = column or next((name for name in TEXT_COLUMNS if name in header), header[0] if len(header) == 1 else None)
    if name is None or name not in header:
        columns = ", ".join(header)
        raise ServiceError(f"{file}: 请用 --text-column 指明文本列 · name the text column; columns: {columns}")
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(number, f"至第 {reader.line_num} 行 · up to line {reader.line_num}: CSV: {error}")
            continue
        record = dict(zip(header, cells, strict=False))
        if not cells:
            yield _Row(number, "", {})
        elif len(cells) > len(header):
            detail = f"{len(cells)} 列多于表头的 {len(header)} 列 · {len(cells)} cells, the header has {len(header)}"
            yield BadLine(number, detail)
        elif name not in record:
            yield BadLine(number, f"缺少列 {name} · column {name} is missing")
        elif any("\udc80" <= character <= "\udcff" for character in record[name]):
            yield BadLine(number, f"不是有效的 {encoding} · not valid {encoding}")
        else:
            yield _Row(number, record[name], record)


def _lines(file: Path) -> Iterator[tuple[int, str | None]]:
    """Numbered lines; None for one that is not in the file's encoding."""
    encoding = _encoding(file)
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield number, raw.decode(encoding if number == 1 else encoding.removesuffix("-sig"))
            except UnicodeDecodeError:
                yield number, None


def _encoding(file: Path) -> str:
    """UTF-8, or GB 18030 when the whole file is valid in it and not in UTF-8."""
    content = file.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8-sig"
