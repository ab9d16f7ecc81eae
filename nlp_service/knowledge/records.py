"""Articles from files: JSON Lines or CSV, one record after the other, bad ones reported with their place."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.article import ArticleCreate

COLUMNS = tuple(ArticleCreate.model_fields)
TAG_SEPARATORS = str.maketrans(";;,、|", ",,,,,")


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
    return f"{place}: {message}".encode("utf-8", "replace").decode("utf-8")


def parse_jsonl(text: str) -> Parsed:
    """Records of a JSON Lines text; the index counts records from 0, blank lines not counted."""
    parsed = Parsed()
    lines = [line for line in text.removeprefix("\ufeff").split("\n") if line.strip()]
    for index, line in enumerate(lines):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            parsed.rejected.append((index, f"不是有效的 JSON · not valid JSON: {error}"))
            continue
        parsed.add(index, record)
    return parsed


def parse_csv(text: str) -> Parsed:
    """Records of a CSV text with a header line; tags are separated by ``;`` ``,`` ``、`` or ``|``.

    Raises InvalidRecord when the header lacks a needed column or names an unknown one.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restkey="", strict=True)
    try:
        header = reader.fieldnames or []
    except csv.Error as error:
        raise InvalidRecord(f"CSV: {error}", place=0) from error
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in ("title", "problem", "solution") if name not in header]
    if unknown or missing:
        raise InvalidRecord(
            f"CSV 表头有误 · wrong header: unknown {unknown}, missing {missing}; columns are {', '.join(COLUMNS)}",
            place=0,
        )
    parsed = Parsed()
    for index, row in enumerate(_rows(reader)):
        parsed.add(index, row)
    return parsed


def _rows(reader: "csv.DictReader[str]") -> Iterator[Mapping[str, Any]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row = {"": [f"CSV 第 {reader.line_num} 行 · line {reader.line_num}: {error}"]}
        yield _record(row)


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    record = {name: value for name, value in row.items() if value not in (None, "") and name != ""}
    if "tags" in record:
        record["tags"] = [tag.strip() for tag in record["tags"].translate(TAG_SEPARATORS).split(",") if tag.strip()]
    if row.get(""):
        record[f"表头之外的内容 · outside the header: {row['']}"[:120]] = True
    return record
