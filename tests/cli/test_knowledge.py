"""nlp-service kb."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nlp_service.cli.main import app
from nlp_service.errors import ServiceError
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

FULL: dict[str, Any] = {
    "title": "网课声音卡顿",
    "problem": "学生听到的声音一卡一卡。",
    "scenario": "老师在家直播。",
    "solution": "关闭云盘同步。",
    "tags": ["音频", "网络"],
    "product": "课堂",
    "external_id": "KB-1",
    "status": "published",
}
SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}


@pytest.fixture
def filled(settings: Settings, engine: Engine) -> None:
    """One article in the database of the fresh folder."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    store = ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint)
    store.create(ArticleCreate.model_validate(FULL))
    database.close()


def _kb(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["kb", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _write(file: Path, *records: object) -> Path:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return file


def _export(home: Path) -> list[dict[str, Any]]:
    file = home / "export.jsonl"
    _kb("export", file)
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_what_was_imported_is_exported_in_the_form_that_import_reads(home: Path) -> None:
    result = _kb("import", _write(home / "a.jsonl", FULL))
    assert "created 1" in result.stderr
    assert _export(home) == [FULL]


@pytest.mark.usefixtures("filled")
def test_importing_what_is_stored_changes_nothing(home: Path) -> None:
    printed = _kb("import", _write(home / "a.jsonl", FULL)).stderr
    assert "created 0, 更新 · updated 0, 未变 · unchanged 1" in printed


def test_a_folder_is_imported_with_both_kinds_of_files(home: Path) -> None:
    (home / "seed").mkdir()
    _write(home / "seed" / "a.jsonl", FULL)
    (home / "seed" / "b.csv").write_text("title,problem,solution\n导出失败,导出超时,分批导出\n", "utf-8")
    (home / "seed" / "README.md").write_text("# 说明", "utf-8")
    _kb("import", home / "seed")
    assert {record["title"] for record in _export(home)} == {"网课声音卡顿", "导出失败"}


def test_only_if_empty_imports_into_an_empty_knowledge_base(home: Path) -> None:
    _kb("import", _write(home / "a.jsonl", SHORT), "--only-if-empty")
    assert len(_export(home)) == 1


@pytest.mark.usefixtures("filled")
def test_only_if_empty_leaves_a_filled_knowledge_base_alone(home: Path) -> None:
    result = _kb("import", _write(home / "b.jsonl", SHORT), "--only-if-empty")
    assert result.exit_code == 0
    assert _export(home) == [FULL]


def test_bad_records_are_reported_and_the_good_ones_count(home: Path) -> None:
    result = _kb("import", _write(home / "a.jsonl", {**SHORT, "title": ""}, FULL))
    assert result.exit_code == 1
    assert "record 1: title" in result.stderr
    assert _export(home) == [FULL]


def test_brackets_in_a_reason_are_printed(home: Path) -> None:
    result = _kb("import", _write(home / "a.jsonl", {**SHORT, "[/x]": 1}))
    assert "[/x]" in result.stderr


@pytest.mark.usefixtures("filled")
def test_rebuild_counts_the_articles() -> None:
    assert "1 篇已索引" in _kb("rebuild").stderr


def test_an_empty_knowledge_base_is_exported_as_an_empty_file(home: Path) -> None:
    assert _export(home) == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"title": "\xff"}'])
def test_a_file_that_is_not_utf_8_is_an_expected_error(home: Path, content: bytes) -> None:
    (home / "a.jsonl").write_bytes(content)
    with pytest.raises(ServiceError, match="not UTF-8"):
        _kb("import", home / "a.jsonl")


def test_a_file_of_another_kind_is_an_expected_error(home: Path) -> None:
    (home / "a.txt").write_text("x", "utf-8")
    with pytest.raises(ServiceError, match=r"only \.jsonl and \.csv"):
        _kb("import", home / "a.txt")


def test_a_csv_file_with_an_unknown_column_is_told_which_ones_there_are(home: Path) -> None:
    (home / "a.csv").write_text("title,problem,solution,colour\na,b,c,d\n", "utf-8")
    with pytest.raises(ServiceError, match="columns are title, problem"):
        _kb("import", home / "a.csv")


def test_a_folder_without_files_is_an_expected_error(home: Path) -> None:
    (home / "empty").mkdir()
    with pytest.raises(ServiceError, match=r"no \.jsonl or \.csv"):
        _kb("import", home / "empty")


def test_an_export_into_a_missing_folder_is_an_expected_error(home: Path) -> None:
    with pytest.raises(ServiceError):
        _kb("export", home / "missing" / "a.jsonl")
