"""nlp-service kb frequent."""

from functools import partial

import pytest
from typer.testing import CliRunner, Result

from nlp_service.cli.main import app
from nlp_service.errors import InvalidText
from nlp_service.feedback.analysis import analyse
from nlp_service.feedback.record import FeedbackItem
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

TEXTS = ["收不到验证码,换了手机也不行 [1]", "收不到验证码,登不上去,换了手机也一样", "验证码收不到,换了两个手机都一样"]


@pytest.fixture
def filled(settings: Settings, engine: Engine) -> None:
    """Three tickets of one problem in the database of the fresh folder."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    store = FeedbackStore(database, partial(analyse, engine), engine.encode_passages, engine.search_model.fingerprint)
    store.take_in([FeedbackItem(kind="ticket", text=text, product="票务") for text in TEXTS])
    database.close()


def _frequent(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["kb", "frequent", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.usefixtures("filled")
def test_a_problem_is_printed_with_its_size_and_gap() -> None:
    printed = _frequent().stdout
    assert any(text in printed for text in TEXTS)
    assert ("3 条工单" in printed, "100.0%" in printed, "+3" in printed, "缺 · gap" in printed) == (True,) * 4


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", [["--product", "商城"], ["--label", "question"], ["--until", "2020-01-01"]])
def test_what_was_not_asked_for_is_not_counted(arguments: list[str]) -> None:
    assert "0 条工单" in _frequent(*arguments).stdout


def test_no_problem_is_said() -> None:
    assert "no problem was reported twice" in _frequent().stdout


def test_a_moment_that_cannot_be_read_is_an_expected_error() -> None:
    with pytest.raises(InvalidText, match=r"^since: 须为 ISO 8601 时间"):
        _frequent("--since", "gestern")


def test_an_empty_period_is_an_expected_error() -> None:
    with pytest.raises(InvalidText, match="since"):
        _frequent("--since", "2026-05-02", "--until", "2026-05-01")
