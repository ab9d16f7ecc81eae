"""Articles from files: JSON Lines or CSV, one record after the other, bad ones reported with their place.

Reasons name fields, never what stood in them: a file may hold personal data.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.article import ArticleCreate

COLUMNS = tuple(ArticleCreate.model_fields)
NEEDED = ("title", "problem", "solution")
TAG_SEPARATORS = str.maketrans(dict.fromkeys(";\uff1b\uff0c\u3001|", ","))
"""Semicolon, comma, enumeration comma (Chinese and Latin) and bar all mean a comma."""


@dataclass
class Parsed:
    """Good records with their index in the input, and the bad ones with their reason."""

    articles: list[tuple[int, ArticleCreate]] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def add(self, index: int, record: object) -> None:
        """Validate one record."""
        try:
            self.articles.append((index, ArticleCreate.model_validate(record)))
        except ValidationError as error:
            self.rejected.append((index, reason(error)))


def reason(error: ValidationError) -> str:
    """The first thing that is wrong with a record, naming the field."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "record"
    message = first.get("ctx", {}).get("error", first["msg"])
    return f"{place[:60]}: {message}".encode("utf-8", "replace").decode("utf-8")


def parse_jsonl(text: str) -> Parsed:
    """Records of a JSON Lines text; the index counts records from 0, blank lines not counted."""
    parsed = Parsed()
    lines = [line for line in text.removeprefix("\ufeff").split("\n") if line.strip()]
    for index, line in enumerate(lines):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            place = f" ({error.msg}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            parsed.rejected.append((index, f"不是有效的 JSON · not valid JSON{place}"))
            continue
        parsed.add(index, record)
    return parsed


def parse_csv(text: str) -> Parsed:
    """Records of a CSV text with a header line; tags are separated by semicolons, commas or bars.

    Raises InvalidRecord when the header cannot be read, lacks a needed column, or has an unknown or doubled one.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    header = _header(reader)
    parsed = Parsed()
    for index, row in enumerate(_rows(reader)):
        if isinstance(row, str):
            parsed.rejected.append((index, row))
        elif len(row) > len(header):
            detail = f"有 {len(row)} 列,表头只有 {len(header)} 列 · has {len(row)} cells, the header {len(header)}"
            parsed.rejected.append((index, detail))
        else:
            parsed.add(index, _record(dict(zip(header, row, strict=False))))
    return parsed


def _header(reader: "Iterator[list[str]]") -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise InvalidRecord(f"CSV 表头无法读取 · the header cannot be read: {error}", place=0) from error
    unknown = [str(number) for number, name in enumerate(header, start=1) if name not in COLUMNS]
    problems = {
        "unknown column number": unknown,
        "missing": [name for name in NEEDED if name not in header],
        "doubled": sorted({name for name in header if name in COLUMNS and header.count(name) > 1}),
    }
    if any(problems.values()):
        what = "; ".join(f"{problem} {', '.join(names)}" for problem, names in problems.items() if names)
        raise InvalidRecord(f"CSV 表头有误 · wrong header: {what}; columns are {', '.join(COLUMNS)}", place=0)
    return header


def _rows(reader: Any) -> "Iterator[list[str] | str]":
    """Rows that are not blank; a row that is no CSV as a message."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"CSV 第 {reader.line_num} 行 · line {reader.line_num}: {error}"
            continue
        if row:
            yield row


def _record(row: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {name: value for name, value in row.items() if value != ""}
    if "tags" in record:
        record["tags"] = [tag.strip() for tag in record["tags"].translate(TAG_SEPARATORS).split(",") if tag.strip()]
    return record
