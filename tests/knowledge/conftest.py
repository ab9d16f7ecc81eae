"""What works on a test's database, and articles that differ only in what a test names."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article

FINGERPRINT = "f" * 64


def new_article(**changes: object) -> ArticleCreate:
    """A valid article with `changes`."""
    base = {"title": "登录失败", "problem": "输入密码后提示超时", "solution": "检查网络后重试"}
    return ArticleCreate.model_validate({**base, **changes})


class RecordingEncoder:
    """The real encoder; remembers what it was asked to encode, and can be told to break."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        self.breaks_at: str | None = None
        """A text in which this occurs raises RuntimeError instead of being encoded."""
        self._engine = engine

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.breaks_at is not None and any(self.breaks_at in text for text in texts):
            raise RuntimeError("the encoder broke")
        self.texts.extend(texts)
        return self._engine.encode_passages(texts)


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def encoder(engine: Engine) -> RecordingEncoder:
    return RecordingEncoder(engine)


@pytest.fixture
def store(database: Database, encoder: RecordingEncoder) -> ArticleStore:
    return ArticleStore(database, encoder, FINGERPRINT)


@pytest.fixture
def workflow(database: Database, clock: SettableClock) -> ReviewWorkflow:
    return ReviewWorkflow(database, clock)


@pytest.fixture
def votes(database: Database, clock: SettableClock) -> ArticleVotes:
    return ArticleVotes(database, clock)


@pytest.fixture
def draft(store: ArticleStore) -> Article:
    return store.create(new_article())
