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


def read_texts(file: Path, column: str | None = None) -> Iterator[Line | BadLine]:
    """Every text of the file, in order; blank lines are bad lines too.

    `column` names the CSV column or JSON field; by default the first of the usual names. Raises ServiceError when the
    file as a whole cannot be read.
    """
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}
    reader = readers.get(file.suffix.lower(), _plain)
    for number, text, record in reader(file, column):
        if text is None:
            yield BadLine(number, str(record))
            continue
        try:
            yield Line(number, check_text(text.strip()), record)
        except InvalidText as error:
            yield BadLine(number, str(error))


Row = tuple[int, str | None, Any]


def _plain(file: Path, _: str | None) -> Iterator[Row]:
    encoding = _encoding(file)
    for number, raw in enumerate(_lines(file), start=1):
        try:
            text = raw.decode(encoding)
            yield number, text, {"text": text.strip()}
        except UnicodeDecodeError as error:
            yield number, None, f"不是有效的 UTF-8 · not valid UTF-8: {error.reason}"


def _jsonl(file: Path, column: str | None) -> Iterator[Row]:
    for number, raw in enumerate(_lines(file), start=1):
        if not raw.strip():
            yield number, "", {}
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            yield number, None, f"不是有效的 JSON · not valid JSON: {str(error)[:80]}"
            continue
        if isinstance(record, str):
            record = {"text": record}
        if not isinstance(record, dict):
            yield number, None, "不是 JSON 对象 · not a JSON object"
            continue
        name = column or next((name for name in TEXT_COLUMNS if name in record), "text")
        text = record.get(name)
        if isinstance(text, str):
            yield number, text, record
        else:
            yield number, None, f"字段 {name} 不是字符串 · field {name} is not a string"


def _csv(file: Path, column: str | None) -> Iterator[Row]:
    encoding = _encoding(file)
    text = file.read_bytes().decode(encoding, errors="replace")
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="", strict=True)
    header = reader.fieldnames or []
    name = column or next((name for name in TEXT_COLUMNS if name in header), header[0] if len(header) == 1 else None)
    if name is None or name not in header:
        raise ServiceError(
            f"{file}: 请用 --text-column 指明文本列 · name the text column; columns: {', '.join(header)}"
        )
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, None, f"CSV: {error}"
            continue
        cell = row.get(name)
        if cell is None:
            yield number, None, f"缺少列 {name} · column {name} is missing"
        elif "\ufffd" in cell:
            yield number, None, f"不是有效的 {encoding} · not valid {encoding}"
        else:
            yield number, cell, {key: value for key, value in row.items() if key}


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        for number, raw in enumerate(stream):
            yield raw.removeprefix(b"\xef\xbb\xbf") if number == 0 else raw


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
