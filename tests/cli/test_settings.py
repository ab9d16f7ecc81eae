"""Settings that are wrong: a line for each, and nothing begins."""

import sys
from pathlib import Path

import pytest

from nlp_service.cli.main import main


def _ended_with(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["nlp-service", "serve"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    return "".join(capsys.readouterr()).replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NLP_PORT", "abc", "integer"),
        ("NLP_PORT", "99999", "65535"),
        ("NLP_MAX_WAIT_SECONDS", "0", "大于 0"),
        ("NLP_MAX_WAIT_SECONDS", "soon", "number"),
        ("NLP_SECRET", "short", "32"),
        ("NLP_LOG_LEVEL", "loud", "warning"),
        ("NLP_DATABASE_URL", "nlp.db", "数据库地址"),
        ("NLP_SEARCH_STATUSES", "published", "JSON"),
    ],
)
def test_a_setting_that_is_wrong_is_named_in_one_line(
    name: str, value: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _ended_with(monkeypatch, capsys, **{name: value})
    assert name in written or name.removeprefix("NLP_").lower() in written
    assert said in written
    assert "Traceback" not in written
    assert not (home / "var" / "nlp.db").exists()


@pytest.mark.usefixtures("home")
def test_all_settings_that_are_wrong_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _ended_with(monkeypatch, capsys, NLP_PORT="abc", NLP_WORKERS="0")
    assert "NLP_PORT" in written
    assert "NLP_WORKERS" in written


@pytest.mark.usefixtures("home")
def test_what_was_given_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    written = _ended_with(monkeypatch, capsys, NLP_DATABASE_URL="postgresql+psycopg://u:p@ss@w@rd@127.0.0.1:x/db")
    assert "w@rd" not in written
