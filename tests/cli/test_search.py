"""nlp-service search."""

import pytest
from typer.testing import CliRunner, Result

from nlp_service.cli.main import app
from nlp_service.errors import InvalidText
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

ARTICLES = [
    ArticleCreate(title="网课声音卡顿 [1]", problem="学生听到的声音一卡一卡。", solution="关闭同步。", product="课堂"),
    ArticleCreate(title="报表导出失败", problem="导出超时。", solution="分批导出。", product="报表"),
]


@pytest.fixture
def filled(settings: Settings, engine: Engine) -> None:
    """Two articles in the database of the fresh folder."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint).import_articles(ARTICLES)
    database.close()


def _search(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["search", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.usefixtures("filled")
def test_the_fitting_article_comes_first_with_its_product() -> None:
    printed = _search("网课声音卡顿").stdout
    assert printed.startswith("1. 网课声音卡顿 [1]")
    assert "课堂" in printed


@pytest.mark.usefixtures("filled")
def test_the_matching_sentence_is_shown() -> None:
    assert "导出超时" in _search("超时", "--mode", "lexical").stdout


@pytest.mark.usefixtures("filled")
def test_only_articles_of_the_product_are_found() -> None:
    printed = _search("声音 导出", "--mode", "dense", "--product", "报表").stdout
    assert "报表导出失败" in printed
    assert "2." not in printed


def test_nothing_found_is_said() -> None:
    result = _search("声音", "--mode", "lexical")
    assert result.exit_code == 0
    assert "nothing found" in result.stdout


@pytest.mark.parametrize("query", ["", " ", "👍", "。。。", "长" * 2001])
def test_a_query_that_cannot_be_read_is_an_expected_error(query: str) -> None:
    with pytest.raises(InvalidText):
        _search(query)


@pytest.mark.parametrize("arguments", [["--top-k", "0"], ["--top-k", "101"], ["--mode", "magic"]])
def test_a_wrong_option_is_a_usage_error(arguments: list[str]) -> None:
    assert _search("声音", *arguments).exit_code == 2
