"""nlp-service kb evaluate."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from nlp_service.cli.console import output
from nlp_service.cli.main import app
from nlp_service.errors import ServiceError
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

ARTICLES = [
    ArticleCreate(external_id="A", title="网课声音卡顿", problem="学生听到的声音一卡一卡。", solution="关闭同步。"),
    ArticleCreate(external_id="B", title="报表导出失败", problem="导出超时 E1001。", solution="分批导出。"),
    ArticleCreate(external_id="C", title="发票抬头填错", problem="抬头写错了。", solution="红冲。", status="archived"),
]


@pytest.fixture(autouse=True)
def _filled(settings: Settings, engine: Engine) -> None:
    """Three articles in the database of the fresh folder."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint).import_articles(ARTICLES)
    database.close()


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return written(tmp_path, ("上课声音断断续续", "A"), ("E1001", "B"), ("抬头写错了", "C"))


def written(folder: Path, *pairs: tuple[str, str]) -> Path:
    file = folder / "questions.jsonl"
    lines = [json.dumps({"query": query, "external_id": wanted}) for query, wanted in pairs]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def evaluate(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["kb", "evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_every_mode_has_its_figures(questions: Path) -> None:
    printed = evaluate(questions).stdout
    assert all(name in printed for name in ("hybrid", "dense", "lexical", "recall@1", "recall@5", "MRR", "nDCG@10"))


def test_nothing_is_cut_on_a_narrow_terminal(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "width", 80)
    printed = evaluate(questions).stdout
    assert "…" not in printed
    assert max(map(cell_len, printed.splitlines())) <= 80


def test_a_reranker_that_serves_has_figures_of_its_own(
    questions: Path, settings: Settings, reranking_bundles: Path
) -> None:
    settings.bundles_dir.unlink()
    settings.bundles_dir.symlink_to(reranking_bundles)
    assert "hybrid, 10 reranked" in evaluate(questions, "--mode", "hybrid").stdout


def test_only_the_chosen_mode_is_measured(questions: Path) -> None:
    printed = evaluate(questions, "--mode", "lexical").stdout
    assert ("lexical" in printed, "dense" in printed) == (True, False)


def test_the_report_holds_figures_with_intervals_and_misses(questions: Path, tmp_path: Path) -> None:
    evaluate(questions, "--report", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["hybrid"]["questions"] == 3
    assert report["hybrid"]["figures"]["recall@1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert report["hybrid"]["misses"] == []


def test_articles_of_every_status_are_searched(tmp_path: Path) -> None:
    evaluate(written(tmp_path, ("抬头写错了", "C")), "--report", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["lexical"]["figures"]["recall@1"]["value"] == 1.0


def test_a_miss_is_listed_with_what_came_first(tmp_path: Path) -> None:
    printed = evaluate(written(tmp_path, ("E1001", "A"), ("E1001", "B")), "--mode", "lexical").stdout
    assert "E1001  → A (#–; 首位 · first B)" in printed


def test_an_article_that_is_not_there_is_named_and_counts_as_missed(tmp_path: Path) -> None:
    result = evaluate(written(tmp_path, ("E1001", "B"), ("转圈", "KB-9")), "--mode", "lexical")
    assert "KB-9" in result.stderr
    assert "0.500" in result.stdout


def test_a_file_for_another_knowledge_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="KB-9"):
        evaluate(written(tmp_path, ("转圈", "KB-9")))
