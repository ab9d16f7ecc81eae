"""Logs: one JSON object a line, ids on every line, and nothing that a library or an exception quotes."""

import json
import logging
import threading
import warnings
from typing import Any

import pytest
import structlog

from nlp_service.logs import configure_logs
from nlp_service.settings import Settings

TEXT = "王晓萌的手机号是13812345678"


@pytest.fixture(autouse=True)
def _as_json() -> None:
    configure_logs(Settings(log_format="json"))


def _lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def test_a_line_is_a_json_object_with_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().warning("snapshot refused", reason="another checksum")
    (line,) = _lines(capsys)
    assert (line["event"], line["level"], line["reason"]) == ("snapshot refused", "warning", "another checksum")
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_format="json", log_level="error"))
    structlog.get_logger().warning("snapshot refused")
    logging.getLogger("some.library").warning("careful")
    assert _lines(capsys) == []


def test_every_line_of_a_request_has_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="T-1"):
        structlog.get_logger().info("one")
        logging.getLogger("some.library").warning("two")
    assert [line["request_id"] for line in _lines(capsys)] == ["T-1", "T-1"]


def test_of_a_library_the_place_alone_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("some.library").warning("cannot read %s", TEXT)
    (line,) = _lines(capsys)
    assert (line["event"], line["logger"]) == ("library", "some.library")
    assert line["where"].startswith("test_logs.py:")
    assert TEXT not in json.dumps(line, ensure_ascii=False)


def test_of_an_exception_in_a_library_the_class_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(TEXT)
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved: %s", TEXT)
    (line,) = _lines(capsys)
    assert line["exception"].endswith("ValueError")
    assert TEXT not in json.dumps(line, ensure_ascii=False)


def test_messages_of_the_server_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("uvicorn.error").error("Application startup failed. Exiting.")
    assert [line["event"] for line in _lines(capsys)] == ["Application startup failed. Exiting."]


def test_of_a_warning_class_and_place_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(UserWarning(TEXT), UserWarning, "/a/b/reader.py", 7)
    (line,) = _lines(capsys)
    assert (line["category"], line["where"]) == ("UserWarning", "reader.py:7")


def test_setting_up_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_format="json"))
    logging.getLogger("some.library").warning("careful")
    assert len(_lines(capsys)) == 1


def test_readable_lines_have_tracebacks_without_messages(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_format="console"))
    try:
        raise ValueError(TEXT)
    except ValueError:
        structlog.get_logger().exception("unexpected")
    written = capsys.readouterr().err
    assert "test_logs.py" in written
    assert "ValueError" in written
    assert TEXT not in written


def test_threads_write_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        for _ in range(50):
            structlog.get_logger().info("some event", number=7)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["number"] for line in _lines(capsys)] == [7] * 200
