"""nlp-service feedback."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nlp_service.cli.main import app
from nlp_service.errors import ServiceError
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback

SOLVED: dict[str, Any] = {
    "kind": "ticket",
    "text": "导出报表时提示超时",
    "external_id": "T-1",
    "created_at": "2025-10-01T08:00:00Z",
    "status": "solved",
    "solution": "分批导出",
    "solved_at": "2025-10-01T09:00:00Z",
}
BAD = {**SOLVED, "text": ""}


def _import(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["feedback", "import", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _write(file: Path, *records: object) -> Path:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return file


def _stored(settings: Settings) -> list[Feedback]:
    database = Database(settings.resolved_database_url)
    with database.read() as session:
        records = session.query(Feedback).order_by(Feedback.id).all()
    database.close()
    return records


def test_a_history_of_solved_tickets_comes_in_one_call(home: Path, settings: Settings) -> None:
    tickets = [{**SOLVED, "external_id": f"T-{number}", "text": f"第{number}份报表超时"} for number in range(70)]
    result = _import(_write(home / "a.jsonl", *tickets))
    assert (result.exit_code, "created 70" in result.stderr) == (0, True)
    assert {(ticket.status, ticket.solution) for ticket in _stored(settings)} == {("solved", "分批导出")}


def test_a_csv_file_is_read_by_its_header(home: Path, settings: Settings) -> None:
    (home / "a.csv").write_bytes("text,kind,rating\n好用,review,5\n".encode("gb18030"))
    _import(home / "a.csv")
    assert [(record.text, record.rating) for record in _stored(settings)] == [("好用", 5)]


def test_the_same_again_changes_nothing(home: Path) -> None:
    file = _write(home / "a.jsonl", SOLVED)
    _import(file)
    assert "created 0, 更新 · updated 0, 未变 · unchanged 1" in _import(file).stderr


def test_bad_records_are_listed_and_the_good_ones_count(home: Path, settings: Settings) -> None:
    result = _import(_write(home / "a.jsonl", BAD, SOLVED))
    assert (result.exit_code, len(_stored(settings))) == (1, 1)
    assert "line 1, record 1: text: " in result.stderr


def test_a_record_that_contradicts_what_is_stored_is_listed(home: Path) -> None:
    _import(_write(home / "a.jsonl", SOLVED))
    review = {"kind": "review", "text": "好用", "external_id": "T-1"}
    assert "external_id is taken by feedback 1" in _import(_write(home / "b.jsonl", review)).stderr


def test_bad_records_are_written_to_a_file_when_asked_for(home: Path) -> None:
    result = _import(_write(home / "a.jsonl", BAD, SOLVED), "--rejected", home / "bad.jsonl")
    (line,) = [json.loads(line) for line in (home / "bad.jsonl").read_text("utf-8").splitlines()]
    assert (result.exit_code, line["reason"].startswith("text: ")) == (0, True)


def test_their_file_does_not_replace_the_input(home: Path) -> None:
    file = _write(home / "a.jsonl", SOLVED)
    with pytest.raises(ServiceError, match="would replace the input"):
        _import(file, "--rejected", file)


def test_a_file_of_another_kind_is_an_expected_error(home: Path) -> None:
    (home / "a.txt").write_text("x", "utf-8")
    with pytest.raises(ServiceError, match=r"only \.jsonl, \.ndjson, \.csv"):
        _import(home / "a.txt")
