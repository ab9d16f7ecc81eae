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
from tests.knowledge.formats.samples import docx

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


class TestRepeatedImports:
    def test_a_record_without_external_id_is_not_doubled(self, home: Path) -> None:
        file = _write(home / "a.jsonl", SHORT)
        _kb("import", file)
        assert "created 0, 更新 · updated 0, 未变 · unchanged 1" in _kb("import", file).stderr

    def test_the_help_says_so(self) -> None:
        assert "A record without external_id gets one made from a hash" in " ".join(
            _kb("import", "--help").stdout.split()
        )

    def test_a_folder_of_documents_changes_nothing_the_second_time(self, home: Path) -> None:
        folder = _documents(home)
        assert "created 3," in _kb("import", folder).stderr
        assert "created 0, 更新 · updated 0, 未变 · unchanged 3" in _kb("import", folder).stderr

    def test_an_edited_section_updates_its_article_alone(self, home: Path) -> None:
        folder = _documents(home)
        _kb("import", folder)
        file = folder / "guide" / "login.md"
        file.write_text(file.read_text("utf-8").replace("再确认账号", "最后确认账号"), "utf-8")
        assert "created 0, 更新 · updated 1, 未变 · unchanged 2" in _kb("import", folder).stderr
        assert ["最后确认账号" in record["solution"] for record in _export(home)] == [True, False, False]

    def test_the_place_of_a_section_is_kept(self, home: Path) -> None:
        _kb("import", _documents(home))
        assert [record["external_id"] for record in _export(home)] == [
            "guide/login.md#登录/密码",
            "guide/login.md#登录/锁定",
            "manual.docx#导出",
        ]


class TestBadRecords:
    def test_all_are_written_to_a_file_when_asked_for(self, home: Path) -> None:
        source = _write(home / "a.jsonl", FULL, *[{**SHORT, "title": ""}] * 30)
        result = _kb("import", source, "--rejected", home / "bad.jsonl")
        lines = [json.loads(line) for line in (home / "bad.jsonl").read_text("utf-8").splitlines()]
        assert [line["file"] for line in lines] == [str(source)] * 30
        assert "line 31, record 31" in lines[-1]["place"]
        assert lines[-1]["reason"].startswith("title: ")
        assert "record 30: title" not in result.stderr

    def test_written_to_a_file_they_are_a_warning(self, home: Path) -> None:
        source = _write(home / "a.jsonl", FULL, {**SHORT, "title": ""})
        result = _kb("import", source, "--rejected", home / "bad.jsonl")
        assert result.exit_code == 0
        assert "1 条记录未导入 · records were not imported" in result.stderr

    def test_without_a_file_every_one_is_shown(self, home: Path) -> None:
        result = _kb("import", _write(home / "a.jsonl", FULL, *[{**SHORT, "title": ""}] * 30))
        assert [f"record {number}: title" in result.stderr for number in range(2, 32)] == [True] * 30

    def test_the_summary_counts_them(self, home: Path) -> None:
        result = _kb("import", _write(home / "a.jsonl", FULL, {**SHORT, "title": ""}))
        assert "created 1, 更新 · updated 0, 未变 · unchanged 0, 未导入 · rejected 1" in result.stderr

    def test_when_nothing_was_stored_the_exit_code_says_so(self, home: Path) -> None:
        source = _write(home / "a.jsonl", {**SHORT, "title": ""})
        assert _kb("import", source, "--rejected", home / "bad.jsonl").exit_code == 1

    def test_without_bad_ones_the_file_is_empty(self, home: Path) -> None:
        assert _kb("import", _write(home / "a.jsonl", FULL), "--rejected", home / "bad.jsonl").exit_code == 0
        assert (home / "bad.jsonl").read_text("utf-8") == ""

    def test_their_file_is_not_read_by_the_next_import(self, home: Path) -> None:
        (home / "seed").mkdir()
        _write(home / "seed" / "a.jsonl", FULL, {**SHORT, "title": ""})
        for _ in range(2):
            result = _kb("import", home / "seed", "--rejected", home / "seed" / "bad.jsonl")
        assert "rejected 1" in result.stderr

    def test_their_file_does_not_replace_the_input(self, home: Path) -> None:
        source = _write(home / "a.jsonl", FULL)
        with pytest.raises(ServiceError, match="would replace the input"):
            _kb("import", source, "--rejected", source)
        assert source.read_text("utf-8")

    def test_their_file_needs_a_folder(self, home: Path) -> None:
        with pytest.raises(ServiceError, match="the folder does not exist"):
            _kb("import", _write(home / "a.jsonl", FULL), "--rejected", home / "missing" / "bad.jsonl")

    def test_a_file_that_cannot_be_read_does_not_stop_the_others(self, home: Path) -> None:
        (home / "seed").mkdir()
        (home / "seed" / "a.pdf").write_bytes(b"%PDF-1.7")
        (home / "seed" / "b.csv").write_text("colour\nred\n", "utf-8")
        _write(home / "seed" / "c.jsonl", FULL)
        result = _kb("import", home / "seed", "--rejected", home / "bad.jsonl")
        assert (result.exit_code, _export(home)) == (0, [FULL])
        assert [name in result.stderr for name in ("a.pdf: ", "b.csv: ")] == [True, True]

    def test_hundreds_of_rows_with_some_bad_ones_are_imported(self, home: Path) -> None:
        rows = [f"第{row}篇,提示超时,{'' if row % 100 == 99 else '重启'}\n" for row in range(300)]
        (home / "a.csv").write_bytes(("title,problem,solution\n" + "".join(rows)).encode("gb18030"))
        result = _kb("import", home / "a.csv", "--rejected", home / "bad.jsonl")
        assert "created 297, 更新 · updated 0, 未变 · unchanged 0, 未导入 · rejected 3" in result.stderr
        places = [json.loads(line)["place"] for line in (home / "bad.jsonl").read_text("utf-8").splitlines()]
        assert [place.rpartition(" ")[2] for place in places] == ["101", "201", "301"]


@pytest.mark.usefixtures("filled")
class TestExport:
    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.NDJSON"])
    def test_what_is_exported_can_be_imported_again(self, home: Path, name: str) -> None:
        _kb("export", home / name)
        assert "created 0, 更新 · updated 0, 未变 · unchanged 1" in _kb("import", home / name).stderr

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (["--status", "published"], 1),
            (["--status", "draft"], 0),
            (["--product", "课堂"], 1),
            (["--product", "报表", "--status", "published"], 0),
        ],
    )
    def test_a_selection_may_be_exported(self, home: Path, options: list[str], count: int) -> None:
        assert f"{count} 篇 · articles" in _kb("export", home / "a.jsonl", *options).stderr
        assert len((home / "a.jsonl").read_text("utf-8").splitlines()) == count

    def test_an_older_file_is_replaced_and_nothing_is_left_beside_it(self, home: Path) -> None:
        before = set(home.iterdir())
        (home / "a.jsonl").write_text("old\n" * 1000, "utf-8")
        _kb("export", home / "a.jsonl")
        assert json.loads((home / "a.jsonl").read_text("utf-8")) == FULL
        assert set(home.iterdir()) - before == {home / "a.jsonl"}

    def test_an_export_that_fails_leaves_the_older_file(self, home: Path) -> None:
        (home / "a.jsonl").write_text("old", "utf-8")
        (home / "a.jsonl.partial").mkdir()
        with pytest.raises(OSError, match="partial"):
            _kb("export", home / "a.jsonl")
        assert (home / "a.jsonl").read_text("utf-8") == "old"

    def test_a_folder_of_markdown_can_be_imported_again(self, home: Path) -> None:
        assert "1 篇 · articles" in _kb("export", home / "articles").stderr
        assert "created 0, 更新 · updated 0, 未变 · unchanged 1" in _kb("import", home / "articles").stderr

    def test_a_folder_with_files_is_updated_only_when_told(self, home: Path) -> None:
        _kb("export", home / "articles")
        with pytest.raises(ServiceError, match="not empty"):
            _kb("export", home / "articles")
        assert "1 篇 · articles" in _kb("export", home / "articles", "--replace").stderr

    def test_another_kind_of_file_is_an_expected_error(self, home: Path) -> None:
        with pytest.raises(ServiceError, match=r"must end in \.jsonl or \.csv"):
            _kb("export", home / "a.xlsx")

    def test_an_unknown_status_is_refused(self, home: Path) -> None:
        assert _kb("export", home / "a.jsonl", "--status", "new").exit_code == 2


def _documents(home: Path) -> Path:
    """A folder with three sections in two documents."""
    folder = home / "docs"
    (folder / "guide").mkdir(parents=True)
    text = "# 登录\n\n## 密码\n\n请先检查网络连接,再确认账号没有过期。\n\n## 锁定\n\n请等十分钟以后重新登录一次。\n"
    (folder / "guide" / "login.md").write_text(text, "utf-8")
    (folder / "manual.docx").write_bytes(docx((1, "导出"), (0, "导出超时的时候请分批导出再合并。")))
    return folder
