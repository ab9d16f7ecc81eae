"""Records as rows of a table: the header, cells to fields and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.records import Bad, Entry, Raw, check


@dataclass(frozen=True)
class Layout:
    """The columns that a table may have, and those that it must have."""

    columns: tuple[str, ...]
    needed: tuple[str, ...]


COLUMNS = tuple(ArticleCreate.model_fields)
ARTICLES = Layout(COLUMNS, needed=("title", "problem", "solution"))
CHINESE_NAMES = {
    "title": ("标题", "题目"),
    "problem": ("问题", "问题描述", "现象"),
    "scenario": ("场景", "适用场景", "使用场景"),
    "solution": ("解决方案", "解决办法", "解决方法", "方案", "答案"),
    "tags": ("标签", "关键词"),
    "product": ("产品", "产品名称"),
    "module": ("模块", "功能模块"),
    "status": ("状态",),
    "external_id": ("编号", "外部编号"),
    "text": ("内容", "正文", "反馈内容"),
    "customer_id": ("客户编号", "用户编号"),
    "channel": ("渠道", "来源"),
    "created_at": ("创建时间", "提交时间"),
    "rating": ("评分", "星级"),
}
"""What columns are called in Chinese tables; a status itself is written in English."""
_BY_CHINESE_NAME = {chinese: name for name, names in CHINESE_NAMES.items() for chinese in names}
TAG_SEPARATORS = str.maketrans(dict.fromkeys(";\uff1b\uff0c\u3001|", ","))
"""Semicolon, comma, enumeration comma (Chinese and Latin) and bar all mean a comma."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheet programs."""


def trimmed(row: Sequence[str]) -> list[str]:
    """The cells without the empty ones at the end, which spreadsheet programs write for columns once used."""
    cells = list(row)
    while cells and not cells[-1]:
        cells.pop()
    return cells


def names_of(header: Sequence[str]) -> list[str]:
    """The names of the columns, in lower case and without spaces around them; Chinese ones in English."""
    given = [name.strip().lower() for name in trimmed(header)]
    return [_BY_CHINESE_NAME.get(name, name) for name in given]


def check_header(header: Sequence[str], layout: Layout = ARTICLES) -> None:
    """Raise InvalidRecord when a needed column is missing, or one is unknown or doubled."""
    unknown = [str(number) for number, name in enumerate(header, start=1) if name not in layout.columns]
    problems = {
        "unknown column number": unknown,
        "missing": [name for name in layout.needed if name not in header],
        "doubled": sorted({name for name in header if name in layout.columns and header.count(name) > 1}),
    }
    if any(problems.values()):
        what = "; ".join(f"{problem} {', '.join(names)}" for problem, names in problems.items() if names)
        raise InvalidRecord(f"表头有误 · wrong header: {what}; columns are {', '.join(layout.columns)}", place=0)


def check_row(place: str, header: Sequence[str], row: Sequence[str]) -> Entry:
    """The article of a row; an empty cell counts as not given."""
    entry = record_of(place, header, row)
    return entry if isinstance(entry, Bad) else check(place, entry.record)


def record_of(place: str, header: Sequence[str], row: Sequence[str]) -> Raw | Bad:
    """The record of a row: texts by the names of their columns, and tags as a list; without empty cells."""
    if len(row) > len(header):
        return Bad(
            place, f"有 {len(row)} 列,表头只有 {len(header)} 列 · has {len(row)} cells, the header {len(header)}"
        )
    record: dict[str, Any] = {name: unprotect(cell) for name, cell in zip(header, row, strict=False) if cell != ""}
    if "tags" in record:
        record["tags"] = split_tags(record["tags"])
    return Raw(place, record)


def cells(record: Mapping[str, Any]) -> list[str]:
    """The row of an article's fields, in the order of `COLUMNS`, harmless in a spreadsheet; `check_row` reads it."""
    values = {**record, "tags": join_tags(record["tags"])}
    return [protect("" if values[name] is None else str(values[name])) for name in COLUMNS]


def protect(cell: str) -> str:
    """`cell` with an apostrophe in front when a spreadsheet would run it, or when `unprotect` would take one away."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def unprotect(cell: str) -> str:
    """`cell` without the apostrophe that `protect` put in front."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def join_tags(tags: Sequence[str]) -> str:
    """One cell: separated by semicolons, or a JSON list when a tag holds what separates tags."""
    plain = ";".join(tags)
    return plain if split_tags(plain) == list(tags) else json.dumps(list(tags), ensure_ascii=False)


def split_tags(cell: str) -> list[str]:
    """Tags of a cell: a JSON list of texts, or separated by semicolons, commas or bars."""
    if cell.startswith("["):
        try:
            tags = json.loads(cell)
        except (ValueError, RecursionError):
            tags = None
        if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
            return tags
    return [tag.strip() for tag in cell.translate(TAG_SEPARATORS).split(",") if tag.strip()]
