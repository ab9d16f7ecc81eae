"""nlp-service analyze."""

import csv
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlp_service.cli.main import app, main
from nlp_service.errors import ServiceError
from tests.conftest import BUNDLES

ADDED = ["sentiment", "sentiment_score", "sentiment_confidence", "class", "class_confidence", "needs_review"]
TEXT_FILE = "更新以后特别流畅\n\n又闪退了，三次没保存\n👍👍\n" + "长" * 2001 + "\n请问发票在哪里开\n"
CSV_FILE = (
    '编号,评论,=备注\n1,又闪退了,@SUM(A1)\n2,,空\n3,"=1+1 等于几",+86\n4,"分成\n两行的评论",-5\n5,希望支持深色模式,好\n'
)
JSONL_FILE = (
    '{"id": 1, "text": "又闪退了"}\n'
    "{\n"
    '{"id": 3, "text": 5}\n'
    "[1]\n"
    '"只是一句话"\n'
    '{"id": 6, "text": "希望支持深色模式", "author": "\\ud83d\\ude00"}\n'
)


@dataclass(frozen=True)
class Run:
    """What a command printed and wrote."""

    exit_code: int
    stdout: str
    stderr: str
    folder: Path


def _invoke(home: Path, *arguments: str) -> Run:
    environment = {"NLP_HOME": str(home), "COLUMNS": "400"}
    result = CliRunner().invoke(app, ["analyze", *arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Run(result.exit_code, result.stdout, result.stderr, home)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles and the three files."""
    made = tmp_path_factory.mktemp("analyze")
    (made / "var").mkdir()
    (made / "var" / "bundles").symlink_to(BUNDLES)
    (made / "reviews.txt").write_text(TEXT_FILE, "utf-8")
    (made / "reviews.csv").write_text(CSV_FILE, "utf-8")
    (made / "tickets.jsonl").write_text(JSONL_FILE, "utf-8")
    return made


@pytest.fixture(scope="module")
def text_run(folder: Path) -> Run:
    return _invoke(folder, str(folder / "reviews.txt"))


@pytest.fixture(scope="module")
def csv_run(folder: Path) -> Run:
    return _invoke(folder, str(folder / "reviews.csv"))


@pytest.fixture(scope="module")
def jsonl_run(folder: Path) -> Run:
    return _invoke(folder, str(folder / "tickets.jsonl"), "-o", str(folder / "answers.jsonl"))


def _jsonl(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


class TestText:
    def test_every_text_of_the_file_is_answered_in_order(self, text_run: Run) -> None:
        rows = _jsonl(text_run.folder / "reviews.analyzed.jsonl")
        assert [(row["line"], row["text"]) for row in rows] == [
            (1, "更新以后特别流畅"),
            (3, "又闪退了，三次没保存"),
            (6, "请问发票在哪里开"),
        ]

    def test_a_row_holds_both_answers(self, text_run: Run) -> None:
        rows = _jsonl(text_run.folder / "reviews.analyzed.jsonl")
        assert all(list(row) == ["text", "line", *ADDED] for row in rows)

    @pytest.mark.parametrize("number", [2, 4, 5])
    def test_a_bad_line_is_reported_with_its_number(self, text_run: Run, number: int) -> None:
        assert f"line {number} skipped" in text_run.stderr

    def test_good_lines_are_not_reported(self, text_run: Run) -> None:
        assert text_run.stderr.count("skipped:") == 3

    def test_the_summary_counts_what_was_skipped(self, text_run: Run) -> None:
        assert "skipped: 3" in text_run.stdout

    def test_the_summary_counts_all_texts(self, text_run: Run) -> None:
        assert re.search(r"合计 · all .* 3 +│$", text_run.stdout, re.MULTILINE)

    def test_the_target_is_named(self, text_run: Run) -> None:
        assert str(text_run.folder / "reviews.analyzed.jsonl") in text_run.stderr

    def test_bad_lines_do_not_fail_the_command(self, text_run: Run) -> None:
        assert text_run.exit_code == 0


class TestCsv:
    def test_every_row_with_a_text_is_answered_with_its_line(self, csv_run: Run) -> None:
        rows = _csv(csv_run.folder / "reviews.analyzed.csv")
        assert [(row["编号"], row["line"]) for row in rows] == [("1", "2"), ("3", "4"), ("4", "5"), ("5", "7")]

    def test_the_columns_of_the_file_come_first(self, csv_run: Run) -> None:
        header = list(_csv(csv_run.folder / "reviews.analyzed.csv")[0])
        assert header[:2] == ["编号", "评论"]
        assert header[3:] == ["line", *ADDED]

    def test_a_line_break_in_a_cell_is_kept(self, csv_run: Run) -> None:
        assert _csv(csv_run.folder / "reviews.analyzed.csv")[2]["评论"] == "分成\n两行的评论"

    def test_cells_that_a_spreadsheet_would_run_are_made_harmless(self, csv_run: Run) -> None:
        rows = _csv(csv_run.folder / "reviews.analyzed.csv")
        assert [list(row.values())[2] for row in rows] == ["'@SUM(A1)", "'+86", "'-5", "好"]
        assert rows[1]["评论"] == "'=1+1 等于几"

    def test_names_of_columns_that_a_spreadsheet_would_run_are_made_harmless(self, csv_run: Run) -> None:
        assert list(_csv(csv_run.folder / "reviews.analyzed.csv")[0])[2] == "'=备注"

    def test_an_empty_cell_is_reported_with_its_line(self, csv_run: Run) -> None:
        assert "line 3 skipped" in csv_run.stderr

    def test_spreadsheets_read_the_file_as_utf_8(self, csv_run: Run) -> None:
        assert (csv_run.folder / "reviews.analyzed.csv").read_bytes().startswith(b"\xef\xbb\xbf")


class TestJsonl:
    def test_every_record_with_a_text_is_answered(self, jsonl_run: Run) -> None:
        rows = _jsonl(jsonl_run.folder / "answers.jsonl")
        assert [(row["line"], row["text"]) for row in rows] == [
            (1, "又闪退了"),
            (5, "只是一句话"),
            (6, "希望支持深色模式"),
        ]

    def test_other_fields_are_kept(self, jsonl_run: Run) -> None:
        rows = _jsonl(jsonl_run.folder / "answers.jsonl")
        assert (rows[0]["id"], rows[2]["author"]) == (1, "😀")

    @pytest.mark.parametrize("number", [2, 3, 4])
    def test_a_bad_line_is_reported_with_its_number(self, jsonl_run: Run, number: int) -> None:
        assert f"line {number} skipped" in jsonl_run.stderr

    def test_nothing_half_written_is_left(self, jsonl_run: Run) -> None:
        assert list(jsonl_run.folder.glob("*.partial")) == []

    def test_a_lone_surrogate_in_another_field_does_not_stop_the_run(self, home: Path) -> None:
        file = home / "tickets.jsonl"
        file.write_text('{"text": "又闪退了", "author": "\\ud800"}\n{"text": "很好用"}\n', "utf-8")
        _invoke(home, str(file))
        assert _jsonl(home / "tickets.analyzed.jsonl")[-1]["text"] == "很好用"


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("empty.txt", ""),
            ("blank.txt", "\n \n"),
            ("emoji.txt", "👍\n"),
            ("head.csv", "text\n"),
            ("no.jsonl", "{}\n"),
        ],
    )
    def test_nothing_is_written_for_a_file_without_text(self, home: Path, name: str, content: str) -> None:
        (home / name).write_text(content, "utf-8")
        before = set(home.iterdir())
        with pytest.raises(ServiceError, match="no text can be analysed"):
            _invoke(home, str(home / name))
        assert set(home.iterdir()) == before

    def test_an_unknown_column_is_told_which_ones_there_are(self, home: Path) -> None:
        (home / "a.csv").write_text("编号,说明\n1,又闪退了\n", "utf-8")
        with pytest.raises(ServiceError, match=r"--text-column.*编号, 说明"):
            _invoke(home, str(home / "a.csv"), "--text-column", "评论")

    def test_a_file_without_a_usual_column_asks_for_one(self, home: Path) -> None:
        (home / "a.csv").write_text("编号,说明\n1,又闪退了\n", "utf-8")
        with pytest.raises(ServiceError, match=r"--text-column.*编号, 说明"):
            _invoke(home, str(home / "a.csv"))

    def test_a_csv_file_whose_header_cannot_be_read_is_an_expected_error(self, home: Path) -> None:
        (home / "a.csv").write_text('"text\n又闪退了\n', "utf-8")
        with pytest.raises(ServiceError):
            _invoke(home, str(home / "a.csv"))

    def test_an_output_of_another_form_is_refused(self, home: Path) -> None:
        (home / "a.txt").write_text("又闪退了\n", "utf-8")
        with pytest.raises(ServiceError, match=r"\.jsonl or \.csv"):
            _invoke(home, str(home / "a.txt"), "-o", str(home / "a.xlsx"))

    def test_an_output_folder_that_is_missing_is_an_expected_error(self, home: Path) -> None:
        (home / "a.txt").write_text("又闪退了\n", "utf-8")
        with pytest.raises(ServiceError):
            _invoke(home, str(home / "a.txt"), "-o", str(home / "missing" / "a.jsonl"))

    def test_a_missing_file_is_a_usage_error(self, home: Path) -> None:
        assert _invoke(home, str(home / "missing.txt")).exit_code == 2


class TestMain:
    def _main(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["nlp-service", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    def test_an_expected_error_is_one_line_and_exit_code_1(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (home / "a.csv").write_text("编号,说明\n1,又闪退了\n", "utf-8")
        assert self._main(monkeypatch, "analyze", str(home / "a.csv")) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert len(printed.err.splitlines()) == 1
        assert "--text-column" in printed.err

    def test_brackets_in_an_error_are_printed(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (home / "a.csv").write_text("[note],[/id]\n1,又闪退了\n", "utf-8")
        assert self._main(monkeypatch, "analyze", str(home / "a.csv")) == 1
        assert "[note], [/id]" in capsys.readouterr().err

    def test_the_version_is_told(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert self._main(monkeypatch, "version") == 0
        assert capsys.readouterr().out.strip()
