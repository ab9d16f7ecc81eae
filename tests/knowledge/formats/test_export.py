"""What is exported can be imported again, and is the same."""

import csv
import io
import json

import pytest

from nlp_service.knowledge.formats.export import PAGE, ExportFormat, Selection, count, export
from nlp_service.knowledge.formats.importing import Importer
from nlp_service.knowledge.store import ArticleStore, ImportCounts
from nlp_service.storage.database import Database
from tests.knowledge.conftest import new_article
from tests.knowledge.formats.samples import good

FORMATS: list[ExportFormat] = ["jsonl", "csv"]
HARD = {
    "title": "=SUM(A1) 👩‍💻",
    "problem": '他说 "超时",\n然后\r\n退出\u2028完',
    "scenario": "\\n 不是换行",
    "solution": "- 第一步;第二步\n'=x\n+86 10",
    "tags": ["a;b", "音频、网络", "@x", '["y"]'],
    "product": "'-课堂",
    "external_id": "=KB-1",
    "status": "published",
}


def _text(database: Database, form: ExportFormat, selection: Selection | None = None) -> str:
    return "".join(page.text for page in export(database, form, selection or Selection()))


def _titles(database: Database, selection: Selection) -> list[str]:
    return [json.loads(line)["title"] for line in _text(database, "jsonl", selection).split("\n") if line]


@pytest.fixture
def filled(store: ArticleStore) -> ArticleStore:
    """Articles with everything that is hard to carry, with and without external id."""
    store.create(new_article(**HARD))
    store.create(new_article(title="没有编号", product="报表"))
    store.create(new_article(title="草稿", product="报表", status="in_review"))
    return store


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_reads_as_it_was_stored(database: Database, form: ExportFormat) -> None:
    first, *_ = good(f"a.{form}", _text(database, form))
    assert first.article.model_dump() == HARD


@pytest.mark.parametrize("form", FORMATS)
def test_importing_what_was_exported_changes_nothing(
    filled: ArticleStore, database: Database, form: ExportFormat
) -> None:
    before = _text(database, form)
    importer = Importer(filled, database)
    importer.add([entry.article for entry in good(f"a.{form}", before)])
    assert importer.counts == ImportCounts(unchanged=3)
    assert _text(database, form) == before


@pytest.mark.usefixtures("filled")
def test_no_cell_of_a_csv_export_is_run_by_a_spreadsheet(database: Database) -> None:
    rows = list(csv.reader(io.StringIO(_text(database, "csv").removeprefix("\ufeff"), newline="")))
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))] == []


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("selection", "titles"),
    [
        (Selection(), ["=SUM(A1) 👩‍💻", "没有编号", "草稿"]),
        (Selection(status="in_review"), ["草稿"]),
        (Selection(product="报表"), ["没有编号", "草稿"]),
        (Selection(status="draft", product="报表"), ["没有编号"]),
        (Selection(product="无"), []),
    ],
)
def test_a_selection_holds_for_every_article(database: Database, selection: Selection, titles: list[str]) -> None:
    assert _titles(database, selection) == titles
    assert count(database, selection) == len(titles)


def test_pages_follow_each_other_without_gap(store: ArticleStore, database: Database) -> None:
    titles = [f"第{number}篇" for number in range(PAGE + 5)]
    store.import_articles([new_article(title=title, problem="提示超时", external_id=title) for title in titles])
    pages = list(export(database, "jsonl", Selection()))
    assert [page.articles for page in pages] == [PAGE, 5]
    assert _titles(database, Selection()) == titles


def test_an_article_that_is_deleted_meanwhile_costs_no_other(store: ArticleStore, database: Database) -> None:
    articles = [store.create(new_article(title=f"第{number}篇", external_id=str(number))) for number in range(3)]
    pages = export(database, "csv", Selection())
    next(pages)
    store.delete(articles[1].id)
    assert [page.articles for page in pages] == [2]


def test_an_empty_knowledge_base_is_a_header_or_nothing(database: Database) -> None:
    assert _text(database, "jsonl") == ""
    assert good("a.csv", _text(database, "csv")) == []
