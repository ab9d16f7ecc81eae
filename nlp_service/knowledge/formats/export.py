"""All articles, page by page; as text in JSON Lines or CSV, in the form that the import reads."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, func, select

from nlp_service.knowledge.formats.table import COLUMNS, cells
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import ArticleStatus
from nlp_service.storage.tables import Article

ExportFormat = Literal["jsonl", "csv"]
PAGE = 200
BYTE_ORDER_MARK = "\ufeff"
"""Tells spreadsheet programs that a CSV file is in UTF-8."""


@dataclass(frozen=True)
class Selection:
    """Which articles are exported: those that fit everything that is given."""

    status: ArticleStatus | None = None
    product: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What holds of these articles alone."""
        given = ((Article.status, self.status), (Article.product, self.product))
        return [column == value for column, value in given if value is not None]


@dataclass(frozen=True)
class Page:
    """Some articles as text."""

    text: str
    articles: int


def count(database: Database, selection: Selection) -> int:
    """How many articles an export has now."""
    with database.read() as session:
        return session.scalar(select(func.count(Article.id)).where(*selection.conditions)) or 0


def export(database: Database, form: ExportFormat, selection: Selection) -> Iterator[Page]:
    """The selected articles in order of id, at most 200 in memory; in CSV a page with the header comes first.

    Between two pages the database is free: an article that is changed meanwhile comes as it was or as it is.
    """
    if form == "csv":
        yield Page(BYTE_ORDER_MARK + _rows([list(COLUMNS)]), 0)
    for articles in rows(database, selection):
        records = [{name: article[name] for name in COLUMNS} for article in articles]
        yield Page(_rows(map(cells, records)) if form == "csv" else _lines(records), len(records))


def rows(database: Database, selection: Selection) -> Iterator[Sequence[RowMapping]]:
    """Id and `COLUMNS` of the selected articles in order of id, at most 200 at once."""
    last = 0
    while articles := _page(database, selection, last):
        yield articles
        last = articles[-1]["id"]


def _page(database: Database, selection: Selection, after: int) -> Sequence[RowMapping]:
    columns = [getattr(Article, name) for name in ("id", *COLUMNS)]
    query = select(*columns).where(Article.id > after, *selection.conditions).order_by(Article.id).limit(PAGE)
    with database.read() as session:
        return session.execute(query).mappings().all()


def _lines(records: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _rows(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue()
