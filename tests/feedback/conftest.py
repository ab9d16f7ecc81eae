"""What works on a test's database, and tickets that differ only in what a test names."""

from collections.abc import Sequence

import pytest

from nlp_service.feedback.analysis import Analysis, analyse
from nlp_service.feedback.record import FeedbackItem
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, SettableClock

SOLVED = {"status": "solved", "solution": "分批导出"}


def new_item(**changes: object) -> FeedbackItem:
    """A valid open ticket with `changes`."""
    return FeedbackItem.model_validate({"kind": "ticket", "text": "导出报表时提示超时", **changes})


class RecordingAnalyser:
    """The real models; remembers what they were asked to analyse."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        self._engine = engine

    def __call__(self, texts: Sequence[str]) -> list[Analysis]:
        self.texts.extend(texts)
        return analyse(self._engine, texts)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def encoder(engine: Engine) -> RecordingEncoder:
    return RecordingEncoder(engine)


@pytest.fixture
def analyser(engine: Engine) -> RecordingAnalyser:
    return RecordingAnalyser(engine)


@pytest.fixture
def store(
    database: Database, analyser: RecordingAnalyser, encoder: RecordingEncoder, clock: SettableClock
) -> FeedbackStore:
    return FeedbackStore(database, analyser, encoder, FINGERPRINT, clock)


def take(store: FeedbackStore, **changes: object) -> Feedback:
    """What one ticket with `changes` became."""
    (record,) = store.take_in([new_item(**changes)]).records
    return record
